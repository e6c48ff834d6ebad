"""Cutting stored records into request bodies."""

import json
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kanpu_pos.batch import MAX_BODY_BYTES, MAX_RECORDS, StoredRecordError, split
from kanpu_pos.fields import FieldError

TERMINAL = "tokyo-0001-03"
EMPTY_BODY_BYTES = len(b'{"terminal":"tokyo-0001-03","purchases":[]}')


def padded(size: int, fill: str = "x") -> bytes:
    """A stored record of `size` bytes."""
    return b'{"n":"%b"}' % (fill * (size - 8)).encode()


@given(st.lists(st.integers(8, 400_000), max_size=40), st.sampled_from("abc"))
def test_every_record_is_sent_once_in_order_within_the_limits(sizes: list[int], fill: str) -> None:
    records = [padded(size, fill) for size in sizes]
    batches = list(split(TERMINAL, records))
    position = 0
    for batch in batches:
        part = records[position : position + batch.count]
        assert batch.first_index == position
        assert batch.body == b'{"terminal":"tokyo-0001-03","purchases":[' + b",".join(part) + b"]}"
        assert 1 <= batch.count <= MAX_RECORDS
        assert len(batch.body) <= MAX_BODY_BYTES
        position += batch.count
    assert position == len(records)
    for batch, following in pairwise(batches):
        assert len(batch.body) + 1 + len(records[following.first_index]) > MAX_BODY_BYTES


@pytest.mark.parametrize(
    ("records", "counts"),
    [(0, []), (1, [1]), (1000, [1000]), (1001, [1000, 1]), (2500, [1000, 1000, 500])],
)
def test_a_batch_has_a_thousand_records(records: int, counts: list[int]) -> None:
    assert [batch.count for batch in split(TERMINAL, [b"{}"] * records)] == counts


def test_a_body_of_exactly_one_mebibyte_is_one_batch() -> None:
    half = (MAX_BODY_BYTES - EMPTY_BODY_BYTES - 1) // 2
    rest = MAX_BODY_BYTES - EMPTY_BODY_BYTES - 1 - half
    [batch] = split(TERMINAL, [padded(half), padded(rest)])
    assert len(batch.body) == MAX_BODY_BYTES == 1024 * 1024
    assert len(list(split(TERMINAL, [padded(half), padded(rest + 1)]))) == 2


def test_a_record_that_fits_no_batch_is_named() -> None:
    largest = MAX_BODY_BYTES - EMPTY_BODY_BYTES
    assert len(list(split(TERMINAL, [padded(largest)]))) == 1
    with pytest.raises(StoredRecordError, match=r"stored record 1: .*do not fit"):
        list(split(TERMINAL, [b"{}", padded(largest + 1)]))


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b'{"seq":1',
        b'{"seq":1},{"seq":2}',
        b"[1]",
        b"null",
        b'{"seq":NaN}',
        b'{"a":"\xff"}',
        b"\x00\x00\x00",
        '{"seq":1}'.encode("utf-16"),
    ],
)
def test_a_damaged_record_is_named_before_its_batch_is_sent(damaged: bytes) -> None:
    batches = split(TERMINAL, [*[b"{}"] * 1000, b"{}", damaged])
    assert next(batches).count == 1000
    with pytest.raises(StoredRecordError) as caught:
        next(batches)
    assert caught.value.index == 1001


def test_records_are_taken_a_batch_at_a_time() -> None:
    taken = []

    def records() -> Iterator[bytes]:
        for number in range(5000):
            taken.append(number)
            yield b"{}"

    next(split(TERMINAL, records()))
    assert len(taken) == 1001


def test_a_body_is_json_the_server_can_read() -> None:
    [batch] = split("t", ['{"seq":1,"note":"消費税"}'.encode(), b' {"seq":2}\n'])
    assert json.loads(batch.body) == {
        "terminal": "t",
        "purchases": [{"seq": 1, "note": "消費税"}, {"seq": 2}],
    }


def test_a_bad_terminal_code_is_refused() -> None:
    with pytest.raises(FieldError):
        list(split('t","x":"', [b"{}"]))
