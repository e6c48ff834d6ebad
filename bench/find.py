"""Finding among 20 million entries: whether any two filters answer the first page soon enough."""

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, transaction

from apps.audit.officers import Role
from apps.audit.operations.officers import appoint_officer
from apps.console.opened import SEARCHING
from apps.merchants.operations import create_merchant, enrol_terminal
from bench.entries import A_RESIDENT, YEAR, begin, count_entries, query, register, session_of, web_server

TERMINALS: Final = 2_000
A_MERCHANT: Final = 5  # terminals
REGIONS: Final = 47
# Beside plain sales: returns, and few sales that are large; some of them came late, in the next run.
OTHERS: Final = """
INSERT INTO accruals_entry_2017 (at, card, counter, resident_ref, terminal_id, seq, of_terminal_id, of_seq, tax_year,
                                 run, part, month, kind, tiers, amounts_minor)
SELECT at, card, counter, resident_ref, terminal_id, seq + 1000000000,
       CASE WHEN counter % 10 > 0 THEN terminal_id END, CASE WHEN counter % 10 > 0 THEN seq END, tax_year,
       1 + (counter % 5 = 0)::int, 366, month, CASE WHEN counter % 10 > 0 THEN 'return' ELSE 'sale' END, tiers,
       ARRAY(SELECT u.amount * CASE WHEN counter % 10 > 0 THEN -1 ELSE 100 END FROM unnest(amounts_minor) u (amount))
FROM accruals_entry_2017 WHERE hashint8(counter) % 100 = 0 ORDER BY counter
"""


# What each filter is asked for in a round, so that no two rounds ask for the same.
FILTERS: Final[dict[str, Callable[[int], dict[str, object]]]] = {
    "week": lambda n: {"since": f"2017-{n % 12 + 1:02d}-08T00:00", "before": f"2017-{n % 12 + 1:02d}-15T00:00"},
    "hour": lambda n: {"since": f"2017-{n % 12 + 1:02d}-03T12:00", "before": f"2017-{n % 12 + 1:02d}-03T13:00"},
    "large amounts": lambda n: {"least_minor": 100_000 + n},
    "one amount": lambda n: {"least_minor": 1_234 + n, "most_minor": 1_234 + n},
    "usual amounts": lambda n: {"least_minor": 2_000 + n},
    "tier": lambda n: {"tier": ("standard", "reduced")[n % 2]},
    "kind": lambda n: {"kind": ("return", "sale", "claimed")[n % 3]},
    "merchant": lambda n: {"merchant": f"Merchant {n * 7 % 400:03d}"},
    "region": lambda n: {"region": f"{n % REGIONS + 1:02d}"},
    "terminal": lambda n: {"terminal": f"bench-{n * 11 % 400:03d}-{n % A_MERCHANT}"},
    "numbers": lambda n: {"first_seq": 5_000 + n, "last_seq": 5_004 + n},
    "resident": lambda n: {"resident": hashlib.md5(str(n).encode(), usedforsecurity=False).hexdigest()},
    "run": lambda n: {"run": n % 2 + 1},
}


class Took(NamedTuple):
    """What a search's first page took, and whether time was up before it was full."""

    ms: float
    is_partial: bool


def measure(folder: Path, *, entries: int, rounds: int, said: Callable[[str], None]) -> Iterator[str]:
    """What each pair of filters takes through HTTP, in ms, the worst last; and what indexes take of an entry."""
    yield from ask_pairs(folder, fill(entries, said), entries=entries, rounds=rounds)


def ask_pairs(folder: Path, session: str, *, entries: int, rounds: int) -> Iterator[str]:
    """The same of a database that is filled."""
    took = dict[str, list[Took]]()
    with web_server(folder / "logs", str(connection.settings_dict["NAME"])) as port_when_up:
        server = HTTPConnection("127.0.0.1", port_when_up())
        _ask(server, session, [{"year": YEAR}] * 5)
        for pair in itertools.combinations(FILTERS, 2):
            both = [[FILTERS[name](n) for name in pair] for n in range(rounds)]
            if not set(both[0][0]) & set(both[0][1]):
                took[" + ".join(pair)] = _ask(server, session, [{"year": YEAR, **one, **other} for one, other in both])
    for pair_name, times in sorted(took.items(), key=lambda it: max(it[1])):
        partial = sum(one.is_partial for one in times)
        yield f"{pair_name:<32} {_percentiles(times)}" + (f"  {partial} of {rounds} in part" if partial else "")
    yield f"{'all':<32} {_percentiles([one for times in took.values() for one in times])}"
    yield from _sizes(entries)


def _percentiles(times: Sequence[Took]) -> str:
    ordered = sorted(one.ms for one in times)
    p50, p99 = (ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] for percent in (50, 99))
    return f"p50 {p50:>6.0f} ms  p99 {p99:>6.0f} ms  most {ordered[-1]:>6.0f} ms"


def _ask(server: HTTPConnection, session: str, searches: Sequence[Mapping[str, object]]) -> list[Took]:
    """Each search's first page, one after the other. Raises SystemExit on any answer that is not the page."""
    headers, took = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session}", "Accept-Language": "en"}, []
    for search in searches:
        begun_s = time.perf_counter()
        server.request("GET", f"/console/find/purchases?{urlencode(search)}", headers=headers)
        answer = server.getresponse()
        page = answer.read()
        took.append(Took((time.perf_counter() - begun_s) * 1000, b"looked back as far as" in page))
        if answer.status != 200 or b'role="status"' not in page:
            raise SystemExit(f"No page of {search}: {answer.status} {page[:300]!r}")
    return took


def _sizes(entries: int) -> Iterator[str]:
    """What the table and each index take, in bytes an entry."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_relation_size(oid) FROM pg_class WHERE relname LIKE 'accruals_entry_2017%%' ORDER BY 1"
        )
        for name, size in cursor.fetchall():
            yield f"{name:<56}{size / entries:>8.2f} bytes an entry"


def fill(entries: int, said: Callable[[str], None]) -> str:
    """So many entries of a whole country's tills. Returns the session of an auditor."""
    said(f"registering {entries // A_RESIDENT:,} residents and {TERMINALS:,} tills")
    now = begin()
    register(entries // A_RESIDENT)
    with transaction.atomic():
        _tills(now)
    said(f"counting {entries:,} entries")
    count_entries(entries, terminals=TERMINALS)
    query(OTHERS)
    query("VACUUM ANALYZE accruals_entry_2017")
    appoint_officer("finder", add=[Role.AUDITOR], office="Bench", password="a-long-enough-one", at=now, actor="bench")
    session = SessionStore(session_of(User.objects.get(username="finder")))
    session[SEARCHING] = [Role.AUDITOR, "check", "", False, (now + timedelta(days=1)).isoformat()]
    session.save()
    return str(session.session_key)


def _tills(now: datetime) -> None:
    """Five to a merchant, and each merchant in one prefecture."""
    for number in range(TERMINALS // A_MERCHANT):
        merchant, _ = create_merchant(f"Merchant {number:03d}", at=now, actor="bench")
        for till in range(A_MERCHANT):
            code, region = f"bench-{number:03d}-{till}", f"{number % REGIONS + 1:02d}"
            enrol_terminal(merchant, code, store_name=f"Store {till // 2}", region=region, at=now, actor="bench")
