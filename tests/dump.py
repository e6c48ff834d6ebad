"""A dump of everything a thief could take: the database as text, Redis, logs, answers; and looking for things in it."""

import base64
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import redis
from django.db import connection

# What a value may be made of: a random key, a hash, a token, a name, a number of four digits or more.
WORD: Final = re.compile(r"[A-Za-z0-9_+/=-]{4,}|[^\x00-\x7f]+")


def tables() -> list[str]:
    """All tables of the database that hold rows of their own."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'm') ORDER BY 1"
        )
        return [row[0] for row in cursor.fetchall()]


def rows(table: str) -> list[str]:
    """A table's rows as a dump has them: text, bytes in hex."""
    with connection.cursor() as cursor, cursor.cursor.copy(f"COPY {table} TO STDOUT") as copy:
        return b"".join(copy).decode().splitlines()


def database() -> str:
    """The whole database."""
    return "\n".join(f"{table}\t{row}" for table in tables() for row in rows(table))


def in_redis() -> str:
    """All keys and values of Redis, whatever their kind."""
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as server:
        return "\n".join(f"{key!r} {_value(server, key)!r}" for key in server.scan_iter("*"))


def _value(server: "redis.Redis", key: bytes) -> object:
    readers: dict[str, Callable[[bytes], object]] = {
        "string": server.get,
        "list": lambda name: server.lrange(name, 0, -1),
        "hash": server.hgetall,
        "set": server.smembers,
        "zset": lambda name: server.zrange(name, 0, -1, withscores=True),
        "none": lambda _: None,  # gone since it was listed
    }
    kind = server.type(key)
    return readers[kind if isinstance(kind, str) else kind.decode()](key)


def logs(folder: Path) -> str:
    """All log files of a folder."""
    return "\n".join(path.read_text(errors="replace") for path in sorted(folder.rglob("*.log")))


def spellings(secret: str) -> Iterator[str]:
    """How a text may stand in a dump: as it is, without spaces, its bytes in hex or base64, in several encodings."""
    forms = {secret, re.sub(r"[\s　-]", "", secret)}
    for form in forms:
        yield form
        for encoding in ("utf-8", "cp932", "utf-16-le", "utf-16-be", "utf-32-le"):
            raw = form.encode(encoding, errors="ignore")
            if len(raw) >= 4:
                yield raw.hex()
                yield base64.b64encode(raw).decode().rstrip("=")[:-1]
                yield base64.urlsafe_b64encode(raw).decode().rstrip("=")[:-1]


def found_in(dump: str, secrets: Iterable[str]) -> set[str]:
    """Which secrets stand in a dump, in any spelling."""
    lower = dump.lower()
    return {s for s in secrets if any(form in dump or form.lower() in lower for form in spellings(s) if len(form) >= 4)}


def words(text: str) -> set[str]:
    """All that could be a value."""
    return set(WORD.findall(text))
