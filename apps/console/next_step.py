"""Which steps an auditor can take from a run's state."""

from typing import Final

from apps.refunds.models import RunState, StepName

LONG: Final = {"assess": StepName.ASSESS, "verify": StepName.VERIFY}  # a worker does them
NEXT: Final[dict[str, tuple[str, ...]]] = {
    RunState.FROZEN: ("assess", "undo"),
    RunState.ASSESSED: ("verify", "undo"),
    RunState.VERIFIED: ("sign", "undo"),
    RunState.APPROVED: ("pay",),
    RunState.PAYING: ("close",),
}
OF_ANY_RUN: Final = ("pay", "close")  # the others are taken on the newest run only
