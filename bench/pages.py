"""A resident's year page: whether it costs the same beside 20 million entries of others as beside a few thousand."""

import os
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction

from apps.accruals.models import ArchivePart
from apps.accruals.operations.archiving import render_part, scratch_folder
from apps.merchants.operations import create_merchant, enrol_terminal
from apps.portal.models import Account
from apps.simulator.own_database import make_anew
from bench.entries import A_RESIDENT, YEAR, begin, count_entries, on_database, register, session_of, web_server
from bench.load import Sent, send
from bench.place import MARKER

FEW: Final = 200_000
TERMINALS: Final = 100
CONNECTIONS: Final = 4
A_TURN: Final = 10  # requests to one server before it is the other's turn
YEAR_PAGE: Final = f"/year/{YEAR}"
EMPTY: Final = "/bench/empty"  # a view that does nothing: what the server itself costs
OTHER_PAGES: Final = ("held", "cards", "choices", "registration", "decisions", "accesses")


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
        with on_database(name):
            count_entries(number, terminals=TERMINALS)
    p50, p99 = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    with ExitStack() as stack:
        started = {name: stack.enter_context(web_server(folder / "logs" / name, name)) for name in (few, many)}
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
    now = begin()
    merchant, _ = create_merchant("Bench", at=now, actor="bench")
    with transaction.atomic():
        for number in range(TERMINALS):
            enrol_terminal(merchant, f"bench-{number}", store_name=f"Store {number // 5}", at=now, actor="bench")
    register(residents)
    with connection.cursor() as cursor:
        cursor.execute("SELECT md5(n::text)::uuid FROM generate_series(0, %s) n ORDER BY n", [readers])
        refs = [ref for (ref,) in cursor.fetchall()]
    users = User.objects.bulk_create(User(username=f"reader-{n}", password=f"!{n}") for n in range(len(refs)))
    Account.objects.bulk_create(Account(user=u, resident_ref=ref) for u, ref in zip(users, refs, strict=True))
    with transaction.atomic():
        return [session_of(user) for user in users]


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
