"""A till on its own: what is durable, what is refused, and what its totals are."""

import json
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kanpu_pos import (
    Closing,
    FieldError,
    NoSealingKey,
    StoreError,
    Till,
    TillError,
    Unused,
    VirtualCard,
    digest_0,
    digests,
    from_json,
    line,
)

from apps.purchases.closings import Books

from .misbehaving import KEYS

TERMINAL = "tokyo-0001-03"
LINES = (("reduced", 1080),)
CARD = VirtualCard(bytes(16), bytes(32))
AT = datetime(2017, 4, 3, 0, 30, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "till.db"


@pytest.fixture
def till(path: Path) -> Iterator[Till]:
    with Till(path, terminal=TERMINAL) as opened:
        yield opened


def records_in(path: Path) -> list[Any]:
    """The file's records in order, read as somebody who has only the file."""
    with sqlite3.connect(path) as db:
        return [from_json(stored) for (stored,) in db.execute("SELECT stored FROM record ORDER BY seq")]


def keep_keys(path: Path, keys: Any) -> None:
    """Sealing keys as the till keeps them after a refresh."""
    with sqlite3.connect(path) as db:
        db.execute("REPLACE INTO setting (name, value) VALUES ('keys', ?)", (json.dumps(keys).encode(),))


def test_records_are_numbered_and_chained(till: Till, path: Path) -> None:
    first = till.sell(LINES, at=AT)
    back = till.return_goods((TERMINAL, first.seq), (("reduced", 80),))
    other_shop = till.return_goods(("osaka-9", 4), LINES)
    corrected = till.correct(first.seq, (("standard", 900),), sold_at=AT - timedelta(days=1))
    void = till.void(back)
    closing = till.close_day()
    assert [first.seq, back, other_shop, corrected, void, closing.seq] == [1, 2, 3, 4, 5, 6]
    kept = records_in(path)
    assert [record.kind for record in kept] == ["sale", "return", "return", "correction", "void", "closing"]
    with sqlite3.connect(path) as db:
        chain = [digest for (digest,) in db.execute("SELECT digest FROM record ORDER BY seq")]
    assert chain == list(digests(digest_0(TERMINAL), map(line, kept)))


def test_a_card_is_read_for_the_number_of_the_record(till: Till, path: Path) -> None:
    keep_keys(path, KEYS)
    assert till.sell(LINES, card=CARD).with_card
    asked = []

    def reader(terminal: str, seq: int) -> str:
        asked.append((terminal, seq))
        return "kt1." + "A" * 114

    sold = till.sell(LINES, card=reader)
    assert asked == [(TERMINAL, 2)]
    assert sold.claim_code is None
    assert [bool(record.card) for record in records_in(path)] == [True, True]


@pytest.mark.parametrize("keys", [[], [{**KEYS[0], "seal_until": "2020-01-01T00:00:00Z"}]])
def test_without_a_usable_key_the_receipt_bears_a_claim_code(till: Till, path: Path, keys: Any) -> None:
    keep_keys(path, keys)
    counter = CARD.counter
    sold = till.sell(LINES, card=CARD)
    assert sold.card_error is not None
    assert "GET /v1/keys" in sold.card_error
    assert sold.claim_code is not None
    assert CARD.counter == counter  # it was not tapped for nothing
    assert records_in(path)[0].claim is not None


def test_a_reader_without_a_key_gets_a_claim_code_too(till: Till) -> None:
    def reader(terminal: str, seq: int) -> str:
        raise NoSealingKey("its keys are over")

    assert till.sell(LINES, card=reader).card_error == "its keys are over"


def test_a_sale_has_a_claim_code_only_when_asked_for(till: Till, path: Path) -> None:
    assert till.sell(LINES).claim_code is None
    assert till.sell(LINES, claim=True).claim_code is not None
    assert [record.claim is None for record in records_in(path)] == [True, False]


def test_the_days_end_forgets_the_claim_codes_but_not_the_sales(till: Till) -> None:
    sold = till.sell(LINES, claim=True)
    assert till.receipt(sold.seq) == sold
    till.close_day()
    again = till.receipt(sold.seq)
    assert (again.claim_code, again.lines) == (None, LINES)


def test_a_reader_that_fails_leaves_a_number_that_is_reported_as_unused(till: Till, path: Path) -> None:
    def reader(terminal: str, seq: int) -> str:
        raise ConnectionError("the reader is unplugged")

    with pytest.raises(ConnectionError):
        till.sell(LINES, card=reader)
    assert till.sell(LINES).seq == 2
    assert [record.kind for record in records_in(path)] == ["unused", "sale"]


def test_a_bad_amount_costs_neither_a_number_nor_a_tap(till: Till) -> None:
    counter = CARD.counter
    with pytest.raises(FieldError):
        till.sell((("reduced", 0),), card=CARD)
    with pytest.raises(FieldError):
        till.return_goods(("osaka-9", 4), ())
    assert CARD.counter == counter
    assert till.sell(LINES).seq == 1


def test_a_reserved_number_is_sold_abandoned_or_overtaken(till: Till, path: Path) -> None:
    token = "kt1." + "A" * 114
    assert till.sell(LINES, seq=till.reserve(), card=token).seq == 1
    assert till.unused(till.reserve()) == 2
    overtaken = till.reserve()
    assert till.sell(LINES).seq == 4
    for seq in (overtaken, 4, 99):
        with pytest.raises(TillError) as caught:
            till.sell(LINES, seq=seq, card=token)
        assert caught.value.code == "seq_not_reserved"
    with pytest.raises(TillError):
        till.sell(LINES, card=token)
    assert [record.kind for record in records_in(path)] == ["sale", "unused", "unused", "sale"]


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda till: till.void(99), "record_unknown"),
        (lambda till: till.void(2), "not_a_sale"),
        (lambda till: till.void(4), "already_void"),
        (lambda till: till.correct(4, LINES), "already_void"),
        (lambda till: till.correct(99, LINES), "record_unknown"),
        (lambda till: till.return_goods((TERMINAL, 3), LINES), "not_a_sale"),
        (lambda till: till.return_goods((TERMINAL, 4), LINES), "already_void"),
        (lambda till: till.return_goods((TERMINAL, 99), LINES), "record_unknown"),
        (lambda till: till.receipt(99), "record_unknown"),
        (lambda till: till.receipt(3), "not_a_sale"),
        (lambda till: till.unused(1), "seq_not_reserved"),
        (lambda till: till.send(), "offline"),
    ],
)
def test_what_cannot_be_is_refused_and_spends_no_number(till: Till, act: Callable[[Till], object], code: str) -> None:
    till.sell(LINES)
    till.close_day()
    till.return_goods((TERMINAL, 1), (("reduced", 1),))
    till.sell(LINES)
    till.void(4)
    with pytest.raises(TillError) as caught:
        act(till)
    assert caught.value.code == code
    assert till.status().next_seq == 6


