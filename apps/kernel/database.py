"""psycopg's own connection under Django's: for hot statements, with binary arrays, prepared, or several at a time."""

from collections.abc import Callable
from typing import Any

import psycopg
from django.db import connection

Cursor = psycopg.Cursor[Any]


def raw_connection() -> psycopg.Connection[Any]:
    """The psycopg connection, opened anew if it has gone. Its errors are psycopg's: see `wrap_database_errors`."""
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    raw: psycopg.Connection[Any] = connection.connection
    return raw


def fetch_one(statement: str, values: dict[str, Any]) -> tuple[Any, ...] | None:
    """The first row of a statement that every request makes: prepared once a connection."""
    with connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        return cursor.execute(statement, values, prepare=True).fetchone()


def ask(statement: str) -> Callable[[], list[tuple[Any, ...]]]:
    """Send a statement that every request makes; the function returned waits for its rows.

    Inside a pipeline its answer comes with that of the next one.
    """
    return Cursor(raw_connection()).execute(statement, prepare=True).fetchall
