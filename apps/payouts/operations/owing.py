"""What a run owes to whom, with what earlier runs carried over; holding payments to a resident."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.kernel.progress import Seen, nothing_seen
from apps.payouts.models import Obligation, PaymentHold
from apps.payouts.operations.telling import tell_own
from apps.payouts.queries.payees import Payee, payees_of
from apps.refunds.models import Run, RunState
from apps.refunds.operations.steps import locked_in, record
from apps.schemes.queries import scheme_of

AT_ONCE: Final = 5_000
NOBODY: Final = UUID(int=0)
LEFT: Final = """
SELECT r.resident_ref, r.due_minor, coalesce(sum(s.amount_minor), 0)::bigint
FROM refunds_refund r LEFT JOIN refunds_settlement s
    ON (s.resident_ref, s.tax_year, s.run) = (r.resident_ref, r.tax_year, r.run)
WHERE r.tax_year = %s AND r.run = %s AND r.due_minor > 0 AND r.resident_ref > %s
GROUP BY r.resident_ref, r.due_minor
ORDER BY r.resident_ref LIMIT %s
"""


class AlreadyHeld(KanpuError):
    """Payments to this resident are held already."""

    code = "already_held"


class NotHeld(KanpuError):
    """Payments to this resident are not held."""

    code = "not_held"


class Owed(NamedTuple):
    """What was made: obligations, what they come to, and how much of it is carried over to a later refund."""

    obligations: int
    amount_minor: int
    carried: int
    carried_minor: int


class _Left(NamedTuple):
    resident_ref: UUID
    due_minor: int
    settled_minor: int


def make_obligations(year: int, *, actor: str, number: int | None = None, seen: Seen = nothing_seen) -> Owed:
    """Make what a run that is being paid owes, by default the year's oldest such; again makes what is missing.

    Some thousands in a transaction, so it can be stopped at any time. Raises RunMissing and WrongState.
    """
    made, after, counts = True, NOBODY, Owed(0, 0, 0, 0)
    while made:
        made, after, some = _make_some(year, number, after)
        counts = Owed(*(a + b for a, b in zip(counts, some, strict=True)))
        seen(counts.obligations, 0)
    if counts.obligations:
        with transaction.atomic():
            record(locked_in(year, RunState.PAYING, number), "run.owe", actor, dict(counts._asdict()))
    return counts


@transaction.atomic
def _make_some(year: int, number: int | None, after: UUID) -> tuple[bool, UUID, Owed]:
    """The next ones after a resident: whether there were any, the last of them, and what was made."""
    run = locked_in(year, RunState.PAYING, number)
    with connection.cursor() as cursor:
        cursor.execute(LEFT, [run.tax_year_id, run.number, after, AT_ONCE])
        rows = [_Left(*row) for row in cursor]
    if not rows:
        return False, after, Owed(0, 0, 0, 0)
    of_run = Obligation.objects.filter(tax_year=run.tax_year_id, run=run.number)
    refs = [row.resident_ref for row in rows]
    known = set(of_run.filter(resident_ref__in=refs).values_list("resident_ref", flat=True))
    new = [row for row in rows if row.resident_ref not in known and row.due_minor > row.settled_minor]
    return True, rows[-1].resident_ref, _insert(run, new)


def _insert(run: Run, rows: Sequence[_Left]) -> Owed:
    refs = [row.resident_ref for row in rows]
    payees, carried, with_head = payees_of(refs, at=timezone.now()), _carried(refs), _paid_to_head(refs)
    made = Obligation.objects.bulk_create(
        _obligation(run, row, payees[row.resident_ref], carried[row.resident_ref]) for row in rows
    )
    into = [(earlier, one) for one in made for earlier in carried[one.resident_ref]]
    for earlier, one in into:
        earlier.carried_into = one
    Obligation.objects.bulk_update([earlier for earlier, _ in into], ["carried_into"])
    tell_own((one for one in made if one.resident_ref in with_head), at=timezone.now())
    small = [one.amount_minor for one in made if one.state == Obligation.State.CARRIED]
    return Owed(len(made), sum(one.amount_minor for one in made), len(small), sum(small))


def _paid_to_head(refs: Sequence[UUID]) -> set[UUID]:
    """Of whom what was owed last goes to the head of their household."""
    owed = Obligation.objects.filter(resident_ref__in=refs).order_by("resident_ref", "-pk").distinct("resident_ref")
    kinds = owed.values_list("resident_ref", "payee_kind")
    return {ref for ref, kind in kinds if kind == Obligation.Payee.HEAD}


def _obligation(run: Run, row: _Left, payee: Payee, carried: Sequence[Obligation]) -> Obligation:
    carried_minor = sum(earlier.amount_minor for earlier in carried)
    amount_minor = row.due_minor - row.settled_minor + carried_minor
    is_small = amount_minor < scheme_of(run.tax_year.scheme_version_id).refund.minimum_payout
    return Obligation(
        resident_ref=row.resident_ref, payee_ref=payee.ref, payee_kind=payee.kind, tax_year=run.tax_year_id,
        run=run.number, due_minor=row.due_minor, settled_minor=row.settled_minor, carried_in_minor=carried_minor,
        amount_minor=amount_minor, state=Obligation.State.CARRIED if is_small else Obligation.State.DUE,
        made_at=timezone.now(),
    )  # fmt: skip


def _carried(refs: Sequence[UUID]) -> dict[UUID, list[Obligation]]:
    """What earlier runs carried over and no later one took, locked until commit."""
    found: dict[UUID, list[Obligation]] = defaultdict(list)
    rows = Obligation.objects.filter(resident_ref__in=refs, state=Obligation.State.CARRIED, carried_into=None)
    for row in rows.select_for_update().order_by("pk"):
        found[row.resident_ref].append(row)
    return found


@transaction.atomic
def hold_payments(ref: UUID, *, reason: PaymentHold.Reason, at: datetime, actor: str) -> PaymentHold:
    """Pay nothing to a resident until the hold is lifted; what is with the bank already is not called back.

    Raises AlreadyHeld.
    """
    if PaymentHold.objects.filter(resident_ref=ref, lifted_at=None).exists():
        raise AlreadyHeld("Payments to this resident are held already.")
    hold = PaymentHold.objects.create(resident_ref=ref, reason=reason, placed_at=at, placed_by=actor)
    record_event(at=at, actor=actor, action="payout.hold", subject=f"resident:{ref}", detail={"reason": reason},
                 before={"hold": ""}, after={"hold": reason})  # fmt: skip
    return hold


@transaction.atomic
def lift_hold(ref: UUID, *, at: datetime, actor: str) -> None:
    """Let payments to a resident go on. Raises NotHeld."""
    hold = PaymentHold.objects.select_for_update().filter(resident_ref=ref, lifted_at=None).first()
    if hold is None:
        raise NotHeld("Payments to this resident are not held.")
    hold.lifted_at, hold.lifted_by = at, actor
    hold.save()
    record_event(at=at, actor=actor, action="payout.lift", subject=f"resident:{ref}", detail={"reason": hold.reason},
                 before={"hold": hold.reason}, after={"hold": ""})  # fmt: skip
