"""What auditors search by: a form a kind, whose fields are the filters of `inspections.searching`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.inspections.searching import (
    MerchantSearch,
    PurchaseSearch,
    ResidentSearch,
    Search,
    TerminalSearch,
    as_json,
)
from apps.schemes.queries import kept_years

MINUTE: Final = "%Y-%m-%dT%H:%M"
MOST_MINOR: Final = 2**62
MOST_SEQ: Final = 2**31 - 1
FIRST_YEAR, LAST_YEAR = 1900, 9000
YES_OR_NO: Final = (("", "—"), ("yes", _("yes")), ("no", _("no")))
WRONG_WAY: Final = _("This is less than where it begins.")


def _text(label: Any, *, most: int = 63, **more: Any) -> forms.CharField:
    quiet = forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    return forms.CharField(label=label, required=False, max_length=most, widget=quiet, **more)


def _time(label: Any) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MINUTE)
    return forms.DateTimeField(
        label=label, required=False, widget=widget, input_formats=[MINUTE, f"{MINUTE}:%S"], validators=[_in_our_time]
    )


def _in_our_time(at: datetime) -> None:
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValidationError(_("Give a year of four digits, from 1900."))


def _number(label: Any, *, least: int = 0, most: int = MOST_SEQ) -> forms.IntegerField:
    return forms.IntegerField(label=label, required=False, min_value=least, max_value=most)


def _choice(label: Any, choices: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, required=False, choices=choices)


def _yes_or_no(label: Any) -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        label=label, required=False, choices=YES_OR_NO, coerce=lambda word: word == "yes", empty_value=None
    )


def _year() -> forms.TypedChoiceField:
    return forms.TypedChoiceField(label=_("Tax year"), choices=_years, coerce=int)


def _years() -> list[tuple[str, str]]:
    return [(str(year), str(year)) for year in sorted(kept_years(), reverse=True)]


def _reference(label: Any) -> forms.UUIDField:
    return forms.UUIDField(
        label=label, required=False, widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"invalid": _("A reference has 32 hexadecimal digits, as on the resident's statement.")},
    )  # fmt: skip


class SearchForm(forms.Form):
    """Filters, all of which a result must have. `ranges` are pairs of fields of which the second is not the smaller."""

    ranges: ClassVar[tuple[tuple[str, str], ...]] = ()
    kind_of: ClassVar[type[Search]]

    def clean(self) -> dict[str, Any]:
        """The same, if no range is the wrong way round."""
        given = super().clean() or self.cleaned_data
        for first, last in self.ranges:
            if given.get(first) is not None and given.get(last) is not None and given[last] < given[first]:
                self.add_error(last, WRONG_WAY)
        return given

    def search(self) -> Search:
        """The search that a valid form asks for."""
        return self.kind_of(**{name: value for name, value in self.cleaned_data.items() if value not in (None, "")})


class PurchaseForm(SearchForm):
    """Entries of a year."""

    kind_of = PurchaseSearch
    ranges = (("since", "before"), ("least_minor", "most_minor"), ("first_seq", "last_seq"))
    year = _year()
    since = _time(_("Sold from"))
    before = _time(_("Sold before"))
    least_minor = _number(_("Amount from"), least=-MOST_MINOR, most=MOST_MINOR)
    most_minor = _number(_("Amount to"), least=-MOST_MINOR, most=MOST_MINOR)
    tier = _text(_("Tier"), most=32)
    kind = _choice(
        _("What it is"),
        (
            ("", _("all that counts")),
            ("sale", _("sale")),
            ("claimed", _("sale claimed by its code")),
            ("return", _("return")),
            ("void", _("void")),
            ("correction", _("correction")),
            ("ruling", _("ruling of the office")),
            ("held", _("held sale")),
            ("rejected", _("rejected sale")),
        ),
    )
    merchant = _text(_("Merchant: number or part of the name"), most=200)
    region = _text(_("Region (prefecture or municipality code)"), most=8)
    terminal = _text(_("Terminal"))
    first_seq = _number(_("Record number from"), least=1)
    last_seq = _number(_("Record number to"), least=1)
    resident = _reference(_("Resident's reference"))
    run = _number(_("Run"), most=32_767)


class TerminalForm(SearchForm):
    """Tills."""

    kind_of = TerminalSearch
    ranges = (("seen_since", "seen_before"),)
    code = _text(_("Code begins with"))
    merchant = _text(_("Merchant: number or part of the name"), most=200)
    region = _text(_("Region (prefecture or municipality code)"), most=8)
    state = _choice(
        _("State"),
        (("", "—"), ("in_use", _("in use")), ("replaced", _("replaced")), ("never_seen", _("never seen"))),
    )
    sealed = _yes_or_no(_("Sealed"))
    gaps = _yes_or_no(_("Numbers missing"))
    seen_since = _time(_("Last seen from"))
    seen_before = _time(_("Last seen before"))


class MerchantForm(SearchForm):
    """Merchants."""

    kind_of = MerchantSearch
    name = _text(_("Part of the name"), most=200)
    registration_number = _text(_("Registration number"), most=14)
    trade = _text(_("Trade begins with"), most=8)
    state = _choice(
        _("State"),
        (("", "—"), ("in_use", _("with a till in use")), ("without_tills", _("without a till")), ("test", _("test"))),
    )


class ResidentForm(SearchForm):
    """Residents by their refunds."""

    kind_of = ResidentSearch
    ranges = (("least_minor", "most_minor"),)
    year = _year()
    reference = _reference(_("Resident's reference"))
    least_minor = _number(_("Refund from"), most=MOST_MINOR)
    most_minor = _number(_("Refund to"), most=MOST_MINOR)
    at_cap = _yes_or_no(_("Cap reached"))
    municipality = _text(_("Municipality code begins with"), most=6)


FORMS: Final[Mapping[str, type[SearchForm]]] = {
    "purchases": PurchaseForm,
    "terminals": TerminalForm,
    "merchants": MerchantForm,
    "residents": ResidentForm,
}


def typed(search: Search) -> dict[str, str]:
    """A search as its form would have been sent."""
    words: dict[str, str] = {}
    for name, value in as_json(search).items():
        is_time = name in ("since", "before", "seen_since", "seen_before")
        words[name] = _minute(getattr(search, name)) if is_time else _word(value)
    return words


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _minute(at: Any) -> str:
    return timezone.localtime(at).strftime(f"{MINUTE}:%S")


class SaveForm(forms.Form):
    """A search's name, and whether the other auditors see it."""

    name = forms.CharField(
        label=_("Name of the search"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    is_shared = forms.BooleanField(label=_("The other auditors may use it"), required=False)


class ExportForm(forms.Form):
    """Which kind of file."""

    format = forms.ChoiceField(choices=[("csv", "CSV"), ("xlsx", "Excel"), ("parquet", "Parquet")])
