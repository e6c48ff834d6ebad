"""Writes the test vectors beside it: `PYTHONPATH=sdk python sdk/vectors/make.py [NAME.json …]`.

All keys are SHA-256 of a name, so everything comes out the same each time, but for the card tokens: HPKE draws a new
key for each, so a new run writes other tokens that open to the same plaintexts.
"""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from batches import batches_document
from card_tokens import card_token_document
from chains import chains_document, signatures_document
from claims import claims_document
from closings import closings_document
from lines import lines_document
from merkle import merkle_document
from statements import statements_document

HERE: Final = Path(__file__).parent
LINE_LENGTH: Final = 120
DOCUMENTS: Final[Mapping[str, Callable[[], dict[str, Any]]]] = {
    "card_token.json": card_token_document,
    "lines.json": lines_document,
    "chains.json": chains_document,
    "signatures.json": signatures_document,
    "closings.json": closings_document,
    "claims.json": claims_document,
    "batches.json": batches_document,
    "merkle.json": merkle_document,
    "statements.json": statements_document,
}


def text_of(value: Any, *, indent: str = "") -> str:
    """Return JSON as the documents are written: what fits on a line is put on one."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or len(indent + line) <= LINE_LENGTH:
        return line
    inner = indent + " "
    if isinstance(value, dict):
        rows = [f"{json.dumps(name)}: {text_of(item, indent=inner)}" for name, item in value.items()]
        return "{\n" + ",\n".join(inner + row for row in rows) + f"\n{indent}}}"
    rows = [text_of(item, indent=inner) for item in value]
    return "[\n" + ",\n".join(inner + row for row in rows) + f"\n{indent}]"


if __name__ == "__main__":
    for name in sys.argv[1:] or DOCUMENTS:
        (HERE / name).write_text(text_of(DOCUMENTS[name]()) + "\n", encoding="utf-8")
