"""What roles of PostgreSQL may do: the application its work, but never change the trail; an auditor read the trail."""

from typing import Final

from django.db import connection, transaction
from psycopg import sql

from apps.audit.models import AccessRecord, Checkpoint, Event, LogEntry

APPEND_ONLY: Final = tuple(model._meta.db_table for model in (Event, AccessRecord, LogEntry, Checkpoint))
# The log with what checks it, the schemes, the runs with their trees: no purchase, no resident, no account, no key.
READ_BY_AUDITORS: Final = (
    *APPEND_ONLY, "audit_logtile", "audit_loghead", "audit_alarm", "audit_accesscount", "schemes_schemeversion",
    "schemes_datedrate", "schemes_taxyear", "refunds_run", "refunds_step", "refunds_tile", "django_migrations",
)  # fmt: skip


@transaction.atomic
def grant_application(role: str) -> list[str]:
    """Give a role rows of all tables, and of append-only ones only to read and add. Returns those."""
    _execute(
        role,
        "GRANT USAGE ON SCHEMA public TO {role}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
        *(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {{role}}" for table in APPEND_ONLY),
    )
    return list(APPEND_ONLY)


@transaction.atomic
def grant_auditor(role: str) -> list[str]:
    """Let a role read the tables of READ_BY_AUDITORS, and nothing else. Returns those.

    Purchases, residents and refunds are read on the console's pages, where each read is recorded.
    """
    _execute(
        role,
        "GRANT USAGE ON SCHEMA public TO {role}",
        "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}",
        "REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {role}",
        *(f"GRANT SELECT ON {table} TO {{role}}" for table in READ_BY_AUDITORS),
    )
    return list(READ_BY_AUDITORS)


def _execute(role: str, *statements: str) -> None:
    named = sql.Identifier(role)
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(sql.SQL(statement).format(role=named).as_string())
