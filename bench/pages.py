"""A resident's year page: whether it costs the same beside 20 million entries of others as beside a few thousand."""

import os
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, transaction
from django.utils import timezone

from apps.accruals.models import ArchivePart
from apps.accruals.operations.archiving import render_part, scratch_folder
from apps.accruals.operations.years import start_year
from apps.audit.strength import FACTOR, KEY, OWNER, RECORDS
from apps.merchants.operations import create_merchant, enrol_terminal
from apps.portal.models import Account
from apps.residents.operations import make_keys
from apps.schemes.operations import SHIPPED, load_scheme
from apps.simulator.own_database import make_anew
from apps.simulator.processes import Processes, free_port, web_command
from bench.load import Sent, send
from bench.place import MARKER

YEAR: Final = 2017
FEW: Final = 200_000
A_RESIDENT: Final = 100  # entries, about
OF_THE_HEAVY: Final = 3_000
TERMINALS: Final = 100
CONNECTIONS: Final = 4
A_TURN: Final = 10  # requests to one server before it is the other's turn
YEAR_PAGE: Final = f"/year/{YEAR}"
EMPTY: Final = "/bench/empty"  # a view that does nothing: what the server itself costs
OTHER_PAGES: Final = ("held", "cards", "choices", "registration", "decisions", "accesses")

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


