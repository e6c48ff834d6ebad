"""The letters that a card is ready, many in one file: one setting of the type for all of them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from apps.kernel.documents.render import DocumentUnprintable, Language, pdf, qr_svg
from apps.residents.notice_codes import grouped

TEMPLATE: Final = Path(__file__).parent / "notice.typ"


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter. `language` comes first on the sheet, the other below; `to_fetch` when the card lies at a window."""

    number: str
    name: str
    postal_code: str
    address: str
    language: Language
    code: str
    to_fetch: bool


@dataclass(frozen=True, slots=True)
class Sender:
    """What is the same in all letters. Without an `office` they name the window of the town hall in general."""

    portal_url: str
    office: str
    sent_date: date
    expires_date: date


def notices_pdf(letters: Sequence[Letter], sender: Sender) -> bytes:
    """The letters, a sheet each, for window envelopes (長形3号), as PDF/UA-1. Raises DocumentUnprintable."""
    return pdf(TEMPLATE, _data(letters, sender))


def unprintable(letters: Sequence[Letter], sender: Sender) -> list[Letter]:
    """Those of the letters that cannot be set."""
    found = []
    for letter in letters:
        try:
            notices_pdf([letter], sender)
        except DocumentUnprintable:
            found.append(letter)
    return found


def activation_address(portal_url: str) -> str:
    """Where a code is typed in."""
    return f"{portal_url.rstrip('/')}/activate"


def _data(letters: Sequence[Letter], sender: Sender) -> dict[str, Any]:
    address = activation_address(sender.portal_url)
    # What follows # stays in the browser: no server's log has the code.
    one_by_one = [
        {**asdict(letter), "code": grouped(letter.code), "qr": qr_svg(f"{address}#{letter.code}")} for letter in letters
    ]
    return {
        "language": "ja",
        "letters": one_by_one,
        "address": address,
        "office": sender.office,
        "date": sender.sent_date.isoformat(),
        "expires_date": sender.expires_date.isoformat(),
    }
