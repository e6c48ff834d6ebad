"""What residents say of their purchases: that held ones are theirs or not, that a counted one is to be erased."""

from collections.abc import Sequence
from datetime import datetime

from django.contrib.auth.models import AnonymousUser, User

from apps.accruals.operations.answering import Answered, answer
from apps.accruals.operations.withdrawing import withdraw
from apps.portal.operations.decisions import ACTOR
from apps.portal.queries.accounts import resident_of


def answer_own(
    user: User | AnonymousUser, purchases: Sequence[tuple[int, int]], *, confirm: bool, at: datetime
) -> list[Answered]:
    """Confirm or deny held purchases. Raises NoAccount and what `answer` raises: PurchaseMissing for another's."""
    return answer(resident_of(user), purchases, confirm=confirm, now=at, actor=ACTOR)


def withdraw_own(user: User | AnonymousUser, terminal_id: int, seq: int, *, at: datetime) -> None:
    """Withdraw a purchase. Raises NoAccount, PurchaseMissing for another's as well, TooLateToWithdraw."""
    withdraw(resident_of(user), terminal_id, seq, now=at, actor=ACTOR)
