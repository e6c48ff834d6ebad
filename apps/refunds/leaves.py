"""What a refund commits to: the text that is hashed into the year's Merkle tree, and its salt. Pure.

The salt keeps who holds a neighbour's hash from guessing at amounts; a resident gets the own salt with the statement.
"""

import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from apps.refunds.assessment import Cut
from apps.schemes.rates import RateLine

FORMAT: Final = "kanpu refund statement v1"
NOTHING: Final = "-"
BLOCK: Final = 64  # bytes; RFC 2104 for SHA-256


class Statement(NamedTuple):
    """A refund's numbers in one run, in minor units; `lines` and `cuts` are the texts of `lines_text`, `cuts_text`."""

    year: int
    run: int
    scheme_sha256: str
    resident_ref: UUID
    entitled_minor: int
    earlier_minor: int
    due_minor: int
    lines: str
    cuts: str


def body(statement: Statement) -> bytes:
    """The text of a statement that its leaf commits to, as docs/year-end.md says."""
    return "\n".join(
        (
            FORMAT,
            f"year {statement.year}",
            f"run {statement.run}",
            f"scheme {statement.scheme_sha256}",
            f"resident {statement.resident_ref}",
            f"entitled {statement.entitled_minor}",
            f"earlier {statement.earlier_minor}",
            f"due {statement.due_minor}",
            f"lines {statement.lines}",
            f"cuts {statement.cuts}",
        )
    ).encode()


def line_label(line: RateLine) -> str:
    """How a line is named in the text."""
    return f"{line.tier}:{line.first_month}-{line.last_month}"


def lines_text(lines: Iterable[RateLine], spend_minor: Sequence[int], bases_minor: Sequence[int] | None) -> str:
    """The spend on every line of the year's rules, and what single purchases bring where the scheme asks."""
    bases = [""] * len(spend_minor) if bases_minor is None else [f"/{base}" for base in bases_minor]
    parts = zip(lines, spend_minor, bases, strict=True)
    return ",".join(f"{line_label(line)}={spend}{base}" for line, spend, base in parts) or NOTHING


def cuts_text(cuts: Iterable[Cut]) -> str:
    """What eligibility and limits took away, in units of the rules' denominator."""
    return ",".join(f"{cut.rule}:{cut.period}={cut.before}>{cut.after}" for cut in cuts) or NOTHING


def salt(secret: bytes, resident_ref: UUID) -> bytes:
    """The salt of a resident's leaf: HMAC-SHA-256 under the run's secret."""
    return hmac.digest(secret, resident_ref.bytes, "sha256")


def hmac_pads(secret: bytes) -> tuple[bytes, bytes]:
    """The secret as the inner and the outer pad of HMAC-SHA-256 (RFC 2104), for a database without HMAC.

    The secret has at most 64 bytes.
    """
    key = secret.ljust(BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in key), bytes(byte ^ 0x5C for byte in key)


def leaf(secret: bytes, statement: Statement) -> bytes:
    """The leaf hash (RFC 9162, 2.1.1) of a statement."""
    return hashlib.sha256(b"\0" + salt(secret, statement.resident_ref) + body(statement)).digest()
