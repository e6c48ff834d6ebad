"""Who looks at a resident's pages, and what they may do there. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

from apps.residents.acting import Grant

ACTING: Final = "acting"  # of the session: by which of the own grants the user acts, the empty text for oneself
VIEWER: Final = "kanpu.viewer"  # of a request's META, once its guard has let it through


class Right(StrEnum):
    """What a page asks of who opens it. A proxy has each of the first three by itself, the last one nobody else."""

    SEE = "see"
    DISPUTE = "dispute"
    PAYMENT = "payment"
    SELF = "self"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose pages are open (`ref`), and as whom the trail names the one who opened them.

    Who acts for the resident is the resident `agent_ref`, by a `grant`; None for oneself. `unread` messages were there
    when the page was asked for, one more than are shown at most; None where they were not counted yet.
    """

    ref: UUID
    actor: str = "resident"
    agent_ref: UUID | None = None
    grant: Grant | None = None
    unread: int | None = None

    def may(self, right: Right) -> bool:
        """Whether a page that asks for this right is open."""
        return self.grant is None or right in self.grant.rights

    @property
    def rights(self) -> frozenset[str]:
        """All rights of who looks, for pages that leave out what is not allowed."""
        return frozenset(right.value for right in Right if self.may(right))
