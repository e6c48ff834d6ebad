"""A year in parts: where somebody belonged in which months, and which part of a pooled limit counted there. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from apps.kernel.periods import Period, year_period
from apps.refunds.sharing import prorated
from apps.residents.months import Stretch
from apps.schemes.document import Scheme


@dataclass(frozen=True, slots=True)
class Part:
    """Months (the first day of each is given) in one household: A, B, … in the year's order; without letter, alone.

    `members` belonged to it at some time of these months, the resident among them. `cap_minor` is the part of the
    resident's own limit that is pooled there, where the scheme pools one.
    """

    first_month: date
    last_month: date
    letter: str
    members: int
    cap_minor: int | None


@dataclass(frozen=True, slots=True)
class Parts:
    """A resident's year. `first_day` and `last_day` are there when residence began or ended in it.

    `has_payee`: the share is paid to the registered parent; `children` are those whose shares are paid to the resident.
    """

    first_day: date | None
    last_day: date | None
    parts: tuple[Part, ...]
    pools: bool
    cap_minor: int | None
    has_payee: bool
    children: int

    @property
    def worth_telling(self) -> bool:
        """Whether there is more to say than that somebody lived here all year."""
        moved = len(self.parts) != 1
        pooled = self.pools and any(part.letter for part in self.parts)
        return bool(self.first_day or self.last_day or moved or pooled or self.has_payee or self.children)


def residence_days(residence: Period, year: int) -> tuple[date | None, date | None]:
    """The first and the last day of residence, where they are within the year."""
    inside, whole = residence.overlap(year_period(year)), year_period(year)
    if inside is None or inside.end is None:
        return None, None
    first = inside.start if inside.start > whole.start else None
    return first, date.fromordinal(inside.end.toordinal() - 1) if inside.end != whole.end else None


def parts_of(
    ref: UUID, stretches: Iterable[Stretch], year: int, *, members: Callable[[Stretch], int], cap_minor: int | None
) -> tuple[Part, ...]:
    """The parts of a year in order; whose own reference a stretch has as household, is alone."""
    found: list[Part] = []
    letters: dict[UUID, str] = {}
    own = list(stretches)
    months = [month for stretch in own for month in range(stretch.first_month, stretch.last_month + 1)]
    for stretch in own:
        alone = stretch.household_ref == ref
        letter = "" if alone else letters.setdefault(stretch.household_ref, chr(ord("A") + len(letters)))
        places = [months.index(month) + 1 for month in range(stretch.first_month, stretch.last_month + 1)]
        share = None if cap_minor is None else prorated(cap_minor, places, len(months))
        first, last = (date(year, month, 1) for month in (stretch.first_month, stretch.last_month))
        found.append(Part(first, last, letter, 1 if alone else members(stretch), share))
    return tuple(found)


def members_cap_minor(scheme: Scheme) -> int | None:
    """What each member brings to a household's limit of the year, where the scheme has such a limit."""
    limits = (limit for limit in scheme.refund.limits if limit.per == "year" and limit.unit == "members")
    return next((limit.cap.amount for limit in limits if limit.cap and limit.cap.amount is not None), None)


def pools(scheme: Scheme) -> bool:
    """Whether a limit is for a household or its members."""
    return any(limit.unit != "person" for limit in scheme.refund.limits)


def members_in(stretch: Stretch, homes: Mapping[UUID, Iterable[tuple[UUID, Period]]], year: int) -> int:
    """How many belonged to the household of a stretch at some time of its months."""
    months = Period(date(year, stretch.first_month, 1), after_month(year, stretch.last_month))
    return len({ref for ref, period in homes.get(stretch.household_ref, ()) if period.overlap(months)})


def after_month(year: int, month: int) -> date:
    """The first day after a month."""
    return date(year + month // 12, month % 12 + 1, 1)
