import base64
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.kernel.periods import Period
from apps.purchases.acceptance import Defect, Till, YearRules, decide
from apps.purchases.records import Malformed, Record, read_line, read_record

VECTORS = Path(__file__).resolve().parents[2] / "sdk" / "vectors"
TOKYO = ZoneInfo("Asia/Tokyo")
NOW = datetime(2018, 1, 15, tzinfo=UTC)
YEAR = YearRules(
    year=2017,
    starts_at=datetime(2017, 1, 1, tzinfo=TOKYO),
    ends_at=datetime(2018, 1, 1, tzinfo=TOKYO),
    deadline_at=datetime(2018, 3, 16, tzinfo=TOKYO),
    zone=TOKYO,
    tiers={"reduced": [Period(date(2015, 1, 1))], "books": [Period(date(2017, 7, 1))]},
)
THIS_YEAR = YearRules(
    2018,
    YEAR.ends_at,
    datetime(2019, 1, 1, tzinfo=TOKYO),
    datetime(2019, 3, 16, tzinfo=TOKYO),
    TOKYO,
    YEAR.tiers,
)
TILL = Till("shop-1", {"shop-1": 1, "shop-2": 2})
TOKEN = "kt1." + base64.urlsafe_b64encode(bytes(85)).rstrip(b"=").decode()
BOOK = [{"tier": "books", "amount": 1}]
CLAIM = base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode()


def sent(**changes: Any) -> bytes:
    record = {"seq": 1, "at": "2017-04-03T09:30:00+09:00", "lines": [{"tier": "reduced", "amount": 1080}]}
    return json.dumps({key: value for key, value in (record | changes).items() if value != "left out"}).encode()


def decided(raw: bytes, *, now: datetime = NOW) -> str:
    record = read_record(raw)
    assert isinstance(record, Record), record
    verdict = decide(record, TILL, [YEAR, THIS_YEAR], now)
    return f"{verdict.code} {verdict.param}" if isinstance(verdict, Defect) else str(verdict.year)


