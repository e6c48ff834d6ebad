"""The parameters of `GET /v1/purchases`, and where the next page starts. Pure."""

import base64
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from apps.kernel.errors import KanpuError
from apps.purchases.following import Key
from apps.purchases.records import MAX_SEQ, instant_of

STATUSES: Final = ("received", "counted", "held", "rejected", "waiting", "unclaimed", "voided")
LIMIT: Final = 100
MAX_LIMIT: Final = 1000


class QueryInvalid(KanpuError):
    """A parameter of the address is none. `param` names it."""

    code = "malformed"

    def __init__(self, param: str, expected: str) -> None:
        super().__init__(f"{param}: {expected}")
        self.param = param


class _Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    terminal_id: int
    seq: int


@dataclass(frozen=True, slots=True)
class PageQuery:
    """What a client asks for: an empty text or None where a parameter is left out."""

    terminal: str
    status: str
    changed_after: datetime | None
    after: Key
    from_seq: int
    limit: int


def read_query(params: dict[str, str]) -> PageQuery:
    """The parameters of the address. Raises QueryInvalid."""
    empty = next((name for name, value in params.items() if not value), None)
    if empty:
        raise QueryInvalid(empty, "a value; leave the parameter out if there is none")
    status = params.get("status", "")
    if status and status not in STATUSES:
        raise QueryInvalid("status", f"one of {', '.join(STATUSES)}")
    from_seq = _number(params, "from_seq", 1, MAX_SEQ)
    if "from_seq" in params and "terminal" not in params:
        raise QueryInvalid("from_seq", "needs a terminal beside it")
    return PageQuery(
        terminal=params.get("terminal", ""),
        status=status,
        changed_after=_time(params, "changed_after"),
        after=read_cursor(params["cursor"]) if params.get("cursor") else Key(0, 0),
        from_seq=from_seq,
        limit=_number(params, "limit", LIMIT, MAX_LIMIT),
    )


def cursor_text(key: Key) -> str:
    """Where the page after this record starts, as an opaque text."""
    return base64.urlsafe_b64encode(msgspec.json.encode(_Cursor(*key))).rstrip(b"=").decode()


def read_cursor(text: str) -> Key:
    """The record after which a page starts. Raises QueryInvalid."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(raw, type=_Cursor)
    except (ValueError, msgspec.MsgspecError):
        cursor = _Cursor(-1, -1)
    if not (0 <= cursor.terminal_id <= MAX_SEQ and 0 <= cursor.seq <= MAX_SEQ):
        raise QueryInvalid("cursor", "not one that an earlier page gave")
    return Key(cursor.terminal_id, cursor.seq)


def _number(params: dict[str, str], name: str, default: int, most: int) -> int:
    text = params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and 1 <= int(text) <= most):
        raise QueryInvalid(name, f"a whole number from 1 to {most:,}")
    return int(text)


def _time(params: dict[str, str], name: str) -> datetime | None:
    text = params.get(name)
    if text is None:
        return None
    at = instant_of(text.replace(" ", "+"))  # a plus sign that was not escaped in the address
    with suppress(OverflowError):
        if at:
            return at.astimezone(UTC)  # the database knows no offset of 16 hours or more
    raise QueryInvalid(name, "an RFC 3339 time with an offset, such as 2017-04-03T09:30:00+09:00")
