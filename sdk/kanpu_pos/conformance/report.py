"""The signed report of a run: what was played, with what outcome, and where the kit's terminals stood at the end.

`{"report": …, "terminal": …, "signature": …}`: the report is JSON as text, with sorted keys and no spaces; the
signature is Ed25519 over its UTF-8 bytes, with the key that the server knows of that terminal.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from kanpu_pos import base64url
from kanpu_pos.conformance.terminals import TestTerminal
from kanpu_pos.errors import KanpuPosError

PASSED: Final = "passed"
FAILED: Final = "failed"


class ReportError(KanpuPosError, ValueError):
    """A report that is none, or whose signature is not by the given key."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one case. `request_ids` are those of its requests, `shown` the exchange that failed it."""

    group: str
    name: str
    source: str
    request_ids: Sequence[str]
    expected: str = ""
    answered: str = ""
    shown: str = ""

    @property
    def passed(self) -> bool:
        """Whether it holds."""
        return not self.expected

    def as_json(self) -> dict[str, object]:
        """The outcome as it stands in the report."""
        row: dict[str, object] = {"group": self.group, "name": self.name, "source": self.source}
        row |= {"outcome": PASSED if self.passed else FAILED, "request_ids": list(self.request_ids)}
        return row if self.passed else {**row, "expected": self.expected, "answered": self.answered}


def canonical(report: dict[str, Any]) -> str:
    """Return a report as the text that is signed."""
    return json.dumps(report, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def terminals_json(terminals: Sequence[TestTerminal]) -> list[dict[str, object]]:
    """Where the kit's sealed terminals stand."""
    return [
        {"code": terminal.code, "next_seq": terminal.sealed_from + len(terminal.lines), "head": base64url.encode(head)}
        for terminal in terminals
        if (head := terminal.head)
    ]


def signed(report: dict[str, Any], terminal: TestTerminal) -> str:
    """Return the file's text: the report signed with the key of a sealed terminal."""
    if terminal.key is None:
        raise ReportError("only a terminal with a key can sign")
    text = canonical(report)
    signature = base64url.encode(terminal.key.sign(text.encode()))
    return json.dumps({"report": text, "terminal": terminal.code, "signature": signature}, indent=1, ensure_ascii=False)


def read_report(path: str | Path, public_key: bytes) -> dict[str, Any]:
    """Return the report in a file, its signature verified with a public key of 32 bytes. Raises ReportError."""
    try:
        envelope = json.loads(Path(path).read_text(encoding="utf-8"))
        text, signature = envelope["report"], base64url.decode(envelope["signature"])
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, text.encode())
        report: dict[str, Any] = json.loads(text)
    except InvalidSignature:
        raise ReportError(f"{path} was changed after it was signed, or signed with another key") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReportError(f"{path} is no conformance report: {error}") from None
    return report
