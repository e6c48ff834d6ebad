"""Records, and sales above all: what is refused, the bytes that are stored, and the canonical line."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kanpu_pos import base64url
from kanpu_pos.fields import FieldError
from kanpu_pos.records import Sale, from_json, line

from .vectors import document

CARD = "kt1." + base64url.encode(bytes(range(85)))
CLAIM = base64url.encode(bytes(range(32)))
GOOD: dict[str, Any] = {
    "seq": 1042,
    "at": "2017-04-03T09:30:00+09:00",
    "lines": (("reduced", 1080), ("food2", 550)),
}

# Naive, as hypothesis asks for; each gets an offset below.
EARLIEST, LATEST = datetime(1, 1, 3), datetime(9999, 12, 29)  # noqa: DTZ001

tiers = st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True)
amounts = st.integers(1, 10**12)
some_lines = st.lists(st.tuples(tiers, amounts), min_size=1, max_size=50, unique_by=lambda pair: pair[0]).map(tuple)
times = st.datetimes(EARLIEST, LATEST).flatmap(
    lambda naive: st.integers(-1439, 1439).map(
        lambda minutes: naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    )
)
payers = st.sampled_from([{}, {"card": CARD}, {"claim": CLAIM}])
sales = st.builds(
    lambda seq, at, lines, payer: Sale(seq=seq, at=at, lines=lines, **payer),
    st.integers(1, 2**31 - 1),
    times,
    some_lines,
    payers,
)


def test_a_sale_is_stored_as_the_protocol_writes_it() -> None:
    assert Sale(**GOOD, card=CARD).to_json() == (
        b'{"seq":1042,"at":"2017-04-03T09:30:00+09:00","card":"%b",'
        b'"lines":[{"tier":"reduced","amount":1080},{"tier":"food2","amount":550}]}' % CARD.encode()
    )


def test_the_line_of_a_sale() -> None:
    assert line(Sale(**GOOD, card=CARD)) == (
        f"1042\n2017-04-03T09:30:00+09:00\nsale\n{CARD}\n-\nreduced=1080,food2=550"
    )
    assert line(Sale(**GOOD, claim=CLAIM)).split("\n")[3] == CLAIM
    assert line(Sale(**GOOD)).split("\n")[3] == "-"


@given(sales)
def test_the_line_says_all_that_the_stored_bytes_say(sale: Sale) -> None:
    stored = json.loads(sale.to_json())
    seq, at, kind, payer, about, amounts_text = line(sale).split("\n")
    assert (int(seq), at, kind, about) == (stored["seq"], stored["at"], "sale", "-")
    assert payer == stored.get("card", stored.get("claim", "-"))
    pairs = [pair.split("=") for pair in amounts_text.split(",")]
    assert [{"tier": tier, "amount": int(amount)} for tier, amount in pairs] == stored["lines"]
    assert datetime.fromisoformat(at) == sale.at


@given(sales, sales)
def test_two_sales_have_one_line_only_if_they_are_stored_alike(one: Sale, other: Sale) -> None:
    assert (line(one) == line(other)) == (one.to_json() == other.to_json())


@given(sales)
def test_the_same_sale_gives_the_same_bytes(sale: Sale) -> None:
    fields = json.loads(sale.to_json())
    fields["lines"] = tuple((row["tier"], row["amount"]) for row in fields["lines"])
    again = Sale(**fields)
    assert (again.to_json(), line(again)) == (sale.to_json(), line(sale))


@pytest.mark.parametrize(
    "at",
    [
        "2017-04-03T03:00:00Z",
        "2017-04-03T12:00:00.2500+09:00",
        "2017-04-03T12:00:00-00:00",
        "2016-02-29T23:59:59Z",
    ],
)
def test_a_time_given_as_a_string_is_kept_as_it_came(at: str) -> None:
    sale = Sale(**{**GOOD, "at": at})
    assert json.loads(sale.to_json())["at"] == at
    assert line(sale).split("\n")[1] == at


def test_an_aware_time_is_written_in_its_own_offset() -> None:
    moment = datetime(2017, 4, 3, 0, 30, tzinfo=UTC)
    assert Sale(**{**GOOD, "at": moment}).at_text == "2017-04-03T00:30:00+00:00"
    in_tokyo = moment.astimezone(timezone(timedelta(hours=9)))
    assert Sale(**{**GOOD, "at": in_tokyo}).at_text == "2017-04-03T09:30:00+09:00"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"seq": 0}, "seq"),
        ({"seq": 2**31}, "seq"),
        ({"seq": True}, "seq"),
        ({"seq": 1.0}, "seq"),
        ({"seq": "1"}, "seq"),
        ({"at": EARLIEST}, "at"),
        ({"at": datetime(2017, 4, 3, tzinfo=timezone(timedelta(hours=9, minutes=18, seconds=59)))}, "at"),
        ({"at": "2017-04-03T09:30:00"}, "at"),
        ({"at": "2017-04-03 09:30:00+09:00"}, "at"),
        ({"at": "2017-04-03T09:30+09:00"}, "at"),
        ({"at": "2017-02-29T09:30:00+09:00"}, "at"),
        ({"at": "2017-04-03T24:00:00+09:00"}, "at"),
        ({"at": "2017-04-03T09:30:60+09:00"}, "at"),
        ({"at": "2017-04-03T09:30:00+09:00\n"}, "at"),
        ({"at": "２017-04-03T09:30:00+09:00"}, "at"),
        ({"at": None}, "at"),
        ({"lines": ()}, "lines"),
        ({"lines": [("reduced", 1)]}, "lines"),
        ({"lines": tuple((f"t{n}", 1) for n in range(51))}, "lines"),
        ({"lines": (("reduced", 1, 2),)}, "lines[0]"),
        ({"lines": ("re",)}, "lines[0]"),
        ({"lines": (("a", 1), ("a", 2))}, "lines[1].tier"),
        ({"lines": (("a", 1), ("B", 2))}, "lines[1].tier"),
        ({"lines": (("a", 1), ("1a", 2))}, "lines[1].tier"),
        ({"lines": (("a" * 33, 1),)}, "lines[0].tier"),
        ({"lines": (("a\n", 1),)}, "lines[0].tier"),
        ({"lines": ((None, 1),)}, "lines[0].tier"),
        ({"lines": (("a", 0),)}, "lines[0].amount"),
        ({"lines": (("a", -5),)}, "lines[0].amount"),
        ({"lines": (("a", 10**12 + 1),)}, "lines[0].amount"),
        ({"lines": (("a", True),)}, "lines[0].amount"),
        ({"lines": (("a", 1.0),)}, "lines[0].amount"),
        ({"lines": (("a", "1"),)}, "lines[0].amount"),
        ({"card": CARD, "claim": CLAIM}, "claim"),
        ({"card": CARD[:-1]}, "card"),
        ({"card": CARD[:-1] + "B"}, "card"),
        ({"card": CARD + "\n"}, "card"),
        ({"card": ""}, "card"),
        ({"claim": CLAIM[:-1] + "9"}, "claim"),
        ({"claim": CLAIM + "="}, "claim"),
        ({"claim": ""}, "claim"),
    ],
    ids=str,
)
def test_what_the_protocol_does_not_allow_is_refused_by_field(change: dict[str, Any], param: str) -> None:
    with pytest.raises(FieldError) as caught:
        Sale(**{**GOOD, **change})
    assert caught.value.param == param
    assert str(caught.value).startswith(f"{param}: ")


@given(st.binary(min_size=32, max_size=32))
def test_every_sha_256_may_be_a_claim(digest: bytes) -> None:
    assert Sale(**GOOD, claim=base64url.encode(digest)).claim is not None


@pytest.mark.parametrize("vector", document("lines.json")["records"], ids=lambda vector: vector["name"])
def test_a_vector_has_its_bytes_and_its_line(vector: dict[str, Any]) -> None:
    record = from_json(json.dumps(vector["record"]).encode())
    assert (record.to_json().decode(), line(record)) == (vector["json"], vector["line"])