@pytest.mark.parametrize("vector", json.loads((VECTORS / "lines.json").read_text())["records"], ids=lambda v: v["name"])
def test_the_canonical_line_is_the_one_of_the_published_vectors(vector: dict[str, Any]) -> None:
    record = read_record(vector["json"].encode())
    assert isinstance(record, Record)
    assert record.line == vector["line"]


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"seq": "left out"}, ""),
        ({"seq": 0}, "seq"),
        ({"seq": 2**31}, "seq"),
        ({"seq": "1"}, "seq"),
        ({"at": "left out"}, ""),
        ({"at": "2017-04-03"}, "at"),
        ({"at": "2017-04-03T09:30:00"}, "at"),
        ({"at": 1491179400}, "at"),
        ({"lines": []}, "lines"),
        ({"lines": "left out"}, "lines"),
        ({"lines": [{"tier": "reduced", "amount": 1}] * 51}, "lines"),
        ({"lines": [{"tier": "reduced", "amount": 1}] * 2}, "lines"),
        ({"lines": [{"tier": "Reduced", "amount": 1}]}, "lines[0].tier"),
        ({"lines": [{"tier": "reduced\n", "amount": 1}]}, "lines[0].tier"),
        ({"lines": [{"tier": "reduced", "amount": 10.5}]}, "lines[0].amount"),
        ({"lines": [{"tier": "reduced", "amount": 10.0}]}, "lines[0].amount"),
        ({"lines": [{"tier": "reduced", "amount": True}]}, "lines[0].amount"),
        ({"card": TOKEN[:-1]}, "card"),
        ({"card": TOKEN[:-1] + "B"}, "card"),
        ({"card": TOKEN + "="}, "card"),
        ({"claim": CLAIM[:-1] + "B"}, "claim"),
        ({"kind": "refund"}, "kind"),
        ({"of": {"terminal": "shop-1", "seq": 1}}, "of"),
        ({"kind": "return"}, "of"),
        ({"kind": "return", "of": {"terminal": "Shop", "seq": 1}}, "of.terminal"),
        ({"kind": "return", "of": {"terminal": "shop-1"}}, "of"),
        ({"kind": "return", "of": {"terminal": "shop-1", "seq": 1}, "lines": []}, "lines"),
        ({"kind": "return", "of": {"terminal": "shop-1", "seq": 1}, "card": TOKEN}, "card"),
        ({"kind": "void", "of": {"terminal": "shop-1", "seq": 1}}, "lines"),
        ({"kind": "void", "lines": []}, "of"),
        ({"kind": "correction", "of": {"terminal": "shop-1", "seq": 1}, "sold_at": "yesterday"}, "at"),
        ({"kind": "unused"}, "lines"),
        ({"kind": "unused", "lines": [], "claim": CLAIM}, "claim"),
        ({"kind": "closing", "lines": [], "totals": []}, "year"),
        ({"kind": "closing", "lines": [], "year": 2017}, "totals"),
        ({"kind": "closing", "year": 2017, "totals": []}, "lines"),
        ({"kind": "closing", "lines": [], "year": 2017, "totals": BOOK * 2}, "totals"),
        ({"kind": "closing", "lines": [], "year": 2017, "totals": [{"tier": "books", "amount": 10**19}]}, "totals"),
    ],
)
def test_a_malformed_record_names_its_place(changes: dict[str, Any], param: str) -> None:
    record = read_record(sent(**changes))
    assert isinstance(record, Malformed)
    assert (record.param, record.seq) == (param, None if "seq" in changes else 1)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "2017"),
        ({"card": TOKEN}, "2017"),
        ({"claim": CLAIM}, "2017"),
        ({"unknown": {"deep": [1]}}, "2017"),
        ({"at": "2017-12-31T23:59:59+09:00"}, "2017"),
        ({"at": "2017-12-31T23:59:59.9999999+09:00"}, "2017"),
        ({"at": "2017-01-01T08:59:60+09:00"}, "2017"),
        ({"at": "2018-01-01T00:00:00+09:00"}, "2018"),
        ({"at": "2017-12-31T15:00:00Z"}, "2018"),
        ({"at": "2016-12-31T23:59:59+09:00"}, "year_not_open at"),
        ({"at": "2018-01-15T00:10:00Z"}, "2018"),
        ({"at": "2018-01-15T00:10:01Z"}, "from_the_future at"),
        ({"lines": [{"tier": "reduced", "amount": 1}, {"tier": "gold", "amount": 1}]}, "tier_unknown lines[1].tier"),
        ({"lines": BOOK}, "tier_not_in_force lines[0].tier"),
        ({"lines": BOOK, "at": "2017-07-01T00:00:00+09:00"}, "2017"),
        ({"lines": BOOK, "at": "2017-06-30T23:59:59+09:00"}, "tier_not_in_force lines[0].tier"),
        ({"lines": [{"tier": "reduced", "amount": 0}]}, "amount_invalid lines[0].amount"),
        ({"lines": [{"tier": "reduced", "amount": -1080}]}, "amount_invalid lines[0].amount"),
        ({"lines": [{"tier": "reduced", "amount": 10**12}]}, "2017"),
        ({"lines": [{"tier": "reduced", "amount": 10**12 + 1}]}, "amount_invalid lines[0].amount"),
        ({"lines": [{"tier": "reduced", "amount": 10**30}]}, "amount_invalid lines[0].amount"),
        ({"card": TOKEN, "claim": CLAIM}, "card_and_claim claim"),
        ({"card": TOKEN, "claim": CLAIM, "lines": [{"tier": "gold", "amount": -1}]}, "tier_unknown lines[0].tier"),
    ],
)  # fmt: skip
def test_decisions_are_made_in_the_protocols_order(changes: dict[str, Any], expected: str) -> None:
    assert decided(sent(**changes)) == expected


