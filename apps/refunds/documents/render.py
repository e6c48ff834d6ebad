"""A resident's refund statement and the letter of a decision as PDF."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from apps.kernel.documents.render import Language, pdf, qr_svg
from apps.refunds.documents.money import money_text

TEMPLATES: Final = Path(__file__).parent


def statement_pdf(statement: Mapping[str, Any], *, language: Language) -> bytes:
    """The refund statement of a resident and a run ("kanpu refund statement v1") as PDF/UA-1.

    Without `approved_date` it says that it is provisional. From the second run on it shows the difference that is due.
    Raises DocumentUnprintable.
    """
    return pdf(TEMPLATES / "statement.typ", statement_data(statement, language))


def decision_letter_pdf(decision: Mapping[str, Any], *, language: Language) -> bytes:
    """The letter of a decision for a window envelope (長形3号) as PDF/UA-1.

    `amount_minor` is what the decision takes away: the refund refused, the reduction, the refund annulled. Without an
    `addressee` the window shows the resident's reference. Raises DocumentUnprintable.
    """
    return pdf(TEMPLATES / "decision.typ", decision_data(decision, language))


def statement_data(statement: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """What the statement's template reads: the statement, its amounts written out, the root as a QR code."""
    amounts = {name: _money(statement, f"{name}_minor", language) for name in ("due", "entitled", "earlier")}
    lines = [{**line, "spend": _money({**statement, **line}, "spend_minor", language)} for line in statement["lines"]]
    qr = qr_svg(statement["proof"]["root"])
    return {**statement, **amounts, "lines": lines, "qr": qr, "language": language}


def decision_data(decision: Mapping[str, Any], language: Language) -> dict[str, Any]:
    """What the letter's template reads: the decision, its amount written out."""
    return {**decision, "amount": _money(decision, "amount_minor", language), "language": language}


def _money(of: Mapping[str, Any], name: str, language: Language) -> str:
    return money_text(of[name], currency=of["currency"], minor_unit_digits=of["minor_unit_digits"], language=language)
