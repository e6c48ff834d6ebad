"""Paying again what a bank could not pay, or sent back."""

from collections.abc import Iterable
from itertools import islice
from typing import Final

from django.db import transaction
from django.utils import timezone

from apps.payouts import outcomes
from apps.payouts.models import Attempt, Obligation
from apps.payouts.operations.moving import note
from apps.payouts.operations.payees import update_payees
from apps.payouts.queries.readiness import moved_elsewhere
from apps.payouts.queries.reconciling import failed_of, paying_run
from apps.refunds.models import Run
from apps.refunds.operations.steps import record

AT_ONCE: Final = 2_000


@transaction.atomic
def reissue_run(
    year: int, *, number: int | None = None, to_same_account: bool = False, actor: str
) -> tuple[Run, int, int]:
    """Reissue what failed or came back of a run, by default the oldest that is being paid.

    Returns the run, how many had failed or come back, and how many of them are due again. Raises RunMissing.
    """
    run = paying_run(year, number)
    failed = failed_of(run)
    again = reissue(failed, to_same_account=to_same_account, actor=actor)
    if again:
        record(run, "run.reissue", actor, {"failed": len(failed), "again": again, "to_same_account": to_same_account})
    return run, len(failed), again


@transaction.atomic
def reissue(obligation_ids: Iterable[int], *, to_same_account: bool = False, actor: str) -> int:
    """Let failed and returned payments be made again, to the account that is in force when the next batch is made.

    Only those whose payee has another account by now; with `to_same_account` all, for when the failure was the bank's.
    What waits for something goes to its list. Returns how many.
    """
    now, done = timezone.now(), 0
    ids = iter(sorted(obligation_ids))
    while some := list(islice(ids, AT_ONCE)):
        owed = Obligation.objects.filter(pk__in=some, state__in=(outcomes.FAILED, outcomes.RETURNED))
        locked: list[int] = [one.pk for one in owed.select_for_update().order_by("pk")]
        tried = Attempt.objects.filter(obligation__in=locked, state__in=(outcomes.FAILED, outcomes.RETURNED))
        chosen = list(tried.select_related("obligation").order_by("pk"))
        update_payees([one.obligation for one in chosen], at=now)
        again = chosen if to_same_account else moved_elsewhere(chosen, at=now)
        for one in again:
            one.state, one.changed_at = outcomes.REISSUED, now
        Attempt.objects.bulk_update(again, ["state", "changed_at"], batch_size=1_000)
        note(again, at=now, actor=actor)
        Obligation.objects.filter(pk__in=[one.obligation_id for one in again]).update(state=Obligation.State.DUE)
        done += len(again)
    return done
