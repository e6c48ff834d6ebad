"""The resident's own purchases: found, held, and each by itself."""

from dataclasses import dataclass
from uuid import UUID

from apps.accruals.models import UNFINISHED, Dispute
from apps.accruals.queries import newest_year_of
from apps.accruals.queries.shown import FoundPage, HeldPage, found_page, held_page
from apps.accruals.queries.stories import Story, story_of
from apps.accruals.searching import Search
from apps.kernel.errors import KanpuError
from apps.refunds.queries.purchases import explained
from apps.refunds.words import Explanation
from apps.schemes.document import Scheme, Words
from apps.schemes.models import TaxYear
from apps.schemes.queries import scheme_of


class PurchaseUnknown(KanpuError):
    """The resident has no such purchase."""

    code = "purchase_unknown"


@dataclass(frozen=True, slots=True)
class Searchable:
    """What can be searched: the started years in order, the one to begin with, and the kinds of goods by code."""

    years: tuple[TaxYear, ...]
    newest: int
    tiers: dict[str, Words]

    @property
    def scheme(self) -> Scheme:
        """The newest year's."""
        return scheme_of(self.years[-1].scheme_version_id)

    def within(self, search: Search) -> list[TaxYear]:
        """The years in which what is searched can lie."""
        return [
            year
            for year in self.years
            if (search.since is None or search.since < year.ends_at)
            and (search.before is None or search.before > year.starts_at)
        ]


@dataclass(frozen=True, slots=True)
class PurchasePage:
    """A purchase, what it brings before the year's limits (the lines of `explanation`), its disputes to be decided."""

    story: Story
    explanation: Explanation
    disputes: tuple[Dispute, ...]

    @property
    def can_be_disputed(self) -> bool:
        """Whether it counts, something is left of it, and no dispute about it is open."""
        return self.story.counts and bool(self.story.total_minor) and not self.disputes


def searchable(ref: UUID) -> Searchable | None:
    """What the resident can search, None before any year was started: two queries."""
    years = tuple(TaxYear.objects.order_by("year"))
    if not years:
        return None
    tiers = {tier.code: tier.name for year in years for tier in scheme_of(year.scheme_version_id).tiers}
    return Searchable(years, newest_year_of(ref) or years[-1].year, tiers)


def own_purchases(ref: UUID, search: Search, where: Searchable, *, page: int) -> FoundPage:
    """What a search finds of the resident's purchases; of a year that was erased, nothing."""
    kept = [year for year in where.within(search) if year.erased_at is None]
    return found_page(ref, search, kept, scheme=where.scheme, page=page)


def own_story(ref: UUID, terminal_id: int, seq: int) -> PurchasePage:
    """One purchase. Raises PurchaseUnknown for another's."""
    story = story_of(ref, terminal_id, seq)
    if story is None:
        raise PurchaseUnknown("There is no such purchase.")
    about = Dispute.objects.filter(resident_ref=ref, terminal_id=terminal_id, seq=seq, state__in=UNFINISHED)
    return PurchasePage(story, explained(story), tuple(about.order_by("pk")))


def own_held(ref: UUID, *, page: str | None) -> HeldPage:
    """The resident's purchases that were held."""
    return held_page(ref, page=page)
