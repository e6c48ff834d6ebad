"""A database of one's own on somebody's server: known by its name and its marker, nothing else is touched."""

import secrets

import psycopg

from apps.kernel.errors import KanpuError


class NotOurDatabase(KanpuError):
    """There is a database of that name that bears another marker, or none."""

    code = "not_our_database"


def make_anew(address: str, name: str, *, marker: str, template: str = "template1") -> None:
    """An empty database on the server at `address`, in place of one that bears the marker. Raises NotOurDatabase.

    With `template`, a copy of that database, to which nobody may be connected.
    """
    with psycopg.connect(address, autocommit=True) as server:
        found = server.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", (name,)
        ).fetchone()
        if found and found[0] != marker:
            raise NotOurDatabase(f"The server has a database {name} that was made by somebody else. Rename or drop it.")
        server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        new = f"{name}_{secrets.token_hex(4)}"  # marked before it bears the name, whatever dies in between
        server.execute(f"CREATE DATABASE {new} TEMPLATE {template}")
        server.execute(f"COMMENT ON DATABASE {new} IS '{marker}'")
        server.execute(f"ALTER DATABASE {new} RENAME TO {name}")
