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
from apps.purchases.records import Defect, Malformed, Record, YearRules, decide, read_record

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
TOKEN = "kt1." + base64.urlsafe_b64encode(bytes(85)).rstrip(b"=").decode()
BOOK = [{"tier": "books", "amount": 1}]
CLAIM = base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode()


def sent(**changes: Any) -> bytes:
    record = {"seq": 1, "at": "2017-04-03T09:30:00+09:00", "lines": [{"tier": "reduced", "amount": 1080}]}
    return json.dumps({key: value for key, value in (record | changes).items() if value != "left out"}).encode()


def decided(raw: bytes, *, now: datetime = NOW) -> str:
    record = read_record(raw)
    assert isinstance(record, Record), record
    verdict = decide(record, [YEAR, THIS_YEAR], now)
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
