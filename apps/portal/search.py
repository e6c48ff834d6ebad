"""What residents search their purchases by."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy as _

from apps.accruals.searching import Search
from apps.portal.amounts import amount_minor_of
from apps.portal.wording import STANDINGS
from apps.schemes.document import Scheme

DAYS: Final = (MinValueValidator(date(1989, 1, 1)), MaxValueValidator(date(2999, 12, 31)))


def _day(label: Any) -> forms.DateField:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    return forms.DateField(label=label, required=False, validators=DAYS, widget=widget)


def _amount(label: Any) -> forms.CharField:
    widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return forms.CharField(label=label, required=False, max_length=24, widget=widget)


class SearchForm(forms.Form):
    """Days, both included, amounts, a part of the shop's name, kind of goods and state; all may be left empty."""

    first = _day(_("From this day"))
    last = _day(_("To this day"))
    least = _amount(_("Total at least"))
    most = _amount(_("Total at most"))
    shop = forms.CharField(
        label=_("Name of the shop"),
        required=False,
        max_length=100,
        widget=forms.TextInput(attrs={"type": "search", "autocomplete": "off"}),
    )
    tier = forms.ChoiceField(label=_("Kind of goods"), required=False)
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", _("All")), *STANDINGS.items()])

    def __init__(self, data: Mapping[str, Any], *, scheme: Scheme, tiers: Sequence[tuple[str, str]]) -> None:
        super().__init__(data, auto_id="by_%s")
        self.scheme = scheme
        self.fields["tier"].choices = [("", _("All")), *tiers]  # type: ignore[attr-defined]  # of a ChoiceField

    def clean_least(self) -> int | None:
        """In minor units."""
        return self._amount_minor("least")

    def clean_most(self) -> int | None:
        """In minor units."""
        return self._amount_minor("most")

    def _amount_minor(self, name: str) -> int | None:
        text = self.cleaned_data[name]
        amount_minor = amount_minor_of(text, self.scheme.minor_unit_digits)
        if text and amount_minor is None:
            raise forms.ValidationError(_("Give an amount in digits, as in 1000."))
        return amount_minor

    def clean(self) -> dict[str, Any]:
        """The earlier day and the smaller amount come first."""
        given = super().clean() or self.cleaned_data
        if given.get("first") and given.get("last") and given["first"] > given["last"]:
            self.add_error("last", _("This day is before the other one."))
        least, most = given.get("least"), given.get("most")
        if least is not None and most is not None and least > most:
            self.add_error("most", _("This amount is below the other one."))
        return given

    def search(self) -> Search:
        """What is to be found."""
        given, zone = self.cleaned_data, ZoneInfo(self.scheme.time_zone)
        last = given["last"] and given["last"] + timedelta(days=1)
        return Search(
            since=given["first"] and datetime.combine(given["first"], time(), zone),
            before=last and datetime.combine(last, time(), zone),
            least_minor=given["least"],
            most_minor=given["most"],
            shop=given["shop"],
            tier=given["tier"],
            standing=given["state"],
        )
