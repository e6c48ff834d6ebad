"""A terminal as the server knows it, and what became of enrolling one."""

from dataclasses import dataclass

from kanpu_pos import base64url
from kanpu_pos.shape import (
    UnexpectedAnswerError,
    count_in,
    json_of,
    object_of,
    ranges_in,
    text_in,
    text_or_none,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """Where a terminal stands. `head` is the digest (32 bytes) after its record `next_seq - 1`, if it is sealed.

    `missing` are ranges of seq, both ends included. `closing_agrees` is None while its last closing has not been
    compared, or when there is none.
    """

    code: str
    store: str
    sealed: bool
    next_seq: int
    head: bytes | None
    missing: tuple[tuple[int, int], ...]
    closing_agrees: bool | None
    replaced_by: str | None

    @classmethod
    def from_json(cls, body: bytes) -> "Terminal":
        """Return the terminal of an answer of `GET /v1/terminals/{code}`; raises UnexpectedAnswerError."""
        row = object_of(json_of(body), "answer")
        closing = row.get("last_closing")
        agrees = closing.get("agrees") if isinstance(closing, dict) else None
        return cls(
            code=text_in(row, "code"),
            store=text_or_none(row.get("store")) or "",
            sealed=row.get("sealed") is True,
            next_seq=count_in(row, "next_seq"),
            head=digest_of(row.get("head")),
            missing=ranges_in(row, "missing"),
            closing_agrees=agrees if isinstance(agrees, bool) else None,
            replaced_by=text_or_none(row.get("replaced_by")),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What became of one terminal: `status` is enrolled, exists or rejected. `error_code` says why it is rejected.

    `enrolment_code` is there when it was enrolled without a key: give it to the till, which uses it once.
    """

    code: str
    status: str
    enrolment_code: str | None
    error_code: str | None
    message: str | None

    @classmethod
    def from_row(cls, value: object) -> "Enrolment":
        """Return the enrolment of one object of the results of `POST /v1/terminals`."""
        row = object_of(value, "results")
        error = row.get("error")
        error = error if isinstance(error, dict) else {}
        return cls(
            code=text_or_none(row.get("code")) or "",
            status=text_in(row, "status"),
            enrolment_code=text_or_none(row.get("enrolment_code")),
            error_code=text_or_none(error.get("code")),
            message=text_or_none(error.get("message")),
        )


def digest_of(value: object) -> bytes | None:
    """Return the 32 bytes of a digest in base64url, or None where there is none; raises UnexpectedAnswerError."""
    if value is None:
        return None
    try:
        digest = base64url.decode(value if isinstance(value, str) else "")
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise UnexpectedAnswerError("the answer's 'head' is not 32 bytes of base64url")
    return digest
