"""What residents say of their purchases: that held ones are theirs or not, that one is to be erased,
or is theirs by the code on its receipt."""

from collections.abc import Sequence
from datetime import datetime

from apps.accruals.operations.answering import Answered, answer
from apps.accruals.operations.claiming import claim_purchase
from apps.accruals.operations.withdrawing import withdraw
from apps.portal.viewer import Viewer


def answer_own(viewer: Viewer, purchases: Sequence[tuple[int, int]], *, confirm: bool, at: datetime) -> list[Answered]:
    """Confirm or deny held purchases. Raises what `answer` raises: PurchaseMissing for another's."""
    return answer(viewer.ref, purchases, confirm=confirm, now=at, actor=viewer.actor)


def withdraw_own(viewer: Viewer, terminal_id: int, seq: int, *, at: datetime) -> None:
    """Withdraw a purchase. Raises PurchaseMissing for another's as well, TooLateToWithdraw."""
    withdraw(viewer.ref, terminal_id, seq, now=at, actor=viewer.actor)


def claim_own(viewer: Viewer, code: str, *, at: datetime) -> tuple[int, int]:
    """Make a purchase the resident's by its code. Returns terminal and number. Raises what `claim_purchase` raises."""
    return claim_purchase(viewer.ref, code, now=at, actor=viewer.actor)
