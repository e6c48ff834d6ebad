"""A card in software: for tests, demonstrations and simulated shops, where no chip is at hand.

It answers as the chip does. The key that all card keys come from never reaches a till or this library.
"""

import csv
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

from kanpu_pos.errors import KanpuPosError

CARD_ID_BYTES: Final = 16
CARD_KEY_BYTES: Final = 32
MAX_COUNTER: Final = 2**32 - 1
COLUMNS: Final = ("resident_ref", "resident_code", "card_id", "card_key", "valid_from", "valid_until")


class CardError(KanpuPosError, ValueError):
    """A card id, key or counter out of form, or a row of the personalisation file that is."""


class CounterExhaustedError(KanpuPosError):
    """The card has answered 2**32-1 times: it is worn out and has to be replaced."""


def cryptogram(card_key: bytes, context: bytes, counter: int) -> bytes:
    """Return the 16 bytes that prove the card's key: the first half of an HMAC-SHA-256."""
    return hmac.digest(card_key, context + b"\n" + counter.to_bytes(4, "big"), "sha256")[:16]


@dataclass(slots=True)
class VirtualCard:
    """One card; `counter` is that of its last tap, 0 when it is new.

    Keep the counter with the card: one that starts again repeats counters, and the server takes it for a
    clone. A card is tapped by one thread at a time.
    """

    card_id: bytes
    card_key: bytes = field(repr=False)
    counter: int = 0

    def __post_init__(self) -> None:
        if len(self.card_id) != CARD_ID_BYTES or len(self.card_key) != CARD_KEY_BYTES:
            raise CardError(f"a card has an id of {CARD_ID_BYTES} bytes and a key of {CARD_KEY_BYTES}")
        if not (type(self.counter) is int and 0 <= self.counter <= MAX_COUNTER):
            raise CardError(f"a card's counter is an integer from 0 to {MAX_COUNTER}, not {self.counter!r}")

    @classmethod
    def from_hex(cls, card_id: str, card_key: str, *, counter: int = 0) -> "VirtualCard":
        """Return the card of these hex fields; CardError when they are not hex or not of the right length."""
        return cls(_from_hex(card_id, "card_id"), _from_hex(card_key, "card_key"), counter)

    def tap(self, context: bytes) -> bytes:
        """Count the tap and return the card's answer to `context`: id, counter and cryptogram, 36 bytes.

        Raises CounterExhaustedError, and answers nothing, once the counter is at 2**32-1.
        """
        if self.counter >= MAX_COUNTER:
            raise CounterExhaustedError(f"card {self.card_id.hex()} has used its last counter: replace the card")
        self.counter += 1
        return self.card_id + self.counter.to_bytes(4, "big") + cryptogram(self.card_key, context, self.counter)


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalisedCard:
    """A row of the personalisation file: whose card it is, its secrets, and the days it is valid."""

    resident_ref: str
    resident_code: str
    card_id: bytes
    card_key: bytes = field(repr=False)
    valid_from: date
    valid_until: date | None

    def card(self, *, counter: int = 0) -> VirtualCard:
        """Return the card itself; `counter` is that of its last tap."""
        return VirtualCard(self.card_id, self.card_key, counter)


def read_personalisation(path: str | Path) -> Iterator[PersonalisedCard]:
    """Yield the cards of a personalisation file (CSV, UTF-8, hex ids and keys, ISO dates), one row at a time.

    Columns may come in any order and others beside them; an empty `valid_until` is open. Raises CardError,
    which names the line but never a key, for a missing column or a field out of form.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if missing := [name for name in COLUMNS if name not in (rows.fieldnames or ())]:
            raise CardError(f"{path}: the personalisation file lacks the columns {', '.join(missing)}")
        for row in rows:
            try:
                yield _personalised(row)
            except CardError as error:
                raise CardError(f"{path}, line {rows.line_num}: {error}") from None


def _personalised(row: Mapping[str, str | None]) -> PersonalisedCard:
    text = {name: row[name] or "" for name in COLUMNS}
    return PersonalisedCard(
        resident_ref=text["resident_ref"],
        resident_code=text["resident_code"],
        card_id=_from_hex(text["card_id"], "card_id", size=CARD_ID_BYTES),
        card_key=_from_hex(text["card_key"], "card_key", size=CARD_KEY_BYTES),
        valid_from=_from_iso(text["valid_from"], "valid_from"),
        valid_until=_from_iso(text["valid_until"], "valid_until") if text["valid_until"] else None,
    )


def _from_hex(text: str, name: str, *, size: int | None = None) -> bytes:
    try:
        data = bytes.fromhex(text)
    except ValueError:
        raise CardError(f"{name} is not hex") from None
    if size is not None and len(data) != size:
        raise CardError(f"{name} has {len(data)} bytes instead of {size}")
    return data


def _from_iso(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise CardError(f"{name} is not a date such as 2017-04-01: {text!r}") from None
