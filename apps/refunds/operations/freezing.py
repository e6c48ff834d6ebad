"""Freezing a year: the outbox is drained, the cut-off recorded, the next run opened, the evidence written."""

import time
from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils import timezone

from apps.accruals.operations.archiving import write_closed_parts
from apps.accruals.operations.years import freeze_run
from apps.kernel.errors import KanpuError
from apps.kernel.progress import Seen, nothing_seen
from apps.purchases.queries import uncounted
from apps.refunds.models import UNFINISHED, Run, RunState, StepName
from apps.refunds.operations.register import take_snapshot, write_register
from apps.refunds.operations.steps import Work, WrongState, record, working
from apps.refunds.proofs import new_secret
from apps.residents.queries import askings
from apps.schemes.queries import check_kept, tax_year

DRAIN_PAUSE_S: Final = 0.2


class OutboxNotEmpty(KanpuError):
    """Accepted purchases wait to be counted and nobody counts them."""

    code = "outbox_not_empty"


def freeze(year: int, *, actor: str, drain_timeout_s: float = 600, seen: Seen = nothing_seen) -> Run:
    """Wait until the outbox is empty, then close the year's open run: later purchases go to the next one.

    The households and attributes that the scheme asks for are kept as they are now, and the run's entries are written
    to the archive. A freeze that died on the way is finished. Raises OutboxNotEmpty when the outbox does not empty in
    time, WrongState while an earlier run is unfinished, StepRunning, YearErased.
    """
    check_kept(tax_year(year))  # a year that was not started, or is erased, is said first
    with working(year, StepName.FREEZE, actor=actor, seen=seen) as work:
        run = _half_frozen(year, work)
        if run is None:
            _drain(drain_timeout_s, work)
            run = _close(year, actor)
        write_closed_parts(year, now=timezone.now())
        write_register(run)
    return run


def _half_frozen(year: int, work: Work) -> Run | None:
    """The run that this step froze before it died. Raises WrongState when there is another unfinished one."""
    unfinished = Run.objects.filter(tax_year_id=year, state__in=UNFINISHED).first()
    if unfinished is None:
        return None
    if unfinished.state == RunState.FROZEN and unfinished.cutoff_at >= work.step.requested_at:
        return unfinished
    raise WrongState(f"{unfinished} is {unfinished.state}: finish it, or undo it, before the next freeze.")


@transaction.atomic
def _close(year: int, actor: str) -> Run:
    now = timezone.now()
    number = freeze_run(year, now=now)
    run = Run.objects.create(tax_year_id=year, number=number, cutoff_at=now, frozen_by=actor, secret=new_secret())
    members = take_snapshot(run)
    record(run, "run.freeze", actor, {"cutoff_at": now.isoformat(), "members": members})
    return run


def _drain(timeout_s: float, work: Work) -> None:
    """Wait for workers to count, and judge again, what came until now; give up when nothing moves for `timeout_s`."""
    until = timezone.now()
    first = left = _waiting(until)
    moved_at = time.monotonic()
    while left:
        work.show(first - left, first)
        time.sleep(DRAIN_PAUSE_S)
        left_now = _waiting(until)
        if left_now < left:
            left, moved_at = left_now, time.monotonic()
        elif time.monotonic() - moved_at > timeout_s:
            raise OutboxNotEmpty(
                f"{left} purchases wait and no worker counts them, or judges them again. Start one, or: sweep_outbox"
                " --once --retry-failed"
            )
    work.show(first, first)


def _waiting(until: datetime) -> int:
    """How many records wait to be counted, and residents to have their sales judged again, since before a time."""
    return uncounted(received_by=until)[1] + askings(asked_by=until)
