"""Refunds that nobody claims are lost after the scheme's years; residents are warned before."""

from collections.abc import Callable, Collection, Iterator
from datetime import date, datetime
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from apps.refunds.deadlines import WARNED_MONTHS_AHEAD, lapses_on, months_after, warnings_due
from apps.refunds.models import EFFECTIVE, LapseWarning, Run, Settlement
from apps.refunds.operations.steps import record
from apps.residents.operations.messages import tell_each
from apps.schemes.queries import scheme_of

# Whose refunds of a run, among these residents, cannot lapse now: they may be paid already, or cannot be claimed alone.
Underway: TypeAlias = Callable[[Run, Collection[UUID]], set[UUID]]
UNDERWAY: Final[list[Underway]] = []  # filled as apps above this one start
TOLD_AT_ONCE: Final = 5_000
UNCLAIMED: Final = """
SELECT r.resident_ref, (r.due_minor - coalesce(sum(s.amount_minor), 0))::bigint
FROM refunds_refund r LEFT JOIN refunds_settlement s
    ON (s.resident_ref, s.tax_year, s.run) = (r.resident_ref, r.tax_year, r.run)
WHERE r.tax_year = %s AND r.run = %s AND r.due_minor > 0
GROUP BY r.resident_ref, r.due_minor HAVING r.due_minor > coalesce(sum(s.amount_minor), 0)
ORDER BY r.resident_ref
"""


class Lapsed(NamedTuple):
    """What a look at all runs did: warnings given, refunds lapsed, and what they were worth in minor units."""

    warned: int
    lapsed: int
    amount_minor: int


def lapse_refunds(*, today: date, actor: str, dry_run: bool = False) -> Lapsed:
    """Warn of refunds that will lapse, and let those lapse whose last day is over. Again the same day is harmless.

    What is with a bank was claimed in time: it lapses only once the bank says that it was not paid. What is carried
    over lapses with the refund that it was carried into, so newer runs come first. `dry_run` counts and changes
    nothing.
    """
    sums = [0, 0, 0]
    runs = Run.objects.filter(state__in=EFFECTIVE).select_related("tax_year__scheme_version")
    for run in runs.order_by("-signed_2_at", "-pk"):
        for place, number in enumerate(_look_at(run, today, actor, dry_run=dry_run)):
            sums[place] += number
    return Lapsed(*sums)


def last_day_of(run: Run) -> date:
    """Until when the refunds of an approved run can be claimed."""
    approved_at = run.signed_2_at
    assert approved_at is not None  # noqa: S101 - a constraint says so
    lapse = scheme_of(run.tax_year.scheme_version_id).lapse
    return lapses_on(timezone.localdate(approved_at), lapse.after_years)


@transaction.atomic
def _look_at(run: Run, today: date, actor: str, *, dry_run: bool) -> Lapsed:
    Run.objects.select_for_update().get(pk=run.pk)  # nothing is paid meanwhile
    last_day = last_day_of(run)
    if today < months_after(last_day, -max(WARNED_MONTHS_AHEAD)):
        return Lapsed(0, 0, 0)
    if today <= last_day:
        return Lapsed(_warn(run, last_day, today, dry_run=dry_run), 0, 0)
    left = _without_underway(run, list(_unclaimed(run)))
    if left and not dry_run:
        now = timezone.now()
        Settlement.objects.bulk_create(_lapses(run, left, now), batch_size=5_000)
        lapsed = sum(amount for _, amount in left)
        Run.objects.filter(pk=run.pk).update(lapsed_minor=F("lapsed_minor") + lapsed)
        record(run, "run.lapse", actor, {"refunds": len(left), "amount_minor": lapsed})
    return Lapsed(0, len(left), sum(amount for _, amount in left))


def _without_underway(run: Run, left: list[tuple[UUID, int]]) -> list[tuple[UUID, int]]:
    refs = [ref for ref, _ in left]
    spared = {ref for underway in UNDERWAY for ref in underway(run, refs)} if refs else set()
    return [(ref, amount) for ref, amount in left if ref not in spared]


def _lapses(run: Run, left: list[tuple[UUID, int]], now: datetime) -> Iterator[Settlement]:
    for ref, amount in left:
        yield Settlement(
            resident_ref=ref,
            tax_year=run.tax_year_id,
            run=run.number,
            kind=Settlement.Kind.LAPSED,
            amount_minor=amount,
            at=now,
        )


def _warn(run: Run, last_day: date, today: date, *, dry_run: bool) -> int:
    ahead = warnings_due(last_day, today)
    if ahead is None:
        return 0
    warned = set(
        LapseWarning.objects.filter(tax_year=run.tax_year_id, run=run.number, months_ahead__lte=ahead).values_list(
            "resident_ref", flat=True
        )
    )
    now = timezone.now()
    new = [
        LapseWarning(
            resident_ref=ref, tax_year=run.tax_year_id, run=run.number, months_ahead=ahead,
            amount_minor=amount, lapses_date=last_day, at=now,
        )
        for ref, amount in _without_underway(run, list(_unclaimed(run))) if ref not in warned
    ]  # fmt: skip
    if not dry_run:
        LapseWarning.objects.bulk_create(new, batch_size=TOLD_AT_ONCE)
        for first in range(0, len(new), TOLD_AT_ONCE):
            told = [(warning.resident_ref, _detail(warning)) for warning in new[first : first + TOLD_AT_ONCE]]
            tell_each(told, "refund_lapses", at=now)
    return len(new)


def _detail(warning: LapseWarning) -> dict[str, object]:
    """What the message to the resident needs."""
    until = warning.lapses_date.isoformat()
    return {"year": warning.tax_year, "run": warning.run, "amount_minor": warning.amount_minor, "until": until}


def _unclaimed(run: Run) -> Iterator[tuple[UUID, int]]:
    with connection.cursor() as cursor:
        cursor.execute(UNCLAIMED, [run.tax_year_id, run.number])
        yield from cursor
