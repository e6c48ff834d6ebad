"""The printed letters, many in one file."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Final

from apps.kernel.documents.render import Language, pdf, qr_svg
from apps.residents.notice_codes import grouped

TEMPLATE: Final = Path(__file__).parent / "letter.typ"


@dataclass(frozen=True, slots=True)
class Paper:
    """A letter: to whom, in which language first, how much in words for people, and the code."""

    reference: str
    name: str
    postal_code: str
    address: str
    language: Language
    amount: str
    year: int
    code: str


def letters_pdf(papers: Sequence[Paper], *, on: date, valid_until_date: date) -> bytes:
    """The letters, a sheet each, for window envelopes (長形3号), as PDF/UA-1. Raises DocumentUnprintable."""
    letters = [{**asdict(one), "code": grouped(one.code), "qr": qr_svg(one.code)} for one in papers]
    dates = {"date": on.isoformat(), "until": valid_until_date.isoformat()}
    return pdf(TEMPLATE, {"language": "ja", "letters": letters, **dates})
