"""Who opens a resident's data, and why. Pure."""

from dataclasses import dataclass
from typing import Final

PURPOSE_LENGTH: Final = 300


@dataclass(frozen=True, slots=True)
class Access:
    """Who is about to read, in which role and for which office, for what purpose and case."""

    actor: str
    role: str
    office: str
    purpose: str
    case: str = ""
