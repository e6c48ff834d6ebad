"""Amounts by tier, as residents and officers type them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.purchases.records import MAX_AMOUNT_MINOR
from apps.refunds.templatetags.kanpu import in_language
from apps.schemes.document import Scheme, Tier

PREFIX = "tier_"


class AmountsForm(forms.Form):
    """An amount for each tier of a scheme; what is left empty is nothing."""

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        scheme: Scheme,
        tiers: Sequence[Tier],
        amounts: Mapping[str, int] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(data, **more)
        self.digits = scheme.minor_unit_digits
        self.codes = [tier.code for tier in tiers]
        most = Decimal(MAX_AMOUNT_MINOR).scaleb(-self.digits)
        for tier in tiers:
            known = (amounts or {}).get(tier.code)
            self.fields[PREFIX + tier.code] = forms.DecimalField(
                label=in_language(tier.name),
                help_text=in_language(tier.examples),
                required=False,
                min_value=0,
                max_value=most,
                decimal_places=self.digits,
                initial=Decimal(known).scaleb(-self.digits) if known else None,
                widget=forms.TextInput(
                    attrs={"inputmode": "decimal" if self.digits else "numeric", "autocomplete": "off"}
                ),
            )

    @property
    def tier_fields(self) -> list[forms.BoundField]:
        """The fields of the tiers."""
        return [self[PREFIX + code] for code in self.codes]

    def amounts(self) -> dict[str, int]:
        """Minor units by tier, of a valid form; tiers without any are left out."""
        typed = {code: self.cleaned_data.get(PREFIX + code) for code in self.codes}
        return {code: int(amount.scaleb(self.digits)) for code, amount in typed.items() if amount}


class SomeAmountsForm(AmountsForm):
    """The same, of which at least one is above nothing."""

    def clean(self) -> dict[str, Any]:
        """Something was bought."""
        given = super().clean() or self.cleaned_data
        if self.codes and not self.errors and not self.amounts():
            self.add_error(PREFIX + self.codes[0], _("Give the amount of at least one kind of goods."))
        return given
