"""A resident's refund statement and the letter of a decision as PDF.

The files are tagged for readers of every kind (PDF/UA-1) and carry their fonts, which come with Python packages: what
the machine has installed does not matter. The same data makes the same bytes: the date of a document is that of the
decision or the approval, never the clock's. Data reaches the templates as JSON, so no name or address is ever markup.

A document takes some 20 ms. Threads may make documents side by side.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import segno
import typst

from apps.kernel.errors import KanpuError
from apps.refunds.documents.money import Language, money_text

TEMPLATES: Final = Path(__file__).parent
FONT_PACKAGES: Final = ("noto_cjk_sans_jp_regular", "noto_cjk_sans_jp_bold")


class DocumentUnprintable(KanpuError):
    """The document cannot be set, mostly because no font has a character of a name. The error names the text."""

    code = "document_unprintable"


def statement_pdf(statement: Mapping[str, Any], *, language: Language) -> bytes:
    """The refund statement of a resident and a run ("kanpu refund statement v1") as PDF/UA-1.

    Without `approved_date` it says that it is provisional. From the second run on it shows the difference that is due.
    Raises DocumentUnprintable.
    """
    return _pdf("statement.typ", statement_data(statement, language))


def decision_letter_pdf(decision: Mapping[str, Any], *, language: Language) -> bytes:
    """The letter of a decision for a window envelope (長形3号) as PDF/UA-1.

    `amount_minor` is what the decision takes away: the refund refused, the reduction, the refund annulled. Without an
    `addressee` the window shows the resident's reference. Raises DocumentUnprintable.
    """
    return _pdf("decision.typ", decision_data(decision, language))


def statement_data(statement: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """What the statement's template reads: the statement, its amounts written out, the root as a QR code."""
    amounts = {name: _money(statement, f"{name}_minor", language) for name in ("due", "entitled", "earlier")}
    lines = [{**line, "spend": _money({**statement, **line}, "spend_minor", language)} for line in statement["lines"]]
    qr = _qr_svg(statement["proof"]["root"])
    return {**statement, **amounts, "lines": lines, "qr": qr, "language": language}


def decision_data(decision: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """What the letter's template reads: the decision, its amount written out."""
    return {**decision, "amount": _money(decision, "amount_minor", language), "language": language}


def _money(of: Mapping[str, Any], name: str, language: Language) -> str:
    return money_text(of[name], currency=of["currency"], minor_unit_digits=of["minor_unit_digits"], language=language)


def _qr_svg(text: str) -> str:
    drawn = BytesIO()
    segno.make(text, micro=False, error="m").save(drawn, kind="svg", xmldecl=False, border=4)
    return drawn.getvalue().decode()


def _pdf(template: str, data: Mapping[str, Any]) -> bytes:
    try:
        return typst.compile(
            TEMPLATES / template,
            root=TEMPLATES,
            font_paths=_fonts(),
            format="pdf",
            pdf_standards="ua-1",
            sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        )
    except typst.TypstError as error:
        raise DocumentUnprintable(f"{error.message}: write that text with other characters") from error


@cache
def _fonts() -> typst.Fonts:
    """The fonts of the packages, and the monospaced one that typst brings; none of the machine's."""
    return typst.Fonts(include_system_fonts=False, font_paths=[str(files(package)) for package in FONT_PACKAGES])
