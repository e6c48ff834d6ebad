"""Who looks at a resident's pages, and what they may do there. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Right(StrEnum):
    """What a page asks of who opens it. A proxy has each of the first three by itself, the last one nobody else."""

    SEE = "see"
    DISPUTE = "dispute"
    PAYMENT = "payment"
    SELF = "self"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose pages are open (`ref`), and as whom the trail names the one who opened them."""

    ref: UUID
    actor: str = "resident"