SALE_1 = {"terminal": "shop-1", "seq": 1}
TOMORROW = "2018-01-16T00:00:00Z"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"kind": "return", "of": SALE_1}, "2017"),
        ({"kind": "return", "of": SALE_1, "at": "2018-01-02T00:00:00+09:00"}, "2018"),
        ({"kind": "return", "of": SALE_1 | {"terminal": "shop-2", "seq": 9}}, "2017"),
        ({"kind": "return", "of": SALE_1 | {"terminal": "rival-1"}}, "record_malformed of.terminal"),
        ({"kind": "return", "of": SALE_1 | {"seq": 5}}, "record_malformed of.seq"),
        ({"kind": "return", "of": SALE_1, "lines": BOOK}, "2017"),  # in force or not on the day of the sale
        ({"kind": "return", "of": SALE_1, "lines": [{"tier": "gold", "amount": 1}]}, "tier_unknown lines[0].tier"),
        ({"kind": "return", "of": SALE_1, "lines": [{"tier": "books", "amount": 0}]},
         "amount_invalid lines[0].amount"),
        ({"kind": "void", "of": SALE_1, "lines": []}, "2017"),
        ({"kind": "void", "of": SALE_1 | {"terminal": "shop-2"}, "lines": []}, "record_malformed of.terminal"),
        ({"kind": "correction", "of": SALE_1, "lines": BOOK}, "2017"),
        ({"kind": "correction", "of": SALE_1, "lines": BOOK, "sold_at": "2017-07-01T00:00:00+09:00"}, "2017"),
        ({"kind": "correction", "of": SALE_1, "lines": BOOK, "sold_at": "2017-06-30T00:00:00+09:00"},
         "tier_not_in_force lines[0].tier"),
        ({"kind": "correction", "of": SALE_1, "sold_at": "2016-06-30T00:00:00+09:00"}, "year_not_open sold_at"),
        ({"kind": "correction", "of": SALE_1, "sold_at": TOMORROW}, "from_the_future sold_at"),
        ({"kind": "unused", "lines": []}, "2017"),
        ({"kind": "unused", "lines": [], "at": TOMORROW}, "from_the_future at"),
        ({"kind": "closing", "lines": [], "year": 2017, "totals": [{"tier": "gold", "amount": -5}]}, "2017"),
        ({"kind": "closing", "lines": [], "year": 2016, "totals": []}, "year_not_open year"),
    ],
)  # fmt: skip
def test_each_kind_has_rules_of_its_own(changes: dict[str, Any], expected: str) -> None:
    assert decided(sent(seq=5, **changes)) == expected


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"kind": "return", "of": SALE_1}, "1\nAT\nreturn\n-\nshop-1:1\nreduced=1080"),
        ({"kind": "correction", "of": SALE_1, "sold_at": "2017-04-02T09:30:00Z"},
         "1\nAT\ncorrection\n-\nshop-1:1\n2017-04-02T09:30:00Z@reduced=1080"),
        ({"kind": "closing", "lines": [], "year": 2017, "totals": []}, "1\nAT\nclosing\n-\n-\n2017:"),
        ({"kind": "closing", "lines": [], "year": 2017, "totals": [{"tier": "books", "amount": -1}]},
         "1\nAT\nclosing\n-\n-\n2017:books=-1"),
        ({"kind": "refund"}, "1\nAT\nrefund\n-\n-\nreduced=1080"),  # malformed, and in the chain all the same
        ({"at": "some day"}, "1\nsome day\nsale\n-\n-\nreduced=1080"),
        ({"lines": [{"tier": "Reduced", "amount": 1}]}, "1\nAT\nsale\n-\n-\nReduced=1"),
        ({"at": "some\nday"}, None),
        ({"lines": [{"tier": "reduced", "amount": 1.5}]}, None),
    ],
)  # fmt: skip
def test_the_line_of_every_kind(changes: dict[str, Any], line: str | None) -> None:
    assert read_record(sent(**changes)).line == (line and line.replace("AT", "2017-04-03T09:30:00+09:00"))


def test_a_line_can_be_read_again() -> None:
    line = "7\n2018-01-01T00:00:00Z\ncorrection\n-\nshop-1:1\n2017-12-31T00:00:00Z@reduced=1080,books=2"
    read = read_line(line)
    assert (read.seq, read.kind, read.of_terminal, read.of_seq) == (7, "correction", "shop-1", 1)
    assert (read.sold_at, read.amounts) == ("2017-12-31T00:00:00Z", {"reduced": 1080, "books": 2})
    closing = read_line("8\n2018-01-01T00:00:00Z\nclosing\n-\n-\n2017:books=-1")
    assert (closing.year, closing.amounts) == (2017, {"books": -1})


def test_a_year_closes_at_its_deadline() -> None:
    assert decided(sent(), now=YEAR.deadline_at - timedelta(seconds=1)) == "2017"
    assert decided(sent(), now=YEAR.deadline_at) == "year_closed at"


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["seq", "at", "kind", "card", "claim", "lines", "tier", "amount", "x"]), inner, max_size=6
    ),
    max_leaves=12,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_whatever_is_sent_is_read_or_malformed_never_an_error(raw: bytes) -> None:
    assert isinstance(read_record(raw), Record | Malformed)
