"""psycopg's own connection under Django's: for hot statements, with binary arrays, or several in one trip."""

import random
import re
import select
import time
from collections.abc import Callable, Sequence
from functools import wraps
from itertools import count
from typing import Any, Final, NamedTuple, ParamSpec, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

import psycopg
from django.db import OperationalError, connection
from django.db.models import Expression, Field, Model, QuerySet
from psycopg import sql
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult

from apps.kernel.metrics import REPEATED

P = ParamSpec("P")
R = TypeVar("R")
Cursor = psycopg.Cursor[Any]
Row: TypeAlias = tuple[Any, ...]
M = TypeVar("M", bound=Model)
Value: TypeAlias = str | bytes | int | None  # bytes are in PostgreSQL's binary form, all else is as text

CONFLICTS: Final = ("40001", "40P01")  # serialization_failure, deadlock_detected: nothing was done, and it may be again
ATTEMPTS: Final = 4
FIRST_PAUSE_S: Final = 0.02  # and twice as long each time, of which a random part is waited

FAILED: Final = {ExecStatus.FATAL_ERROR, ExecStatus.PIPELINE_ABORTED, ExecStatus.BAD_RESPONSE}
_numbers = count(1)
_prepared: WeakKeyDictionary[psycopg.Connection[Any], set["Statement"]] = WeakKeyDictionary()


class Statement:
    """A statement that every request makes, with $1, $2, … for its values: prepared once a connection."""

    def __init__(self, text: str) -> None:
        self.text = text.encode()
        self.name = b"kanpu_%d" % next(_numbers)


class Ask(NamedTuple):
    """A statement with its values."""

    statement: Statement
    values: Sequence[Value] = ()


BEGIN: Final = Ask(Statement("BEGIN"))


class Place(Expression):
    """In a query that `sql_of` writes: $1, $2, …, for a value of the field's type that comes later."""

    def __init__(self, number: int, field: "Field[Any, Any]") -> None:
        super().__init__(output_field=field)
        self.number = number

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[str | int, ...]]:  # noqa: ARG002 - Django's signature
        return f"${self.number}::{self.output_field.db_type(connection)}", ()


def sql_of(rows: "QuerySet[Any, Any]") -> str:
    """A query as a Statement's text, its own values written out: Django would write it anew for each request."""
    text, values = rows.query.sql_with_params()
    raw = raw_connection()
    return str(text % tuple(sql.Literal(value).as_string(raw) for value in values))


def from_rows(model: type[M], rows: Sequence[Row]) -> list[M]:
    """The objects in the rows of a statement with all of a model's columns, in its order."""
    fields = model._meta.concrete_fields
    columns = [field.attname for field in fields]
    converters = [(at, convert) for at, field in enumerate(fields) for convert in field.get_db_converters(connection)]
    return [model.from_db(connection.alias, columns, _converted(row, converters)) for row in rows]


def _converted(row: Row, converters: Sequence[tuple[int, Any]]) -> Sequence[Any]:
    values = list(row)
    for at, convert in converters:
        values[at] = convert(values[at], None, connection)
    return values


def raw_connection() -> psycopg.Connection[Any]:
    """The psycopg connection, opened anew if it has gone. Its errors are psycopg's: see `wrap_database_errors`."""
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    return raw


def again_after_conflict(work: Callable[P, R]) -> Callable[P, R]:
    """Do a whole transaction again, a few times, when the server ended it for the sake of another one.

    Not inside another transaction, which only its owner can do again.
    """

    @wraps(work)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(1, ATTEMPTS):
            try:
                return work(*args, **kwargs)
            except OperationalError as error:
                if connection.in_atomic_block or getattr(error.__cause__, "sqlstate", None) not in CONFLICTS:
                    raise
                REPEATED.inc()
            time.sleep(random.random() * FIRST_PAUSE_S * 2**attempt)  # noqa: S311 - so that two do not meet again  # nosec B311
        return work(*args, **kwargs)

    return repeated


def trip(*asked: Ask) -> list[list[Row]]:
    """Make some statements in one trip to the server. Returns each one's rows; none is made after one that failed.

    Inside `atomic` the transaction's start goes with them. psycopg's own pipeline writes to the server for each of its
    statements, and its cursors cost five times what a short statement does (docs/performance.md). Raises Django's
    database errors.
    """
    with connection.wrap_database_errors:
        raw = raw_connection()
        if connection.queries_logged:
            connection.queries_log.extend({"sql": _written_out(ask), "time": "0.000"} for ask in asked)
        begins = not raw.autocommit and raw.pgconn.transaction_status == TransactionStatus.IDLE
        all_asked = (BEGIN, *asked) if begins else asked
        known = _prepared.setdefault(raw, set())
        new = list(dict.fromkeys(ask.statement for ask in all_asked if ask.statement not in known))
        results = _results(raw.pgconn, new, all_asked)
        known.update(one for one, result in zip(new, results, strict=False) if result.status not in FAILED)
        for result in results:
            if result.status in FAILED:
                raise error_from_result(result, encoding=raw.info.encoding)
        return [_rows(raw, result) for result in results[len(new) + begins :]]


def _written_out(ask: Ask) -> str:
    """A statement with its values in it, for who counts or explains what is asked."""
    values = ["NULL" if v is None else "'" + str(v).replace("'", "''") + "'" for v in ask.values]
    return re.sub(r"\$(\d+)", lambda place: values[int(place[1]) - 1], ask.statement.text.decode())


def _results(pgconn: PGconn, new: Sequence[Statement], asked: Sequence[Ask]) -> list[PGresult]:
    """Prepare what is new and make what is asked, in libpq's pipeline mode; the results in this order."""
    pgconn.enter_pipeline_mode()
    try:
        for statement in new:
            pgconn.send_prepare(statement.name, statement.text)
        for statement, values in asked:
            formats = [Format.BINARY if isinstance(value, bytes) else Format.TEXT for value in values]
            pgconn.send_query_prepared(statement.name, [_as_sent(value) for value in values], formats)
        pgconn.pipeline_sync()
        results = _received(pgconn)
        pgconn.exit_pipeline_mode()
    except BaseException:  # cut off on the way, by an interrupt as well: answers that still come are nobody's
        pgconn.finish()
        raise
    return results


def _as_sent(value: Value) -> bytes | None:
    return value if value is None or isinstance(value, bytes) else str(value).encode()


def _received(pgconn: PGconn) -> list[PGresult]:
    """All results up to the pipeline's end; other threads run while the server is at work."""
    ready = select.poll()
    results: list[PGresult] = []
    while True:
        unsent = pgconn.flush()
        while pgconn.is_busy():
            ready.register(pgconn.socket, select.POLLIN | (select.POLLOUT if unsent else 0))
            ready.poll()
            pgconn.consume_input()
            unsent = pgconn.flush()
        result = pgconn.get_result()
        if result is None:  # between two statements
            continue
        if result.status == ExecStatus.PIPELINE_SYNC:
            return results
        results.append(result)


def _rows(raw: psycopg.Connection[Any], result: PGresult) -> list[Row]:
    if not result.ntuples:
        return []
    loading = Transformer(raw)
    loading.set_pgresult(result)
    return loading.load_rows(0, result.ntuples, tuple)
