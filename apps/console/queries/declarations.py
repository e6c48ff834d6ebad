"""Declared against reported as auditors see it, and what is wrong with a row of returns in words."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from django.core.paginator import Page, Paginator
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.console.queries.merchants import chosen_year
from apps.inspections.models import Declaration
from apps.inspections.queries.declarations import Difference, Kinds, differences, newest_declarations
from apps.kernel.errors import KanpuError
from apps.refunds.queries.disputes import scheme_in
from apps.schemes.document import Scheme

DIFFERENCES_A_PAGE: Final = 50
LEAST_YEN: Final = 1_000  # returns are rounded down to it (国税通則法 118条)
DEFECTS: Final[dict[str, Promise]] = {
    "row_width": _("The row has more or fewer columns than the first line: look for a comma or quote too many."),
    "number_malformed": _("A registration number is T and 13 digits."),
    "check_digit_wrong": _("Nobody has this number, and its check digit is wrong: look for a mistyped digit."),
    "merchant_unknown": _("No merchant has this registration number."),
    "merchant_ambiguous": _("More than one merchant has this registration number. Correct that first."),
    "date_unreadable": _("Write a day as 2017-04-01."),
    "dates_reversed": _("The last day lies before the first."),
    "period_too_long": _("A tax period is at most a year."),
    "period_overlaps": _("The period overlaps another one of this merchant that is not the same."),
    "amount_unreadable": _("Write whole yen in digits, without a sign for yen."),
}


class DeclarationMissing(KanpuError):
    """There is no such return."""

    code = "declaration_missing"


@dataclass(frozen=True, slots=True)
class DifferencesPage:
    """Differences of a year, the largest first."""

    year: int
    years: list[int]
    kind: str
    least_yen: int
    scheme: Scheme
    returns: int
    page: "Page[Difference]"

    @property
    def asked(self) -> str:
        """What the address asks for, but for the page."""
        return urlencode({"year": self.year, "kind": self.kind, "least": self.least_yen})


def differences_page(*, year: str, kind: str, least: int | None, page: str | None) -> DifferencesPage:
    """What merchants declared beside what they reported: five queries, none of purchases. Raises MerchantMissing."""
    chosen, years = chosen_year(year)
    kind = kind if kind in ("below", "all") else "above"
    least_yen = LEAST_YEN if least is None else least
    declared = newest_declarations(year=chosen)
    found = differences(declared, Kinds(kind != "below", kind != "above", least_yen))
    shown = Paginator(found, DIFFERENCES_A_PAGE).get_page(page)
    return DifferencesPage(chosen, years, kind, least_yen, scheme_in(chosen), len(declared), shown)


def declaration_of(declaration_id: int) -> Declaration:
    """A return. Raises DeclarationMissing."""
    found = Declaration.objects.select_related("merchant").filter(pk=declaration_id).first()
    if found is None:
        raise DeclarationMissing("There is no such return.")
    return found
