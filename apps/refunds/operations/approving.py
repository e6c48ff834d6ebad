"""Two auditors sign a run's digest; then its debts are netted, its decisions issued, and it can be paid and closed."""

from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils import timezone

from apps.audit.officers import auditor_named
from apps.kernel.errors import KanpuError
from apps.refunds.models import Member, Refund, Run, RunState, Shard
from apps.refunds.operations.assessing import Figures
from apps.refunds.operations.deciding import issue_decisions
from apps.refunds.operations.netting import net_debts
from apps.refunds.operations.proving import forget_tree
from apps.refunds.operations.steps import WrongState, alone, locked, locked_in, record
from apps.refunds.operations.verifying import figures_of
from apps.refunds.proofs import run_digest
from apps.refunds.queries.settlements import Unsettled, unsettled
from apps.residents.operations.messages import tell_found

NOTHING_CARRIED: Final = Unsettled(0, 0)
# Those to whom the run gives something.
REFUNDED: Final = """
SELECT resident_ref, '' AS once,
       jsonb_build_object('year', tax_year, 'run', run, 'amount_minor', due_minor) AS detail
FROM refunds_refund WHERE tax_year = %(year)s AND run = %(run)s AND due_minor > 0
"""


class AlreadySigned(KanpuError):
    """The same person cannot sign twice."""

    code = "already_signed"


class DigestChanged(KanpuError):
    """What was signed, or is to be, is not what the run holds now."""

    code = "digest_changed"


class NotSettled(KanpuError):
    """Refunds of the run are neither paid nor netted nor lapsed."""

    code = "not_settled"


@transaction.atomic
def approve_run(year: int, *, by: str, actor: str, digest: str | None = None) -> Run:
    """Sign the verified run's digest as the auditor named `by`; with the second signature the run is approved.

    `actor` is who gives the command, for the trail; `digest`, when given, must be the run's. Raises NotAnAuditor,
    WrongState, AlreadySigned when the same auditor signs again, and DigestChanged.
    """
    name, now = auditor_named(by).username, timezone.now()
    run = locked(year, RunState.VERIFIED)
    if run_digest(figures_of(run)) != run.digest or (digest is not None and digest != run.digest):
        raise DigestChanged(f"The digest of {run} is not the one to be signed. Verify the run again and read it anew.")
    if name == run.signed_1_by:
        raise AlreadySigned(f"{name} has signed {run}. The second signature must be another auditor's.")
    if not run.signed_1_by:
        run.signed_1_by, run.signed_1_at = name, now
        run.save(update_fields=["signed_1_by", "signed_1_at"])
        record(run, "run.sign", actor, {"by": name, "digest": run.digest})
        return run
    run.signed_2_by, run.signed_2_at, run.state = name, now, RunState.APPROVED
    run.save(update_fields=["signed_2_by", "signed_2_at", "state"])
    _take_effect(run, now)
    record(run, "run.approve", actor, {"by": name, "digest": run.digest})
    return run


def _take_effect(run: Run, now: datetime) -> None:
    net_debts(run, now=now)
    issue_decisions(run, now=now)
    tell_found(REFUNDED, {"year": run.tax_year_id, "run": run.number}, "refund_ready", at=now)


@transaction.atomic
def pay_run(year: int, *, actor: str, number: int | None = None) -> Run:
    """Hand an approved run over to be paid, by default the year's oldest such. Raises RunMissing and WrongState."""
    run = locked_in(year, RunState.APPROVED, number)
    run.state = RunState.PAYING
    run.save(update_fields=["state"])
    record(run, "run.pay", actor, {"digest": run.digest})
    return run


@transaction.atomic
def close_run(year: int, *, actor: str, number: int | None = None, carried: Unsettled = NOTHING_CARRIED) -> Run:
    """Close a run of which everything due is paid, netted or lapsed, by default the year's oldest being paid.

    `carried` is what payouts carry over to later refunds, because it is below the scheme's least payout. Raises
    RunMissing, WrongState and NotSettled.
    """
    run = locked_in(year, RunState.PAYING, number)
    left = unsettled(run)
    if left != carried:
        raise NotSettled(
            f"{left.refunds} refunds of {run}, {left.amount_minor} minor units, are neither paid nor netted nor lapsed."
        )
    run.state, run.closed_at = RunState.CLOSED, timezone.now()
    run.save(update_fields=["state", "closed_at"])
    record(run, "run.close", actor, {})
    return run


def reopen_run(run: Run, *, actor: str) -> None:
    """Let a closed run be paid again, because money of it came back, in the caller's transaction.

    A run that is not closed stays as it is.
    """
    held = Run.objects.select_for_update().get(pk=run.pk)
    if held.state == RunState.CLOSED:
        held.state, held.closed_at = RunState.PAYING, None
        held.save(update_fields=["state", "closed_at"])
        record(held, "run.reopen", actor, {})


def undo_step(year: int, *, actor: str, shown: tuple[int, str] | None = None) -> Run:
    """Take the newest run back by one state: verified to assessed, assessed to frozen, frozen to withdrawn.

    `shown`, when given, is the number and state that whoever asks has seen: asked twice, it is taken back once.
    A withdrawn run's purchases belong to the next one. What is approved stands: it is mended by a supplementary run.
    Raises WrongState and StepRunning.
    """
    with alone(year), transaction.atomic():
        run = locked(year, *RunState)
        if shown is not None and shown != (run.number, run.state):
            raise WrongState(f"{run} is {run.state} by now. Look at it again before you take a step back.")
        before = RunState(run.state)
        if before not in _UNDO:
            raise WrongState(f"{run} is {run.state}. What two auditors approved is mended by a supplementary run.")
        run.state = _UNDO[before]
        if before == RunState.VERIFIED:
            _unprove(run)
        elif before == RunState.ASSESSED:
            _unassess(run)
        else:
            _unassess(run)  # what an assessment that did not come to its end has left
            Member.objects.filter(tax_year=year, run=run.number).delete()
        run.save()
        record(run, "run.undo", actor, {"from": before, "to": run.state})
    return run


_UNDO = {
    RunState.VERIFIED: RunState.ASSESSED,
    RunState.ASSESSED: RunState.FROZEN,
    RunState.FROZEN: RunState.WITHDRAWN,
}


def _unprove(run: Run) -> None:
    forget_tree(run)
    run.digest, run.root, run.tree_size, run.verified_at, run.statistics = "", "", 0, None, None
    run.signed_1_by, run.signed_1_at = "", None
    _forget(run, "verified_entries", "verified_residents", "verified_minor", "verify_s")


def _unassess(run: Run) -> None:
    """Shards first: that waits for workers who have one, so that no refund comes after its run is gone."""
    Shard.objects.filter(run=run).delete()
    Refund.objects.filter(tax_year=run.tax_year_id, run=run.number).delete()
    run.assessed_at, run.verified_at, run.assessed_by = None, None, ""
    run.differing, run.differences = 0, []
    _forget(run, *Figures._fields, "assess_s", "verified_entries", "verified_residents", "verified_minor", "verify_s")


def _forget(run: Run, *figures: str) -> None:
    for name in figures:
        setattr(run, name, 0)