def measure(
    folder: Path, *, entries: int, per_s: float, rounds: int, said: Callable[[str], None]
) -> dict[str, int | float]:
    """Latencies of the page in ms, medians of the rounds, in which the two databases take turns.

    Each round asks for other residents' pages, `per_s` a second. Beside them, a view that does nothing and the other
    pages of residents, and the bytes of an entry in a day's file of the archive.
    """
    requests = min(max(entries // 40_000, A_TURN), FEW // A_RESIDENT // rounds)
    heavy, *readers = _world(entries // A_RESIDENT, requests * rounds, said)
    many = connection.settings_dict["NAME"]
    few = f"{many}_few"
    connection.close()
    make_anew(os.environ["DATABASE_URL"], few, marker=MARKER, template=many)
    for name, number in ((few, FEW), (many, entries)):
        said(f"counting {number:,} entries")
        with _on(name):
            _count(number)
    p50, p99 = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    with ExitStack() as stack:
        started = {name: stack.enter_context(_web(folder / "logs" / name, name)) for name in (few, many)}
        ports = {name: port_when_up() for name, port_when_up in started.items()}
        _by_turns(ports, (readers * 3)[: 3 * A_TURN], 0)  # the processes have read what they keep
        for number in range(rounds):
            for name, sent in _by_turns(ports, readers[number * requests :][:requests], per_s).items():
                p50[name].append(sent.percentile_ms(50))
                p99[name].append(sent.percentile_ms(99))
                said(f"round {number + 1}: {name} p50 {p50[name][-1]} ms, p99 {p99[name][-1]} ms")
        of_heavy = _ask(ports[many], [heavy] * A_TURN, per_s).percentile_ms(50)
        beside = _other_pages(ports[many], readers[: min(max(entries // 25_000, A_TURN), 200)], per_s)
    return {
        "page_entries": entries,
        "page_p99_ms": round(statistics.median(p99[many]), 1),
        "page_p99_ms_200k": round(statistics.median(p99[few]), 1),
        "page_ratio": _ratio(p99[many], p99[few]),
        "page_p50_ms": round(statistics.median(p50[many]), 1),
        "page_p50_ratio": _ratio(p50[many], p50[few]),
        "page_p50_ms_3000_purchases": of_heavy,
        **beside,
        "parquet_bytes_per_purchase": _bytes_in_archive(folder),
    }


def _by_turns(ports: Mapping[str, int], sessions: Sequence[str], per_s: float) -> dict[str, Sent]:
    """These readers' pages from each server, some at a time by turns, so that both meet the same noise."""
    sent = {name: Sent() for name in ports}
    for first in range(0, len(sessions), A_TURN):
        for name, port in ports.items():
            sent[name].latencies_s += _ask(port, sessions[first : first + A_TURN], per_s).latencies_s
    return sent


def _other_pages(port: int, sessions: Sequence[str], per_s: float) -> dict[str, float]:
    """What residents' other pages and an empty view take, in ms, by turns with the year page."""
    paths = {"empty": EMPTY, "page": YEAR_PAGE} | {name: f"/{name}" for name in OTHER_PAGES}
    _ask(port, sessions[:A_TURN], per_s, EMPTY)
    sent = {name: Sent() for name in paths}
    for first in range(0, len(sessions), A_TURN):
        for name, path in paths.items():
            sent[name].latencies_s += _ask(port, sessions[first : first + A_TURN], per_s, path).latencies_s
    page = sent.pop("page")  # whose own figures are those of a first look
    figures = {f"{name}_p{percent}_ms": sent[name].percentile_ms(percent) for name in sent for percent in (50, 99)}
    return figures | {"page_to_empty": round(page.percentile_ms(50) / sent["empty"].percentile_ms(50), 1)}


def _ratio(many: Sequence[float], few: Sequence[float]) -> float:
    return round(statistics.median(m / f for m, f in zip(many, few, strict=True)), 2)


def _world(residents: int, readers: int, said: Callable[[str], None]) -> list[str]:
    """A year, terminals, residents in households; who signs in. Returns the sessions of the first residents."""
    said(f"registering {residents:,} residents, signing in {readers:,}")
    now = timezone.now()
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=now, actor="bench")
    start_year(YEAR, version, deadline=now.date() + timedelta(days=700), at=now, actor="bench")
    keyring, vault = Path(str(settings.KANPU_KEYRING)), Path(str(settings.KANPU_VAULT_KEYS))
    make_keys(keyring, vault_path=vault, seal_until=now + timedelta(days=30), at=now, actor="bench")
    merchant, _ = create_merchant("Bench", at=now, actor="bench")
    with transaction.atomic():
        for number in range(TERMINALS):
            enrol_terminal(merchant, f"bench-{number}", store_name=f"Store {number // 5}", at=now, actor="bench")
    with connection.cursor() as cursor:
        cursor.execute(REGISTER, {"residents": residents})
        cursor.execute("SELECT md5(n::text)::uuid FROM generate_series(0, %s) n ORDER BY n", [readers])
        refs = [ref for (ref,) in cursor.fetchall()]
    users = User.objects.bulk_create(User(username=f"reader-{n}", password=f"!{n}") for n in range(len(refs)))
    Account.objects.bulk_create(Account(user=u, resident_ref=ref) for u, ref in zip(users, refs, strict=True))
    with transaction.atomic():
        return [_session_of(user) for user in users]


def _session_of(user: User) -> str:
    """A session as signing in with two factors makes it."""
    session = SessionStore()
    session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), settings.AUTHENTICATION_BACKENDS[-1]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session[OWNER], session[RECORDS] = str(user.pk), [{"method": FACTOR, "type": KEY, "at": time.time()}]
    session.create()
    return str(session.session_key)


@contextmanager
def _on(name: str) -> Iterator[None]:
    """Django's connection goes to this database of the server, while the block runs."""
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


def _count(entries: int) -> None:
    """A year of entries and its totals, as two workers would have left them, its indexes made at the end."""
    _query("ALTER TABLE accruals_entry DETACH PARTITION accruals_entry_2017")
    _query("DROP TABLE accruals_entry_2017")
    _query("CREATE TABLE accruals_entry_2017 (LIKE accruals_entry INCLUDING DEFAULTS INCLUDING CONSTRAINTS)")
    address = f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{connection.settings_dict['NAME']}"
    a_day = entries // 365
    halves = [threading.Thread(target=_enter, args=(address, a_day, *days)) for days in ((1, 182), (183, 365))]
    for half in halves:
        half.start()
    for half in halves:
        half.join()
    _query("ALTER TABLE accruals_entry ATTACH PARTITION accruals_entry_2017 FOR VALUES IN (2017)")
    _query("SET work_mem = '512MB'")
    _query(TOTALS)
    _query("VACUUM ANALYZE")
    counted = _query(
        "SELECT (SELECT count(*) FROM accruals_entry), (SELECT sum(p) FROM accruals_total, unnest(purchases) p)"
    )
    assert counted[0] == a_day * 365 <= counted[1], counted


def _enter(address: str, a_day: int, first: int, last: int) -> None:
    """The entries of some of the year's days, over a connection of its own."""
    with psycopg.connect(address) as own:
        own.execute(
            ENTRIES,
            {
                "a_day": a_day, "first": first, "last": last, "terminals": TERMINALS,
                "residents": max(a_day * 365 // A_RESIDENT, 1), "heavy": OF_THE_HEAVY // 365,
            },
        )  # fmt: skip


@contextmanager
def _web(logs: Path, database: str) -> Iterator[Callable[[], int]]:
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


def _ask(port: int, sessions: Sequence[str], per_s: float, path: str = YEAR_PAGE) -> Sent:
    """Each reader's page at a steady rate. Raises SystemExit on any answer that is not the page."""
    lanes = [[_request(session, path) for session in sessions[lane::CONNECTIONS]] for lane in range(CONNECTIONS)]
    sent = send(port, lanes, per_s=per_s)
    if sent.wrong:
        raise SystemExit(f"{len(sent.wrong)} answers were no page, the first: {sent.wrong[0]}")
    return sent


def _request(session: str, path: str) -> bytes:
    cookie = f"{settings.SESSION_COOKIE_NAME}={session}"
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Language: ja\r\nCookie: {cookie}\r\n\r\n".encode()


def _bytes_in_archive(folder: Path) -> float:
    """Bytes an entry of a day's part in the archive's files: residents' references hardly repeat in one."""
    part = ArchivePart(tax_year=YEAR, part=100, run=1)
    with scratch_folder(folder / "archive") as scratch:
        files = render_part(part, scratch)
    size, entries = (sum(int(file[name]) for file in files) for name in ("bytes", "entries"))
    return round(size / entries, 1)


def _query(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone() if cursor.description else None