operations = st.tuples(
    st.sampled_from(["sell", "return", "return", "void", "void", "correct", "correct", "reserve"]),
    st.integers(1, 5),
    st.integers(1, 999),
)
new_year = datetime(2017, 12, 31, 15, 0, tzinfo=UTC)  # midnight in Tokyo


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example([(("return", 1, 7), 0), (("void", 2, 0), 0), (("void", 1, 0), 1)])
@example([(("return", 1, 7), 0), (("correct", 2, 5), 0), (("void", 1, 0), 1), (("void", 2, 0), 1)])
@given(st.lists(st.tuples(operations, st.integers(-2, 1)), min_size=5, max_size=20))
def test_a_closing_says_what_the_server_reckons(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[tuple[str, int, int], int]]
) -> None:
    path = tmp_path_factory.mktemp("till") / "till.db"
    with Till(path, terminal=TERMINAL) as till:
        till.sell(LINES, at=new_year)
        for (act, seq, amount), hours in steps:
            _do(till, act, seq, amount, new_year + timedelta(hours=hours))
        closings = {year: dict(till.close_day(year).totals) for year in (2017, 2018)}
    for year, totals in closings.items():
        books = Books(TERMINAL, year, ZoneInfo("Asia/Tokyo"), 1, {})
        for record in records_in(path):
            books.take(record.seq, line(record))
        assert totals == {tier: amount for tier, amount in books.totals.items() if amount}


