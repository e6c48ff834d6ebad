"""What became of the records: the server's answer, checked against what was sent."""

import json
import re
from dataclasses import dataclass
from typing import Final

from kanpu_pos.errors import KanpuPosError

_REJECTED: Final = "rejected"
_DUPLICATE: Final = "duplicate"
_POSITION = re.compile(r"purchases\[([0-9]+)\]")


class UnexpectedAnswerError(KanpuPosError):
    """An answer that is not the protocol's. Its batch is not counted; sending it again does no harm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A record refused for good, its seq spent. `index` and `param` count from what was passed in."""

    index: int
    seq: int | None
    code: str
    param: str | None
    message: str
    doc_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The fate of the `count` acknowledged records from position `first_index` on: each is in exactly one of
    three.

    `accepted` are newly durable. `duplicates` the server had already taken, among them those of a batch whose first
    answer was lost. `rejected` are refused and stored with their reason, now or when they first came. `next_seq` and
    `missing` (ranges of seq, both ends included, at most 100) are the terminal's after the last batch; `next_seq` is
    None when nothing was sent.
    """

    first_index: int = 0
    count: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: tuple[Rejected, ...] = ()
    next_seq: int | None = None
    missing: tuple[tuple[int, int], ...] = ()

    def followed_by(self, later: "Report") -> "Report":
        """Return the report of both, `later` being of the records that follow."""
        return Report(
            first_index=self.first_index,
            count=self.count + later.count,
            accepted=self.accepted + later.accepted,
            duplicates=self.duplicates + later.duplicates,
            rejected=self.rejected + later.rejected,
            next_seq=later.next_seq,
            missing=later.missing,
        )


def parse_report(body: bytes, *, first_index: int, count: int) -> Report:
    """Return the report that answers a batch of `count` records starting at `first_index`.

    Raises UnexpectedAnswerError when it has not the protocol's shape or does not add up to `count`.
    """
    answer = _object(_json(body), "answer")
    terminal = _object(answer.get("terminal"), "terminal")
    rows = [_object(row, "results") for row in _list(answer.get("results"), "results")]
    refused_before = [row for row in rows if row.get("status") == _DUPLICATE and "error" in row]
    report = Report(
        first_index=first_index,
        count=count,
        accepted=_count(answer, "accepted"),
        duplicates=_count(answer, "duplicates") - len(refused_before),
        rejected=_rejections(rows, first_index=first_index, count=count),
        next_seq=_count(terminal, "next_seq"),
        missing=tuple(_range(pair) for pair in _list(terminal.get("missing"), "missing")),
    )
    _check_sums(report, rejected_count=_count(answer, "rejected") + len(refused_before))
    return report


def shifted_param(param: str | None, first_index: int) -> str | None:
    """Return `param`, such as `purchases[0].at`, with the position in all records, not in the batch."""
    if param is None:
        return None
    return _POSITION.sub(lambda match: f"purchases[{int(match[1]) + first_index}]", param, count=1)


def text_or_none(value: object) -> str | None:
    """Return a JSON value if it is a string."""
    return value if isinstance(value, str) else None


def _check_sums(report: Report, *, rejected_count: int) -> None:
    answered = report.accepted + report.duplicates + rejected_count
    if answered != report.count or rejected_count != len(report.rejected):
        raise UnexpectedAnswerError(
            f"{report.count} records were sent, but the answer says {report.accepted} accepted, "
            f"{report.duplicates} duplicates and {rejected_count} rejected, and names {len(report.rejected)}"
        )
    if len({rejected.index for rejected in report.rejected}) != rejected_count:
        raise UnexpectedAnswerError("the answer rejects one record twice")


def _rejections(rows: list[dict[str, object]], *, first_index: int, count: int) -> tuple[Rejected, ...]:
    """What is refused now, and what was refused when it came first: that answer may have been lost."""
    refused = [row for row in rows if row.get("status") == _REJECTED or "error" in row]
    return tuple(_rejection(row, first_index=first_index, count=count) for row in refused)


def _rejection(row: dict[str, object], *, first_index: int, count: int) -> Rejected:
    index, seq = _count(row, "index"), row.get("seq")
    if index >= count:
        raise UnexpectedAnswerError(f"the answer rejects record {index} of a batch of {count}")
    error = _object(row.get("error"), "error")
    return Rejected(
        index=first_index + index,
        seq=seq if type(seq) is int else None,
        code=text_or_none(error.get("code")) or "",
        param=shifted_param(text_or_none(error.get("param")), first_index),
        message=text_or_none(error.get("message")) or "",
        doc_url=text_or_none(error.get("doc_url")),
    )


def _json(body: bytes) -> object:
    try:
        value: object = json.loads(body)
    except ValueError:
        raise UnexpectedAnswerError(f"the answer is not JSON: {body[:80]!r}") from None
    return value


def _object(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise UnexpectedAnswerError(f"the answer's {name!r} is not an object")
    return value


def _list(value: object, name: str) -> list[object]:
    if not isinstance(value, list):
        raise UnexpectedAnswerError(f"the answer's {name!r} is not a list")
    return value


def _count(row: dict[str, object], name: str) -> int:
    value = row.get(name)
    if not (type(value) is int and value >= 0):
        raise UnexpectedAnswerError(f"the answer's {name!r} is not a count")
    return value


def _range(pair: object) -> tuple[int, int]:
    match pair:
        case [int(low), int(high)] if low <= high:
            return low, high
    raise UnexpectedAnswerError("the answer's 'missing' holds something that is not a range")
