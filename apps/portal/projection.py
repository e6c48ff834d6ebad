"""What a year's refund would be at its end, if somebody goes on buying as until now. Pure, in integers.

The months that are over are as they are. Where something was bought in each month of last year, a month to come gets
what last year's had, times what this year's months so far are of the same months of last year. Otherwise a month to
come gets, by its days, as much a day as the months so far. A month that has begun counts as one to come, or as it is if
that is more. The year so made is assessed like any other: so caps and thresholds are as the law has them.
"""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Final, NamedTuple

from apps.refunds.assessment import NOTHING, Person, assess
from apps.refunds.rules import Rules

FOUR_FIGURES: Final = 1000


class Ratio(NamedTuple):
    """By what a month of a year before is multiplied."""

    now_minor: int
    then_minor: int


def projected_refund(person: Person, last: Person | None, rules: Rules, *, today: date) -> int | None:
    """About what comes back for the whole year, in minor units, rounded down to three figures.

    None where there is nothing to go by: another year than today's, its January, or no purchase in its months so far.
    """
    year = projected_year(person, last, rules, today=today)
    return about(assess(year, rules).refund_minor) if year else None


def projected_year(person: Person, last: Person | None, rules: Rules, *, today: date) -> Person | None:
    """The year with its months to come, from today's on (see above)."""
    done = today.month - 1
    now_minor = _spent(person, done)
    if today.year != rules.year or not done or now_minor <= 0:
        return None
    if last and _is_like(last, rules):
        ratio = Ratio(now_minor, _spent(last, done))
        whole = [_as_last_year(months, ratio) for months in (last.spend, last.bases, {"": last.purchases})]
    else:
        days = [monthrange(rules.year, month + 1)[1] for month in range(12)]
        whole = [_by_days(months, days, done) for months in (person.spend, person.bases, {"": person.purchases})]
    spend, bases, purchases = whole
    return replace(
        person,
        spend=_joined(person.spend, spend, done, rules),
        bases=_joined(person.bases, bases, done, rules),
        purchases=_join(person.purchases, purchases[""], done),
    )


def about(amount_minor: int) -> int:
    """An amount rounded down to three figures."""
    step = 1
    while amount_minor // step >= FOUR_FIGURES:
        step *= 10
    return amount_minor // step * step


def _is_like(last: Person, rules: Rules) -> bool:
    """Whether last year has each month, and what this year's rules measure."""
    measured = (last.bases or not rules.refund.purchase) and (any(last.purchases) or not rules.measured)
    return bool(measured) and all(_spent_in(last, month) > 0 for month in range(12))


def _spent(person: Person, months: int) -> int:
    return sum(_spent_in(person, month) for month in range(months))


def _spent_in(person: Person, month: int) -> int:
    return sum(amounts[month] for amounts in person.spend.values())


def _as_last_year(then: Mapping[str, Sequence[int]], ratio: Ratio) -> dict[str, list[int]]:
    return {key: [value * ratio.now_minor // ratio.then_minor for value in months] for key, months in then.items()}


def _by_days(now: Mapping[str, Sequence[int]], days: Sequence[int], done: int) -> dict[str, list[int]]:
    passed = sum(days[:done])
    return {key: [sum(months[:done]) * of_month // passed for of_month in days] for key, months in now.items()}


def _joined(
    now: Mapping[str, Sequence[int]], whole: Mapping[str, Sequence[int]], done: int, rules: Rules
) -> dict[str, list[int]]:
    """Tier by tier; nothing is expected of a tier in a month in which it has no rate."""
    joined = {tier: _join(now.get(tier, NOTHING), whole.get(tier, NOTHING), done) for tier in {**now, **whole}}
    return {
        tier: [value if (tier, month + 1) in rules.line_of else 0 for month, value in enumerate(months)]
        for tier, months in joined.items()
    }


def _join(now: Sequence[int], whole: Sequence[int], done: int) -> list[int]:
    """The months so far as they are, each of the others as it is or as expected, what is more."""
    return [*now[:done], *(max(*both) for both in zip(now[done:], whole[done:], strict=True))]
