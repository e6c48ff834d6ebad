"""How a run's refunds are spread, beside those of the year before: rows with bars, whose lengths are of 1,000."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from apps.console.prefectures import prefecture_name
from apps.refunds.models import Run
from apps.refunds.queries.runs import same_run_before
from apps.refunds.queries.statistics import kept_statistics, statistics_of
from apps.refunds.statistics import TENTHS, Region, Statistics, Tenth
from apps.schemes.document import Scheme, Words, year_cap_minor

LENGTH: Final = 1000
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Bars:
    """A row's bar, and below it that of the year before (0: there is none)."""

    length: int
    before: int


@dataclass(frozen=True, slots=True)
class TenthRow:
    """A tenth of the residents, and the same tenth the year before."""

    tenth: Tenth
    before: Tenth | None
    bars: Bars


@dataclass(frozen=True, slots=True)
class RegionRow:
    """A prefecture, and the same the year before. The bars are of the mean refund of its residents."""

    name: Words
    region: Region
    before: Region | None
    bars: Bars

    @property
    def mean_minor(self) -> int:
        """The mean refund."""
        return mean_minor(self.region)

    @property
    def before_mean_minor(self) -> int | None:
        """The mean refund of the year before."""
        return mean_minor(self.before) if self.before else None


@dataclass(frozen=True, slots=True)
class Bucket:
    """Residents with a refund from `from_minor` to `to_minor`, both included; `before` in the year before."""

    from_minor: int
    to_minor: int
    residents: int
    before: int | None
    bars: Bars


@dataclass(frozen=True, slots=True)
class Spread:
    """A run's refunds by steps of the cap, by tenths of residents and by prefecture; `before` is the year before."""

    buckets: tuple[Bucket, ...]
    tenths: tuple[TenthRow, ...]
    regions: tuple[RegionRow, ...]
    before: Run | None


def statistics_for(run: Run) -> Statistics | None:
    """What the run kept; before it is verified from its refunds themselves, and nothing before it is assessed."""
    return kept_statistics(run) or (statistics_of(run) if run.assessed_at and run.residents else None)


def spread_of(run: Run, found: Statistics | None, scheme: Scheme) -> Spread | None:
    """How the refunds of a run are spread: one query. The year before is shown where it used the same currency."""
    if found is None or not sum(tenth.residents for tenth in found.tenths):
        return None
    before = _comparable(same_run_before(run), scheme)
    then = kept_statistics(before) if before else None
    cap_minor = year_cap_minor(scheme)
    is_same_cap = before is not None and year_cap_minor(before.tax_year.scheme_version.scheme()) == cap_minor
    return Spread(
        buckets=_buckets(found, then if is_same_cap else None, cap_minor) if cap_minor else (),
        tenths=_tenths(found, then),
        regions=_regions(found, then),
        before=before if then else None,
    )


def mean_minor(region: Region) -> int:
    """The mean refund of a prefecture's residents, whole minor units, halves up."""
    return (2 * region.sum_minor + region.residents) // (2 * region.residents)


def _comparable(before: Run | None, scheme: Scheme) -> Run | None:
    if before is None or before.tax_year.scheme_version.scheme().currency != scheme.currency:
        return None
    return before


def _buckets(found: Statistics, then: Statistics | None, cap_minor: int) -> tuple[Bucket, ...]:
    """Refunds of 0, of each tenth of the cap, and of the cap."""
    edges = [max(1, -(-cap_minor * step // TENTHS)) for step in range(TENTHS + 1)]
    spans = [(0, 0), *((edges[i], edges[i + 1] - 1) for i in range(TENTHS)), (cap_minor, cap_minor)]
    steps = list(range(-1, TENTHS + 1))
    counts = [found.steps.get(step, 0) for step in steps]
    before: list[int | None] = [then.steps.get(step, 0) if then else None for step in steps]
    rows = zip(spans, counts, before, _bars(counts, before), strict=True)
    return tuple(Bucket(*span, count, earlier, bars) for span, count, earlier, bars in rows)


def _tenths(found: Statistics, then: Statistics | None) -> tuple[TenthRow, ...]:
    before: Sequence[Tenth | None] = then.tenths if then else [None] * TENTHS
    means = [tenth.mean_minor for tenth in found.tenths]
    bars = _bars(means, [tenth.mean_minor if tenth else None for tenth in before])
    return tuple(TenthRow(*row) for row in zip(found.tenths, before, bars, strict=True))


def _regions(found: Statistics, then: Statistics | None) -> tuple[RegionRow, ...]:
    known: Mapping[str, Region] = {region.code: region for region in then.regions} if then else {}
    before = [known.get(region.code) for region in found.regions]
    bars = _bars([mean_minor(region) for region in found.regions], [mean_minor(one) if one else None for one in before])
    rows = zip(found.regions, before, bars, strict=True)
    return tuple(RegionRow(prefecture_name(region.code), region, earlier, bar) for region, earlier, bar in rows)


def _bars(amounts: Sequence[int], before: Sequence[int | None]) -> list[Bars]:
    longest = max((*amounts, *(amount or 0 for amount in before)), default=0) or 1
    return [
        Bars(amount * LENGTH // longest, (earlier or 0) * LENGTH // longest)
        for amount, earlier in zip(amounts, before, strict=True)
    ]
