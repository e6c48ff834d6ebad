"""Which obligations can be paid now, to which account, and what the others wait for."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.db.models import Count, Q, Sum

from apps.payouts.models import ZENGIN, Attempt, Obligation, PaymentHold
from apps.payouts.outcomes import DROPPED, IN_FLIGHT
from apps.refunds.models import Run
from apps.refunds.queries.settlements import left_of
from apps.residents.models import RegisterEvent
from apps.residents.queries.accounts import Hold, Kind, Payable, account_for_payment

Wait = Obligation.Wait
NO_TRANSFER: Final = "no transfer can be made of it"  # what the event of such an attempt says
# What each list waits for, for whoever works on it.
NEEDS: Final = {
    Wait.MISSING: "the resident names an account, in the portal or at a window",
    Wait.UNDER_REVIEW: "a clerk compares the holder's name",
    Wait.PUBLIC_ACCOUNT: "the public account is asked for at its registry, which Kanpu is not connected with",
    Wait.UNUSABLE: (
        "the resident names another account: bank, branch or holder are none that banks take. A savings account (貯蓄)"
        " that Stripe refused needs nothing: make_payouts over a bank (--rail zengin) pays it"
    ),
    Wait.SUSPENDED: "who placed the hold lifts it",
    Wait.DECEASED: "the heirs say to whom it is paid",
    Wait.SETTLED: "nothing: less is left of the refund than was owed, look at its settlements",
}


class Ready(NamedTuple):
    """Where an obligation goes, or what it waits for."""

    account_id: UUID | None
    waits_for: str


class Waiting(NamedTuple):
    """One of the lists of what was not paid: how many, how much, and what they need."""

    waits_for: str
    obligations: int
    amount_minor: int
    needs: str


def readiness(run: Run, obligations: Sequence[Obligation], *, at: datetime, rail: str = ZENGIN) -> dict[int, Ready]:
    """For each obligation of a run that is due, by its id: seven queries, however many they are.

    An account that one rail cannot pay to may be one that another can.
    """
    people = {ref for one in obligations for ref in (one.resident_ref, one.payee_ref)}
    accounts = account_for_payment({one.payee_ref for one in obligations}, at)
    held = set(
        PaymentHold.objects.filter(resident_ref__in=people, lifted_at=None).values_list("resident_ref", flat=True)
    )
    deaths = RegisterEvent.objects.filter(resident__in=people, kind=RegisterEvent.Kind.DEATH)
    dead = set(deaths.values_list("resident_id", flat=True))
    left = left_of(run, [one.resident_ref for one in obligations])
    unusable = _unusable(obligations, rail)
    found = {}
    for one in obligations:
        both = {one.resident_ref, one.payee_ref}
        if left.get(one.resident_ref, 0) < one.own_minor:
            found[one.pk] = Ready(None, Wait.SETTLED)
        elif both & dead:
            found[one.pk] = Ready(None, Wait.DECEASED)
        elif both & held:
            found[one.pk] = Ready(None, Wait.SUSPENDED)
        else:
            ready = _of_account(accounts[one.payee_ref])
            found[one.pk] = Ready(None, Wait.UNUSABLE) if (one.pk, ready.account_id) in unusable else ready
    return found


def _unusable(obligations: Sequence[Obligation], rail: str) -> set[tuple[int, UUID | None]]:
    """Which of them to which account no transfer could be made to over a rail."""
    waiting = [one.pk for one in obligations if one.waits_for == Wait.UNUSABLE]
    tried = Attempt.objects.filter(obligation__in=waiting, rail=rail, state=DROPPED, events__note=NO_TRANSFER)
    return set(tried.values_list("obligation_id", "account_id")) if waiting else set()


def _of_account(payable: Payable) -> Ready:
    if payable.account_id is None:
        return Ready(None, Wait.MISSING)
    if payable.hold == Hold.UNDER_REVIEW:
        return Ready(None, Wait.UNDER_REVIEW)
    if payable.kind == Kind.PUBLIC:
        return Ready(None, Wait.PUBLIC_ACCOUNT)
    return Ready(payable.account_id, "")


def batches_with(ref: UUID) -> dict[str, str]:
    """The batches that pay a resident, or for a resident, and of which nothing was said yet, with their states."""
    tried = Attempt.objects.filter(Q(obligation__resident_ref=ref) | Q(obligation__payee_ref=ref), state__in=IN_FLIGHT)
    return {str(pk): state for pk, state in tried.order_by("batch").values_list("batch", "batch__state").distinct()}


def waiting_lists(run: Run) -> list[Waiting]:
    """What of a run waits, for what, as it was found when payments were made last: one query."""
    due = Obligation.objects.filter(tax_year=run.tax_year_id, run=run.number, state=Obligation.State.DUE)
    rows = due.exclude(waits_for="").values_list("waits_for").annotate(count=Count("*"), amount=Sum("amount_minor"))
    return [Waiting(wait, count, amount, NEEDS[Wait(wait)]) for wait, count, amount in rows.order_by("waits_for")]


def moved_elsewhere(attempts: Iterable[Attempt], *, at: datetime) -> list[Attempt]:
    """Those of these attempts whose payee has another account by now than the one that is paid: one query."""
    known = list(attempts)
    now = account_for_payment({one.obligation.payee_ref for one in known}, at)
    return [one for one in known if now[one.obligation.payee_ref].account_id != one.account_id]
