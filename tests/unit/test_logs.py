"""Log lines: JSON with the request's number, and nothing in them that somebody sent."""

import json
import logging
import sys
from uuid import UUID

import psycopg

from apps.kernel.errors import KanpuError
from apps.kernel.logs import JsonLines
from apps.kernel.request_ids import done_for, read_request_id

NUMBER = UUID("6f1c1c0e-2b0a-4f43-9e35-0c1f5a1c9d11")
SECRET = "983205673214"


class Refused(KanpuError):
    code = "refused"


def line_of(name: str, message: str, *args: object, **extra: object) -> dict[str, object]:
    """The line that a logger of that name writes, of the exception that is being handled if there is one."""
    info = sys.exc_info() if sys.exc_info()[1] else None
    record = logging.LogRecord(name, logging.WARNING, "file.py", 1, message, args, info)
    record.__dict__.update(extra)
    text = JsonLines().format(record)
    assert "\n" not in text
    line: dict[str, object] = json.loads(text)
    return line


def test_a_line_says_for_which_request_it_was_written() -> None:
    with done_for(NUMBER):
        line = line_of("apps.purchases", "batch %s", 7, fields={"lane": 3})
    assert (line["message"], line["request_id"], line["lane"]) == ("batch 7", str(NUMBER), 3)
    assert "request_id" not in line_of("apps.purchases", "later")


def test_an_exception_is_told_by_its_kind_and_place_never_by_its_text() -> None:
    try:
        try:
            raise psycopg.errors.UniqueViolation(f"Key (number)=({SECRET}) already exists.")
        except psycopg.Error as error:
            raise Refused(f"{SECRET} is registered already.") from error
    except KanpuError:
        line = line_of("apps.residents", "It failed.")
    assert SECRET not in json.dumps(line)
    told = line["error"]
    assert isinstance(told, dict)
    assert (told["code"], told["type"].rpartition(".")[2]) == ("refused", "Refused")
    assert told["frames"][0].endswith("test_an_exception_is_told_by_its_kind_and_place_never_by_its_text")
    assert told["causes"] == [{"type": "psycopg.errors.UniqueViolation", "sqlstate": "23505"}]


def failure() -> logging.LogRecord:
    try:
        raise OSError(SECRET)
    except OSError:
        return logging.LogRecord("apps.x", logging.ERROR, "file.py", 1, "It failed.", (), sys.exc_info())


def test_the_way_to_a_failure_that_goes_on_is_written_once_a_minute_and_its_place_always() -> None:
    lines, records = JsonLines(), [failure() for _ in range(4)]
    for record, at_s in zip(records, (1000, 1059, 1060, 1061), strict=True):
        record.created = at_s
    told = [json.loads(lines.format(record))["error"] for record in records]
    assert ["frames" in error for error in told] == [True, False, True, False]
    assert all(error["place"].endswith(" failure") for error in told)


def test_two_failures_of_a_kind_at_two_places_both_show_the_way() -> None:
    lines, other = JsonLines(), failure()
    try:
        raise OSError
    except OSError:
        other.exc_info = sys.exc_info()
    assert all("frames" in json.loads(lines.format(record))["error"] for record in (failure(), other))


def test_what_others_loggers_fill_in_is_left_out() -> None:
    assert SECRET not in json.dumps(line_of("somebody.else", "Not Found: %s", f"/mail/stop/{SECRET}"))
    line = line_of("django.request", "%s: %s", "Not Found", f"/mail/stop/{SECRET}", status_code=404)
    assert line["message"] == "answered 404"


def test_of_a_warning_the_place_and_the_kind_are_told() -> None:
    text = f"/site/models.py:12: RuntimeWarning: got {SECRET}\n  warnings.warn("
    assert line_of("py.warnings", "%s", text)["message"] == "/site/models.py:12: RuntimeWarning"


def test_only_a_uuid_is_taken_for_a_requests_number() -> None:
    assert read_request_id(str(NUMBER)) == NUMBER
    assert [read_request_id(text) for text in ("", "x" * 36, "{6f1c1c0e2b0a4f439e350c1f5a1c9d11}", "1\n" * 18)] == [
        None,
        None,
        None,
        None,
    ]
