"""What the application's role may do in PostgreSQL: everything its work needs, but never change the trail."""

from typing import Final

from django.db import connection, transaction
from psycopg import sql

from apps.audit.models import AccessRecord, Checkpoint, Event, LogEntry

APPEND_ONLY: Final = tuple(model._meta.db_table for model in (Event, AccessRecord, LogEntry, Checkpoint))


@transaction.atomic
def grant_application(role: str) -> list[str]:
    """Give a role rows of all tables, and of append-only ones only to read and add. Returns those."""
    named = sql.Identifier(role)
    statements = [
        "GRANT USAGE ON SCHEMA public TO {role}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
        *(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {{role}}" for table in APPEND_ONLY),
    ]
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(sql.SQL(statement).format(role=named).as_string())
    return list(APPEND_ONLY)
