"""What became of the records: the server's answer, checked against what was sent."""

import re
from dataclasses import dataclass
from typing import Final

from kanpu_pos.shape import UnexpectedAnswerError, count_in, json_of, list_of, object_of, ranges_in, text_or_none

_REJECTED: Final = "rejected"
_DUPLICATE: Final = "duplicate"
_POSITION = re.compile(r"purchases\[([0-9]+)\]")


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
    answer = object_of(json_of(body), "answer")
    terminal = object_of(answer.get("terminal"), "terminal")
    rows = [object_of(row, "results") for row in list_of(answer.get("results"), "results")]
    refused_before = [row for row in rows if row.get("status") == _DUPLICATE and "error" in row]
    report = Report(
        first_index=first_index,
        count=count,
        accepted=count_in(answer, "accepted"),
        duplicates=count_in(answer, "duplicates") - len(refused_before),
        rejected=_rejections(rows, first_index=first_index, count=count),
        next_seq=count_in(terminal, "next_seq"),
        missing=ranges_in(terminal, "missing"),
    )
    _check_sums(report, rejected_count=count_in(answer, "rejected") + len(refused_before))
    return report


def shifted_param(param: str | None, first_index: int) -> str | None:
    """Return `param`, such as `purchases[0].at`, with the position in all records, not in the batch."""
    if param is None:
        return None
    return _POSITION.sub(lambda match: f"purchases[{int(match[1]) + first_index}]", param, count=1)


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
    index, seq = count_in(row, "index"), row.get("seq")
    if index >= count:
        raise UnexpectedAnswerError(f"the answer rejects record {index} of a batch of {count}")
    error = object_of(row.get("error"), "error")
    return Rejected(
        index=first_index + index,
        seq=seq if type(seq) is int else None,
        code=text_or_none(error.get("code")) or "",
        param=shifted_param(text_or_none(error.get("param")), first_index),
        message=text_or_none(error.get("message")) or "",
        doc_url=text_or_none(error.get("doc_url")),
    )
