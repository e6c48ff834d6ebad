"""Claiming obligations that are due: an attempt for each, at most one at a time, whichever rail it takes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from apps.payouts.models import Attempt, Batch, Obligation
from apps.payouts.operations.moving import note
from apps.payouts.operations.payees import update_payees
from apps.payouts.queries.readiness import Ready, readiness
from apps.refunds.models import Run

AT_ONCE: Final = 5_000


def claim_due(run: Run, batch: Batch, *, most: int, most_minor: int, at: datetime, actor: str) -> int:
    """Make attempts for what can be paid now, in the caller's transaction, who holds the run. Returns how many.

    What cannot be paid keeps what it waits for. `most_minor` is what one batch may come to.
    """
    claimed, after, room = 0, 0, True
    due = Obligation.objects.filter(tax_year=run.tax_year_id, run=run.number, state=Obligation.State.DUE)
    while room and claimed < most:
        some = list(due.filter(pk__gt=after).order_by("pk").select_for_update()[: min(AT_ONCE, most - claimed)])
        if not some:
            break
        after = some[-1].pk
        update_payees(some, at=at)
        found = readiness(run, some, at=at, rail=batch.rail)
        payable = []
        for one in some:
            if not found[one.pk].waits_for:
                room = room and one.amount_minor <= most_minor
                if room:
                    most_minor -= one.amount_minor
                    payable.append(one)
        _wait([one for one in some if found[one.pk].waits_for], found)
        claimed += attempt_each(payable, found, batch, at=at, actor=actor)
    return claimed


def _wait(obligations: Sequence[Obligation], found: dict[int, Ready]) -> None:
    changed = [one for one in obligations if one.waits_for != found[one.pk].waits_for]
    for one in changed:
        one.waits_for = found[one.pk].waits_for
    Obligation.objects.bulk_update(changed, ["waits_for"], batch_size=1_000)


def attempt_each(
    obligations: Sequence[Obligation], found: dict[int, Ready], batch: Batch, *, at: datetime, actor: str
) -> int:
    """Make an attempt for each of them, in the caller's transaction, who locked them. Returns how many."""
    for one in obligations:
        one.state, one.waits_for, one.tries = Obligation.State.IN_FLIGHT, "", one.tries + 1
    Obligation.objects.bulk_update(obligations, ["state", "waits_for", "tries"], batch_size=1_000)
    attempts = Attempt.objects.bulk_create(
        Attempt(
            obligation=one, batch=batch, rail=batch.rail, reference=_reference(one), account_id=_account(found[one.pk]),
            amount_minor=one.amount_minor, changed_at=at,
        )
        for one in obligations
    )  # fmt: skip
    note(attempts, at=at, actor=actor)
    return len(attempts)


def _reference(obligation: Obligation) -> str:
    """Year, obligation and try: 19 digits, which come back from the bank in its customer codes."""
    return f"{obligation.tax_year:04}{obligation.pk:012}{obligation.tries:03}"


def _account(ready: Ready) -> UUID:
    assert ready.account_id is not None  # noqa: S101 - else it would wait
    return ready.account_id
