"""Documents as files to keep: their names, kinds and bytes. Pure."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from apps.kernel.documents.render import Language
from apps.refunds.documents.render import decision_letter_pdf, statement_pdf


class File(NamedTuple):
    """A file as a browser saves it."""

    name: str
    content_type: str
    content: bytes


def statement_json_file(statement: Mapping[str, Any]) -> File:
    """A refund statement for machines, and for `python -m kanpu_verify`."""
    text = json.dumps(statement, ensure_ascii=False, indent=2)
    return File(f"{_statement_name(statement)}.json", "application/json", f"{text}\n".encode())


def statement_pdf_file(statement: Mapping[str, Any], *, language: Language) -> File:
    """A refund statement for people. Raises DocumentUnprintable."""
    return File(f"{_statement_name(statement)}.pdf", "application/pdf", statement_pdf(statement, language=language))


def letter_file(letter: Mapping[str, Any], *, language: Language) -> File:
    """The letter of a decision. Raises DocumentUnprintable."""
    pdf = decision_letter_pdf(letter, language=language)
    return File(f"kanpu-decision-{letter['number']}.pdf", "application/pdf", pdf)


def _statement_name(statement: Mapping[str, Any]) -> str:
    return f"kanpu-statement-{statement['year']}-{statement['run']}"
