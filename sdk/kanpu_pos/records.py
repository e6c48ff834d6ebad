"""The records a terminal reports. A till stores the bytes of `to_json()`, and sends only those."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final, TypeAlias

from kanpu_pos.fields import (
    MAX_LINES,
    FieldError,
    check_amount,
    check_card_token,
    check_claim,
    check_seq,
    check_tier,
    time_text,
)

Lines: TypeAlias = tuple[tuple[str, int], ...]

ABSENT: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """One sale: what was paid per tax tier, never the items.

    `seq` is the terminal's next number, 1 to 2**31-1, spent for ever. `at` is an aware datetime, or an RFC
    3339 string, which is kept as it is. `lines` are pairs of tier code and amount in minor units, tax
    included: 1 to 50 of them, a tier once. `card` is the reader's token and `claim` the hash of a printed
    claim code: one of them or neither. Raises FieldError, whose `param` names the field.
    """

    kind: ClassVar[str] = "sale"

    seq: int
    at: datetime | str
    lines: Lines
    card: str | None = None
    claim: str | None = None

    def __post_init__(self) -> None:
        check_seq(self.seq)
        time_text(self.at, param="at")
        check_lines(self.lines)
        if self.card is not None and self.claim is not None:
            raise FieldError("claim", "a sale has a card or a claim, not both")
        if self.card is not None:
            check_card_token(self.card)
        if self.claim is not None:
            check_claim(self.claim)

    @property
    def at_text(self) -> str:
        """The time as it is sent: RFC 3339 with an offset."""
        return time_text(self.at, param="at")

    def to_json(self) -> bytes:
        """Return the record as JSON, the same bytes each time: compact ASCII, fields in a fixed order."""
        fields: dict[str, object] = {"seq": self.seq, "at": self.at_text}
        if self.card is not None:
            fields["card"] = self.card
        if self.claim is not None:
            fields["claim"] = self.claim
        fields["lines"] = [{"tier": tier, "amount": amount} for tier, amount in self.lines]
        return json.dumps(fields, separators=(",", ":")).encode("ascii")


Record: TypeAlias = Sale


def line(record: Record) -> str:
    """Return the record's canonical line: two records are the same when their lines are equal byte for byte.

    Six fields joined by newlines, none at the end: seq, at as sent, kind, card or claim or `-`, the record it
    is about or `-`, and the lines as `tier=amount` joined by commas in the order sent.
    """
    payer = record.card or record.claim or ABSENT
    amounts = ",".join(f"{tier}={amount}" for tier, amount in record.lines)
    return "\n".join((str(record.seq), record.at_text, record.kind, payer, ABSENT, amounts))


def check_lines(lines: Lines) -> None:
    """Raise FieldError unless `lines` are 1 to 50 pairs of a tier, each tier once, and an amount."""
    if not (isinstance(lines, tuple) and 1 <= len(lines) <= MAX_LINES):
        raise FieldError("lines", f"give a tuple of 1 to {MAX_LINES} pairs of tier and amount")
    seen: set[str] = set()
    for index, pair in enumerate(lines):
        if not (isinstance(pair, tuple) and len(pair) == 2):
            raise FieldError(f"lines[{index}]", f"{pair!r} is not a pair of tier and amount")
        check_tier(pair[0], param=f"lines[{index}].tier")
        check_amount(pair[1], param=f"lines[{index}].amount")
        if pair[0] in seen:
            raise FieldError(f"lines[{index}].tier", f"{pair[0]!r} stands twice: add its amounts up")
        seen.add(pair[0])
