"""What a clerk does with an opened resident's purchases: as in the portal, with office and channel on record."""

from collections.abc import Sequence

from django.db import transaction

from apps.accruals.operations.answering import Answered, answer
from apps.accruals.operations.withdrawing import withdraw
from apps.residents.operations.office import Acting, record_act


@transaction.atomic
def answer_for(by: Acting, purchases: Sequence[tuple[int, int]], *, confirm: bool) -> list[Answered]:
    """Confirm or deny held purchases. Raises what `answer` raises: PurchaseMissing for another's."""
    answered = answer(by.resident_ref, purchases, confirm=confirm, now=by.at, actor=by.actor)
    record_act(by, "purchase.confirm" if confirm else "purchase.deny")
    return answered


@transaction.atomic
def withdraw_for(by: Acting, terminal_id: int, seq: int) -> None:
    """Withdraw a purchase. Raises PurchaseMissing for another's as well, and TooLateToWithdraw."""
    withdraw(by.resident_ref, terminal_id, seq, now=by.at, actor=by.actor)
    record_act(by, "purchase.withdraw")