def _do(till: Till, act: str, seq: int, amount: int, at: datetime) -> None:
    lines = ((f"tier_{amount % 2}", amount), ("common", amount))
    try:
        match act:
            case "sell":
                till.sell(lines, at=at)
            case "return":
                till.return_goods((TERMINAL, seq), lines, at=at)
            case "void":
                till.void(seq, at=at)
            case "correct":
                till.correct(seq, lines, at=at)
            case "reserve":
                till.reserve()
    except TillError:
        pass  # there is no such record, or it is void: the till says so elsewhere


def test_a_closing_of_a_quiet_day_is_empty(till: Till) -> None:
    assert till.close_day(2017, at=AT) == Closing(seq=1, at="2017-04-03T00:30:00+00:00", year=2017, totals=())


def test_a_second_process_is_refused_until_the_first_is_gone(till: Till, path: Path) -> None:
    script = (
        "import sys, kanpu_pos, kanpu_pos.till as t; t.OPEN_WAIT_S = 0.2\n"
        "try: till = kanpu_pos.Till(sys.argv[1])\n"
        "except kanpu_pos.TillError as error: print(error.code)\n"
        "else: print(till.sell((('reduced', 1),)).seq)"
    )

    def run() -> str:
        done = subprocess.run(
            [sys.executable, "-c", script, path], capture_output=True, text=True, check=True, env=_environment()
        )
        return done.stdout.strip()

    till.sell(LINES)
    assert run() == "till_busy"
    till.close()
    assert run() == "2"


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3] / "sdk")}


def test_the_file_is_of_one_terminal_and_for_its_owner_alone(path: Path) -> None:
    with pytest.raises(TillError, match="which terminal"):
        Till(path)
    Till(path, terminal=TERMINAL).close()
    with Till(path) as till:
        assert till.terminal == TERMINAL
    with pytest.raises(TillError, match="is of the terminal tokyo-0001-03"):
        Till(path, terminal="osaka-9")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_folder_that_is_not_there_is_said_so(path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        Till(path.parent / "nowhere" / "till.db", terminal=TERMINAL)


def test_a_file_that_is_none_of_ours_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database at all, but long enough to look at" * 50)
    with pytest.raises(StoreError, match="cannot be used"):
        Till(path, terminal=TERMINAL)


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    Till(path, terminal=TERMINAL).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="update kanpu-pos"):
        Till(path)


def test_a_number_left_open_by_a_crash_becomes_unused(path: Path) -> None:
    script = (
        "import os, signal, sys, kanpu_pos\n"
        "till = kanpu_pos.Till(sys.argv[1], terminal='tokyo-0001-03')\n"
        "till.sell((('reduced', 1),), card=lambda terminal, seq: os.kill(os.getpid(), signal.SIGKILL))"
    )
    subprocess.run([sys.executable, "-c", script, path], check=False, env=_environment())
    with Till(path) as till:
        assert till.sell(LINES).seq == 2
    assert isinstance(records_in(path)[0], Unused)


def test_what_a_till_does_costs_the_same_however_many_records_it_has(path: Path) -> None:
    """Every statement finds its rows by an index, none goes through all records."""
    statements: list[str] = []
    with Till(path, terminal=TERMINAL) as till:
        till._store._db.set_trace_callback(statements.append)
        till.sell(LINES, card=CARD, claim=True)
        till.unused(till.reserve())
        till.correct(till.return_goods((TERMINAL, 1), LINES), LINES)
        till.void(1)
        till.close_day()
        till.status()
        with till._store.transaction():
            rows = till._store.waiting(1000)
            till._store.mark_sent([row.seq for row in rows])
            till._store.first_unsent()
        till._store._db.set_trace_callback(None)
        about_records = {text for text in statements if "record" in text and not text.startswith("INSERT")}
        assert len(about_records) > 10
        for statement in about_records:
            for *_, plan in till._store._db.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall():
                assert "SCAN record" not in plan or "USING" in plan, (statement, plan)
