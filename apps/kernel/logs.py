"""Log lines as JSON, one a line: when, how grave, whose, what, for which request. Pure.

No line can hold what a till, a resident or a clerk sent. Of an exception it has the kind and the place, never the text:
a database's shows the row that it refused. Texts of others' loggers are written without what they fill in, as that may
be an address with a code in it.
"""

import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from traceback import walk_tb
from typing import Any, Final

import msgspec

from apps.kernel.errors import KanpuError
from apps.kernel.request_ids import request_id

OURS: Final = ("apps.", "config.")
FRAMES: Final = 12
CAUSES: Final = 3
_encode: Final = msgspec.json.Encoder().encode


class JsonLines(logging.Formatter):
    """A record as one line of JSON: `at` (UTC), `level`, `logger`, `pid`, `message`, and where they are known
    `request_id`, `error`, and what the caller gave as `extra={"fields": {…}}`.
    """

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
            line["error"] = described(record.exc_info[1])
        return _encode(line).decode()


def _message(record: logging.LogRecord) -> str:
    if record.name.startswith(OURS):
        return record.getMessage()
    if record.name == "py.warnings":  # the place and the kind, which stand before the text
        return ":".join(str(record.args[0] if isinstance(record.args, tuple) else "").split(":")[:3])
    if status := getattr(record, "status_code", None):  # Django's word for an answer, with the address asked for
        return f"answered {status}"
    return str(record.msg)


def described(error: BaseException) -> dict[str, Any]:
    """What an exception is and where it was raised, without its text; and what caused it."""
    causes = [_kind(cause) for cause in _causes(error)]
    frames = [
        f"{os.path.relpath(frame.f_code.co_filename)}:{line} {frame.f_code.co_name}"
        for frame, line in walk_tb(error.__traceback__)
    ]
    return {**_kind(error), "frames": frames[-FRAMES:], **({"causes": causes} if causes else {})}


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
