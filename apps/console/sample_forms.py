"""What auditors type about samples."""

from decimal import Decimal
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.console.forms import LONGEST_TEXT, DayInput
from apps.inspections.models import Method, Population, Result
from apps.inspections.operations.drawing import Filters, Wanted

MOST_YEN: Final = 10**15
LARGEST_ID: Final = 2**31 - 1
ATTRIBUTE: Final = ("tolerable_rate", "expected_rate")
MONETARY: Final = ("tolerable_amount", "expected_amount")


def _percent(label: Any) -> forms.DecimalField:
    return forms.DecimalField(
        label=label, min_value=Decimal(0), max_value=Decimal("99.99"), decimal_places=2, required=False
    )


def _yen(label: Any, least: int = 0) -> forms.IntegerField:
    return forms.IntegerField(label=label, min_value=least, max_value=MOST_YEN, required=False)


class SampleForm(forms.Form):
    """A sample to draw. Of the limits, those of the method are needed."""

    title = forms.CharField(label=_("What the sample is to show"), max_length=200)
    method = forms.ChoiceField(label=_("Method"), choices=Method.choices, widget=forms.RadioSelect, initial="attribute")
    population = forms.ChoiceField(
        label=_("Drawn of"), choices=Population.choices, widget=forms.RadioSelect, initial="purchases"
    )
    year = forms.TypedChoiceField(label=_("Tax year"), coerce=int)
    confidence = forms.TypedChoiceField(
        label=_("Confidence"), choices=[(90, "90%"), (95, "95%"), (99, "99%")], coerce=int, initial=95
    )
    tolerable_rate = _percent(_("Tolerable rate of deviations, percent (attribute sampling)"))
    expected_rate = _percent(_("Expected rate of deviations, percent (attribute sampling)"))
    tolerable_amount = _yen(_("Tolerable misstatement, yen (monetary-unit sampling)"), 1)
    expected_amount = _yen(_("Expected misstatement, yen (monetary-unit sampling)"))
    merchant_id = forms.IntegerField(
        label=_("Only of the merchant with this number"), min_value=1, max_value=LARGEST_ID, required=False
    )
    tier = forms.CharField(label=_("Only with goods of the tax tier (code)"), max_length=32, required=False)
    from_date = forms.DateField(label=_("Only from this day"), widget=DayInput(), required=False)
    to_date = forms.DateField(label=_("Only up to this day"), widget=DayInput(), required=False)
    least_minor = _yen(_("Only amounts from, yen"))
    most_minor = _yen(_("Only amounts up to, yen"))

    def __init__(self, *args: Any, years: list[int], **more: Any) -> None:
        super().__init__(*args, **more)
        self.fields["year"].choices = [(year, str(year)) for year in years]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """The limits of the method are there; refunds have neither shops nor days."""
        given = super().clean() or self.cleaned_data
        for name in ATTRIBUTE if given.get("method") == Method.ATTRIBUTE else MONETARY:
            if name not in self.errors and given.get(name) is None:
                self.add_error(name, _("This method needs it."))
        if given.get("population") == Population.REFUNDS:
            for name in ("merchant_id", "tier", "from_date", "to_date"):
                if given.get(name):
                    self.add_error(name, _("Refunds cannot be narrowed by this. Leave it empty."))
        return given

    def wanted(self) -> Wanted:
        """The sample that is asked for. Only of a form that is valid."""
        given = self.cleaned_data
        method = Method(given["method"])
        if method == Method.ATTRIBUTE:
            tolerable, expected = (int(given[name] * 100) for name in ATTRIBUTE)
        else:
            tolerable, expected = (given[name] for name in MONETARY)
        names = ("merchant_id", "tier", "from_date", "to_date", "least_minor", "most_minor")
        return Wanted(
            title=given["title"], method=method, population=Population(given["population"]), tax_year=given["year"],
            confidence_percent=given["confidence"], tolerable=tolerable, expected=expected,
            filters=Filters(**{name: None if given[name] == "" else given[name] for name in names}),
        )  # fmt: skip


class ItemForm(forms.Form):
    """What was found of an item. `right_minor` is asked in monetary-unit sampling."""

    result = forms.ChoiceField(label=_("What you found"), choices=Result.choices, widget=forms.RadioSelect)
    right_minor = _yen(_("The right amount, yen, of a deviation"))
    note = forms.CharField(
        label=_("Note (no names)"), max_length=LONGEST_TEXT, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, is_monetary: bool, **more: Any) -> None:
        super().__init__(*args, **more)
        if not is_monetary:
            del self.fields["right_minor"]
