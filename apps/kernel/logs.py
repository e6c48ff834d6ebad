"""Log lines as JSON, one a line: when, how grave, whose, what, for which request. Pure.

No line can hold what a till, a resident or a clerk sent. Of an exception it has the kind and the place, never the text:
a database's shows the row that it refused. Texts of others' loggers are written without what they fill in, as that may
be an address with a code in it.

A failure that goes on, the database away say, has the whole way to its place once a minute: every line says the place.
"""

import logging
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from traceback import walk_tb
from types import FrameType
from typing import Any, Final

import msgspec

from apps.kernel.errors import KanpuError
from apps.kernel.request_ids import request_id

OURS: Final = ("apps.", "config.")
OUR_FILES: Final = ("apps/", "config/")
FRAMES: Final = 12
FRAMES_AGAIN_S: Final = 60
CAUSES: Final = 3
_encode: Final = msgspec.json.Encoder().encode


class JsonLines(logging.Formatter):
    """A record as one line of JSON: `at` (UTC), `level`, `logger`, `pid`, `message`, and where they are known
    `request_id`, `error`, and what the caller gave as `extra={"fields": {…}}`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told_at: dict[tuple[str, str], float] = {}  # by kind and place: when the way to it was written, in s

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname,
            "logger": record.name,
            "pid": record.process,
            "message": _message(record),
        }
        if number := request_id():
            line["request_id"] = number
        if fields := getattr(record, "fields", None):
            line.update(fields)
        if record.exc_info and record.exc_info[1]:
            line["error"] = self._told(described(record.exc_info[1]), record.created)
        return _encode(line).decode()

    def _told(self, error: dict[str, Any], at_s: float) -> dict[str, Any]:
        """The error, without `frames` if the same had them within the last minute."""
        key = error["type"], error["place"]
        if at_s - self._told_at.get(key, 0) < FRAMES_AGAIN_S:
            return {name: value for name, value in error.items() if name != "frames"}
        self._told_at[key] = at_s
        return error


class WithoutAnswers(logging.Filter):
    """Keeps out what Django says of an answer that has its line already, with the number of its request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether nobody else says it."""
        return "kanpu.request_id" not in getattr(getattr(record, "request", None), "META", ())


def tell_what_is_done() -> None:
    """Write lines of level INFO as well: servers do, except at a terminal. Of a command only what is wrong is told."""
    if not sys.stderr.isatty():
        for name in OURS:
            logging.getLogger(name.rstrip(".")).setLevel(logging.INFO)


def _message(record: logging.LogRecord) -> str:
    if record.name.startswith(OURS):
        return record.getMessage()
    if record.name == "py.warnings":  # the place and the kind, which stand before the text
        return ":".join(str(record.args[0] if isinstance(record.args, tuple) else "").split(":")[:3])
    if status := getattr(record, "status_code", None):  # Django's word for an answer, with the address asked for
        return f"answered {status}"
    return str(record.msg)


def described(error: BaseException) -> dict[str, Any]:
    """What an exception is, the last place in our code on the way to it, the way, without its text; and its causes."""
    causes = [_kind(cause) for cause in _causes(error)]
    frames = [_place(frame, line) for frame, line in walk_tb(error.__traceback__)]
    ours = [place for place in frames if place.startswith(OUR_FILES)] or frames or [""]
    described = {**_kind(error), "place": ours[-1], "frames": frames[-FRAMES:]}
    return described | ({"causes": causes} if causes else {})


def _place(frame: FrameType, line: int) -> str:
    return f"{os.path.relpath(frame.f_code.co_filename)}:{line} {frame.f_code.co_name}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__ or error.__context__
    for _ in range(CAUSES):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__


def _kind(error: BaseException) -> dict[str, str]:
    kind = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "code": error.code if isinstance(error, KanpuError) else "",
        "sqlstate": getattr(error, "sqlstate", None) or "",
        "constraint": getattr(getattr(error, "diag", None), "constraint_name", None) or "",
    }
    return {name: value for name, value in kind.items() if value}
