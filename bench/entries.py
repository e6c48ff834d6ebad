"""A year of made-up entries in a database of its own, as workers would have left them, and who signs in to look."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection
from django.utils import timezone

from apps.accruals.operations.years import start_year
from apps.audit.strength import FACTOR, KEY, OWNER, RECORDS
from apps.residents.operations import make_keys
from apps.schemes.operations import SHIPPED, load_scheme
from apps.simulator.processes import Processes, free_port, web_command

YEAR: Final = 2017
A_RESIDENT: Final = 100  # entries, about
OF_THE_HEAVY: Final = 3_000

REGISTER: Final = """
INSERT INTO residents_resident (ref, mode, resident_from, municipality, language, is_protected)
SELECT md5(n::text)::uuid, 'live', '2010-04-01', '131121', 'ja', false FROM generate_series(0, %(residents)s - 1) n;
INSERT INTO residents_membership (resident_id, household_ref, valid, is_head)
SELECT md5(n::text)::uuid, md5('home' || n / 3)::uuid, '[2010-04-01,)', n %% 3 = 0
FROM generate_series(0, %(residents)s - 1) n
"""
# As entries come: day after day, each day's from all over the country.
ENTRIES: Final = """
INSERT INTO accruals_entry_2017 (at, card, counter, resident_ref, terminal_id, seq, tax_year, run, part, month, kind,
                                 tiers, amounts_minor)
SELECT starts_at + (25200 + (hashint8(i + 1) & 32767)) * interval '1 second', n, i, md5(n::text)::uuid,
       till + 1, i / %(terminals)s::int8 + 1 + till * 7919 %% 40000, 2017, 1, day, month, 'sale',
       CASE WHEN i %% 3 = 0 THEN ARRAY['reduced', 'standard'] ELSE ARRAY['reduced'] END,
       CASE WHEN i %% 3 = 0 THEN ARRAY[100 + i %% 3001, 50 + i %% 907] ELSE ARRAY[100 + i %% 3001] END
FROM (SELECT day, timestamptz '2017-01-01 00:00+09' + (day - 1) * interval '1 day' AS starts_at,
             extract(month FROM date '2017-01-01' + day - 1) AS month
      FROM generate_series(%(first)s::int4, %(last)s::int4) day) d,
     generate_series(0, %(a_day)s::int8 - 1) k,
     LATERAL (SELECT day * %(a_day)s::int8 + k AS i) number,
     LATERAL (SELECT i %% %(terminals)s::int8 AS till, CASE WHEN k < %(heavy)s::int8 THEN 0
                     ELSE (hashint8(i)::int8 + 2147483648) %% %(residents)s::int8 END AS n) who
"""
MONTHS: Final = [f"FILTER (WHERE month = {month})" for month in range(1, 13)]
TOTALS: Final = f"""
INSERT INTO accruals_total (resident_ref, tax_year, run, tier, amounts_minor, purchases)
SELECT resident_ref, 2017, 1, u.tier, ARRAY[{", ".join(f"coalesce(sum(u.amount) {month}, 0)" for month in MONTHS)}],
       ARRAY[{", ".join(f"count(*) {month}" for month in MONTHS)}]
FROM accruals_entry_2017, unnest(tiers, amounts_minor) u (tier, amount) GROUP BY resident_ref, u.tier
"""


def begin() -> datetime:
    """The year and the keys of an empty database. Returns the time that it says."""
    now = timezone.now()
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=now, actor="bench")
    start_year(YEAR, version, deadline=now.date() + timedelta(days=700), at=now, actor="bench")
    keyring, vault = Path(str(settings.KANPU_KEYRING)), Path(str(settings.KANPU_VAULT_KEYS))
    make_keys(keyring, vault_path=vault, seal_until=now + timedelta(days=30), at=now, actor="bench")
    return now


def register(residents: int) -> None:
    """So many residents, three in a household."""
    query(REGISTER, {"residents": residents})


@contextmanager
def on_database(name: str) -> Iterator[None]:
    """Django's connection goes to this database of the server, while the block runs."""
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


def count_entries(entries: int, *, terminals: int) -> None:
    """A year of entries and its totals, as two workers would have left them, its indexes made at the end."""
    query("ALTER TABLE accruals_entry DETACH PARTITION accruals_entry_2017")
    query("DROP TABLE accruals_entry_2017")
    query("CREATE TABLE accruals_entry_2017 (LIKE accruals_entry INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    address = f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{connection.settings_dict['NAME']}"
    a_day = entries // 365
    halves = [
        threading.Thread(target=_enter, args=(address, a_day, terminals, *days)) for days in ((1, 182), (183, 365))
    ]
    for half in halves:
        half.start()
    for half in halves:
        half.join()
    query("ALTER TABLE accruals_entry ATTACH PARTITION accruals_entry_2017 FOR VALUES IN (2017)")
    query("SET work_mem = '512MB'")
    query(TOTALS)
    query("VACUUM ANALYZE")
    query("CHECKPOINT")  # what was written is on the disk: readers share it with nobody, as on any other day
    counted = query(
        "SELECT (SELECT count(*) FROM accruals_entry), (SELECT sum(p) FROM accruals_total, unnest(purchases) p)"
    )
    assert counted[0] == a_day * 365 <= counted[1], counted


def _enter(address: str, a_day: int, terminals: int, first: int, last: int) -> None:
    """The entries of some of the year's days, over a connection of its own."""
    with psycopg.connect(address) as own:
        own.execute(
            ENTRIES,
            {
                "a_day": a_day, "first": first, "last": last, "terminals": terminals,
                "residents": max(a_day * 365 // A_RESIDENT, 1), "heavy": OF_THE_HEAVY // 365,
            },
        )  # fmt: skip


@contextmanager
def web_server(logs: Path, database: str) -> Iterator[Callable[[], int]]:
    """A web server of its own on a database. Yields what waits for it and returns its port."""
    processes, port, address = Processes(Path(settings.BASE_DIR), logs), free_port(), os.environ["DATABASE_URL"]
    os.environ["DATABASE_URL"] = address.rpartition("/")[0] + f"/{database}"
    try:
        processes.start("web", web_command(port), with_keys=False)
    finally:
        os.environ["DATABASE_URL"] = address

    def when_up() -> int:
        processes.wait_for(f"http://127.0.0.1:{port}/v1/keys")
        return port

    try:
        yield when_up
    finally:
        processes.stop()


def session_of(user: User) -> str:
    """A session as signing in with two factors makes it."""
    session = SessionStore()
    session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), settings.AUTHENTICATION_BACKENDS[-1]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session[OWNER], session[RECORDS] = str(user.pk), [{"method": FACTOR, "type": KEY, "at": time.time()}]
    session.create()
    return str(session.session_key)


def query(statement: str, parameters: Mapping[str, Any] | None = None) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchone() if cursor.description else None
