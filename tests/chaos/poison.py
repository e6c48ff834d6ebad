"""Rubbish: requests that no till sends, and a record that no worker can read."""

import gzip
import json
from typing import Any, Final

import httpx
import psycopg

from tests.chaos.cast import POISONED, YEAR

SENT: Final = POISONED[0]
TOKEN: Final = "kt1." + "A" * 114  # of a key that nobody has
AT: Final = "2017-04-03T09:30:00+09:00"
LINES: Final = [{"tier": "reduced", "amount": 1}]
GARBAGE: Final = "no line at all"
GOOD: Final = "{seq}\n" + AT + "\nunused\n-\n-\n"


def _batch(*records: Any) -> bytes:
    return json.dumps({"terminal": SENT, "purchases": records}).encode()


def bodies(seq: int) -> list[bytes]:
    """Each a body of its own kind; the records that can be taken have the number `seq`."""
    return [
        b"\x00\xff not JSON",
        b"[" * 50_000,
        _batch({"seq": seq, "at": AT, "lines": LINES, "card": TOKEN}),
        _batch({"seq": seq, "at": AT, "lines": [{"tier": "reduced", "amount": 10**30}]}),
        _batch({"seq": seq, "at": AT, "lines": [{"tier": "no_such_tier", "amount": 1}]}),
        _batch({"seq": seq, "at": AT, "lines": LINES * 51}),
        _batch({"seq": seq, "at": "0000-99-99T99:99:99Z", "lines": LINES}),
        _batch({"seq": seq, "at": AT, "kind": "return", "of": {"terminal": SENT, "seq": seq}, "lines": LINES}),
        _batch({"seq": seq, "at": AT, "kind": "void", "of": {"terminal": SENT, "seq": 2**31 - 1}}),
        _batch({"seq": seq, "at": AT, "kind": "correction", "of": {"terminal": SENT, "seq": 1}, "lines": LINES}),
        _batch({"seq": 2**31, "at": AT, "lines": LINES}, {"seq": -1}, {}, None, 7, "\x00", {"seq": seq, "at": AT}),
        _batch(*[{"seq": seq, "at": AT, "lines": LINES, "claim": "A" * 43}] * 2),
        _batch({"seq": seq, "at": AT, "lines": LINES, "card": "kt1.\ud800" + "é" * 100}),
        b'{"terminal": "' + SENT.encode() + b'", "purchases": [' + b'{"seq": 1e400},' * 500 + b"{}]}",
        b"0" * (1024 * 1024 + 1),
    ]


def send(url: str, api_key: str, body: bytes, *, zipped: bool) -> str:
    """Send a body; returns what it came to: the status, or the name of the error."""
    headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
    if zipped:
        headers["Content-Encoding"] = "gzip"
    try:
        content = gzip.compress(body) if zipped else body
        answer = httpx.post(f"{url}/v1/purchases", content=content, headers=headers, timeout=10)
    except httpx.HTTPError as error:
        return type(error).__name__
    return str(answer.status_code)


def plant(database_url: str, terminal_id: int, seq: int) -> None:
    """An accepted purchase that no worker can read, as a broken disk or a wrong release would leave it."""
    lane = terminal_id % 64
    with psycopg.connect(database_url, connect_timeout=5) as database:
        row = database.execute(
            "INSERT INTO purchases_batch (lane, terminal_id, records, software, request_id, received_at)"
            " VALUES (%s, %s, 1, '', gen_random_uuid(), now()) RETURNING id",
            (lane, terminal_id),
        ).fetchone()
        assert row
        database.execute(
            "INSERT INTO purchases_purchase (lane, terminal_id, seq, tax_year, batch_id, at, kind, amount_minor, line)"
            " VALUES (%s, %s, %s, %s, %s, %s, 'unused', 0, %s)",
            (lane, terminal_id, seq, YEAR, row[0], AT, GARBAGE),
        )


def mend(database_url: str) -> int:
    """The unreadable records become readable. Returns how many there were."""
    with psycopg.connect(database_url, connect_timeout=5) as database:
        rows = database.execute("SELECT lane, terminal_id, seq FROM purchases_purchase WHERE line = %s", (GARBAGE,))
        found = rows.fetchall()
        for lane, terminal_id, seq in found:
            database.execute(
                "UPDATE purchases_purchase SET line = %s WHERE lane = %s AND terminal_id = %s AND seq = %s",
                (GOOD.format(seq=seq), lane, terminal_id, seq),
            )
    return len(found)
