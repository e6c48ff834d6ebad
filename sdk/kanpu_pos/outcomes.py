"""What became of reported records, read back from the server."""

from dataclasses import dataclass

from kanpu_pos.fields import Lines, Of
from kanpu_pos.shape import UnexpectedAnswerError, count_in, list_of, object_of, text_in, text_or_none


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One record and its `status`: received, counted, held, rejected, waiting, unclaimed or voided.

    `code` and `message` say why a record is held or rejected. `at`, `received_at` and `changed_at` are RFC 3339.
    """

    terminal: str
    seq: int
    kind: str
    at: str
    of: Of | None
    lines: Lines
    status: str
    code: str | None
    message: str | None
    received_at: str | None
    changed_at: str | None

    @classmethod
    def from_row(cls, value: object) -> "Outcome":
        """Return the outcome of one object of `GET /v1/purchases`; raises UnexpectedAnswerError."""
        row = object_of(value, "purchases")
        error = row.get("error")
        error = error if isinstance(error, dict) else {}
        return cls(
            terminal=text_in(row, "terminal"),
            seq=count_in(row, "seq"),
            kind=text_in(row, "kind"),
            at=text_in(row, "at"),
            of=_of(row.get("of")),
            lines=tuple(_pair(line) for line in list_of(row.get("lines"), "lines")),
            status=text_in(row, "status"),
            code=text_or_none(error.get("code")),
            message=text_or_none(error.get("message")),
            received_at=text_or_none(row.get("received_at")),
            changed_at=text_or_none(row.get("changed_at")),
        )


def _of(value: object) -> Of | None:
    if value is None:
        return None
    of = object_of(value, "of")
    return text_in(of, "terminal"), count_in(of, "seq")


def _pair(value: object) -> tuple[str, int]:
    row = object_of(value, "lines")
    amount = row.get("amount")
    if type(amount) is not int:
        raise UnexpectedAnswerError("the answer's 'amount' is not an integer")
    return text_in(row, "tier"), amount
