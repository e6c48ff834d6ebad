"""When somebody is resident, over all their times here, and what a row of the register makes of it. Pure."""

from collections.abc import Iterable
from datetime import date
from itertools import chain
from typing import NamedTuple


class Span(NamedTuple):
    """A time of residence that is over, in a municipality (its code, or empty): `end` is the first day after it."""

    start: date
    end: date
    municipality: str


class Residence(NamedTuple):
    """The latest time of residence, open where `end` is None, and those before it."""

    start: date
    end: date | None
    municipality: str
    earlier: tuple[Span, ...] = ()

    def covers(self, day: date) -> bool:
        """Whether the day is one of residence."""
        return (self.start <= day and (self.end is None or day < self.end)) or any(
            span.start <= day < span.end for span in self.earlier
        )


class Judged(NamedTuple):
    """What residence is by a new row. `is_outdated` when the row is about a time before the latest one."""

    residence: Residence
    is_outdated: bool = False


def residence_by(known: Residence, start: date, end: date | None, municipality: str) -> Judged | None:
    """What is known, as a row with these days from a municipality's register has it; None if the days contradict it.

    Who came back, or was taken up by another municipality's register, has a new time of residence; the one before ends
    on that day at the latest. A row about an earlier time changes that time only.
    """
    elsewhere = bool(municipality and known.municipality) and municipality != known.municipality
    if start > known.start and (elsewhere or (known.end and known.end <= start)):
        before = Span(known.start, min(start, known.end or start), known.municipality)
        return _fits(Residence(start, end, municipality or known.municipality, (*known.earlier, before)))
    if start < known.start and (elsewhere or any(span.start == start for span in known.earlier)):
        span = Span(start, min(end or known.start, known.start), municipality or known.municipality)
        earlier = tuple(sorted({each for each in known.earlier if each.start != start} | {span}))
        found = _fits(known._replace(earlier=earlier))
        return found and found._replace(is_outdated=True)
    return _fits(Residence(start, end, municipality or known.municipality, known.earlier))


def _fits(residence: Residence) -> Judged | None:
    """None where two times of residence overlap."""
    starts = [span.start for span in residence.earlier[1:]] + [residence.start]
    fits = all(span.end <= start for span, start in zip(residence.earlier, starts, strict=False))
    return Judged(residence) if fits else None


def first_change(old: Residence, new: Residence) -> date | None:
    """The first day that is one of residence in one of them only."""
    days = {day for residence in (old, new) for day in _borders(residence)}
    return next((day for day in sorted(days) if old.covers(day) != new.covers(day)), None)


def _borders(residence: Residence) -> Iterable[date]:
    ends = (residence.end,) if residence.end else ()
    return chain((residence.start,), ends, *(span[:2] for span in residence.earlier))
