"""The purchases of an opened resident."""

from dataclasses import dataclass
from uuid import UUID

from apps.accruals.queries import newest_year_of
from apps.accruals.queries.shown import CountedPage, HeldPage, counted_page, held_page
from apps.schemes.queries import kept_years, tax_year


@dataclass(frozen=True, slots=True)
class PurchasesPage:
    """Held purchases, and those of a year that were counted. `years` are those that are kept, the newest first."""

    held: HeldPage
    years: tuple[int, ...]
    year: int | None
    counted: CountedPage | None


def purchases_page(resident_ref: UUID, *, year: str | None, page: str | None, held: str | None) -> PurchasesPage:
    """A page of each. Of no year that is kept: the last with something counted, else the last that was started."""
    years = kept_years()[::-1]
    newest = newest_year_of(resident_ref)
    chosen = {str(kept): kept for kept in years}.get(year or "", newest if newest in years else next(iter(years), None))
    counted = counted_page(resident_ref, tax_year(chosen), page=page) if chosen else None
    return PurchasesPage(held_page(resident_ref, page=held), tuple(years), chosen, counted)
