"""The kinds of record beside sales: their bytes, their lines, and what is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kanpu_pos.fields import FieldError
from kanpu_pos.records import Closing, Correction, Record, Return, Sale, Unused, Void, from_json, line

from .test_records import amounts, sales, some_lines, tiers, times

AT = "2017-04-03T09:30:00+09:00"
OF = ("tokyo-0001-03", 988)
LINES = (("reduced", 540),)

seqs = st.integers(1, 2**31 - 1)
terminals = st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True)
ofs = st.tuples(terminals, seqs)
some_totals = st.lists(
    st.tuples(tiers, st.integers(-(10**18), 10**18)), max_size=50, unique_by=lambda pair: pair[0]
).map(tuple)
records: st.SearchStrategy[Record] = st.one_of(
    sales,
    st.builds(Return, seq=seqs, at=times, of=ofs, lines=some_lines),
    st.builds(Void, seq=seqs, at=times, of=ofs),
    st.builds(Correction, seq=seqs, at=times, of=ofs, lines=some_lines, sold_at=st.none() | times),
    st.builds(Unused, seq=seqs, at=times),
    st.builds(Closing, seq=seqs, at=times, year=st.integers(1, 9999), totals=some_totals),
)


@pytest.mark.parametrize(
    ("record", "stored"),
    [
        (
            Return(seq=2, at=AT, of=OF, lines=LINES),
            '{"seq":2,"at":"%s","kind":"return","of":{"terminal":"tokyo-0001-03","seq":988},'
            '"lines":[{"tier":"reduced","amount":540}]}',
        ),
        (Void(seq=2, at=AT, of=OF), '{"seq":2,"at":"%s","kind":"void","of":{"terminal":"tokyo-0001-03","seq":988}}'),
        (Unused(seq=2, at=AT), '{"seq":2,"at":"%s","kind":"unused"}'),
        (
            Closing(seq=2, at=AT, year=2017, totals=(("reduced", -5),)),
            '{"seq":2,"at":"%s","kind":"closing","year":2017,"totals":[{"tier":"reduced","amount":-5}]}',
        ),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_a_record_is_stored_as_the_protocol_writes_it(record: Record, stored: str) -> None:
    assert record.to_json().decode() == stored % AT


@pytest.mark.parametrize(
    ("record", "last_fields"),
    [
        (Return(seq=2, at=AT, of=OF, lines=LINES), "return\n-\ntokyo-0001-03:988\nreduced=540"),
        (Void(seq=2, at=AT, of=OF), "void\n-\ntokyo-0001-03:988\n"),
        (Correction(seq=2, at=AT, of=OF, lines=LINES), "correction\n-\ntokyo-0001-03:988\nreduced=540"),
        (
            Correction(seq=2, at=AT, of=OF, lines=LINES, sold_at="2017-04-02T09:30:00Z"),
            "correction\n-\ntokyo-0001-03:988\n2017-04-02T09:30:00Z@reduced=540",
        ),
        (Unused(seq=2, at=AT), "unused\n-\n-\n"),
        (
            Closing(seq=2, at=AT, year=2017, totals=(("a", -5), ("b", 0))),
            "closing\n-\n-\n2017:a=-5,b=0",
        ),
        (Closing(seq=2, at=AT, year=2017, totals=()), "closing\n-\n-\n2017:"),
    ],
)
def test_the_line_of_each_kind(record: Record, last_fields: str) -> None:
    assert line(record) == f"2\n{AT}\n{last_fields}"


@given(records)
def test_a_record_read_from_its_bytes_is_the_same_record(record: Record) -> None:
    again = from_json(record.to_json())
    assert type(again) is type(record)
    assert (again.to_json(), line(again)) == (record.to_json(), line(record))


@given(records, records)
def test_two_records_have_one_line_only_if_they_are_stored_alike(one: Record, other: Record) -> None:
    assert (line(one) == line(other)) == (one.to_json() == other.to_json())


@given(records)
def test_a_line_has_six_fields(record: Record) -> None:
    assert line(record).count("\n") == 5


@pytest.mark.parametrize(
    ("kind", "fields", "param"),
    [
        (Return, {"of": OF, "lines": ()}, "lines"),
        (Return, {"of": ("UPPER", 1), "lines": LINES}, "of.terminal"),
        (Return, {"of": ("tokyo", 0), "lines": LINES}, "of.seq"),
        (Return, {"of": ["tokyo", 1], "lines": LINES}, "of"),
        (Void, {"of": ("tokyo", True)}, "of.seq"),
        (Correction, {"of": OF, "lines": (("a", 0),)}, "lines[0].amount"),
        (Correction, {"of": OF, "lines": LINES, "sold_at": "2017-04-03T09:30:00"}, "sold_at"),
        (Closing, {"year": 2017.0, "totals": ()}, "year"),
        (Closing, {"year": 0, "totals": ()}, "year"),
        (Closing, {"year": 2017, "totals": [("a", 1)]}, "totals"),
        (Closing, {"year": 2017, "totals": (("a", 1), ("a", 2))}, "totals[1].tier"),
        (Closing, {"year": 2017, "totals": (("a", 10**18 + 1),)}, "totals[0].amount"),
        (Closing, {"year": 2017, "totals": (("a", 1.0),)}, "totals[0].amount"),
    ],
)
def test_what_the_protocol_does_not_allow_is_refused_by_field(kind: Any, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(FieldError) as caught:
        kind(seq=2, at=AT, **fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("stored", "param"),
    [
        ({"seq": 1, "at": AT}, "lines"),
        ({"at": AT, "lines": []}, "seq"),
        ({"seq": 1, "at": AT, "kind": "gift"}, "kind"),
        ({"seq": 1, "at": AT, "kind": "void"}, "of"),
        ({"seq": 1, "at": AT, "kind": "void", "of": {"terminal": "tokyo"}}, "of.seq"),
        ({"seq": 1, "at": AT, "kind": "closing", "year": 2017}, "totals"),
        ({"seq": 1, "at": AT, "lines": [{"tier": "a"}]}, "lines[0].amount"),
        ({"seq": 1, "at": AT, "lines": ["a"]}, "lines[0]"),
        ({"seq": 1, "at": AT, "lines": "a"}, "lines"),
    ],
    ids=str,
)
def test_json_that_is_no_record_is_refused_by_field(stored: dict[str, Any], param: str) -> None:
    with pytest.raises(FieldError) as caught:
        from_json(json.dumps(stored).encode())
    assert caught.value.param == param


@given(amounts)
def test_unknown_fields_are_dropped(amount: int) -> None:
    stored = {"seq": 1, "at": AT, "note": "x", "lines": [{"tier": "a", "amount": amount, "vat": 1}]}
    assert from_json(json.dumps(stored).encode()) == Sale(seq=1, at=AT, lines=(("a", amount),))
