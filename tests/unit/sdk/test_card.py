"""Virtual cards: what the chip answers, and the file they come from."""

import hashlib
import hmac
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kanpu_pos.card import CardError, CounterExhaustedError, VirtualCard, read_personalisation

CARD_ID, CARD_KEY = bytes(range(16)), bytes(range(100, 132))
HEADER = "resident_ref,resident_code,card_id,card_key,valid_from,valid_until"


def row(card_id: str = CARD_ID.hex(), card_key: str = CARD_KEY.hex(), until: str = "2027-03-31") -> str:
    return f"r-1,K7PW-33QX,{card_id},{card_key},2017-04-01,{until}"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "cards.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@given(context=st.binary(max_size=200), counter=st.integers(0, 2**32 - 2))
def test_an_answer_is_card_counter_and_half_an_hmac(context: bytes, counter: int) -> None:
    answer = VirtualCard(CARD_ID, CARD_KEY, counter).tap(context)
    tapped = (counter + 1).to_bytes(4, "big")
    assert answer[:20] == CARD_ID + tapped
    assert answer[20:] == hmac.new(CARD_KEY, context + b"\n" + tapped, hashlib.sha256).digest()[:16]
    assert len(answer) == 36


def test_the_counter_grows_with_each_tap() -> None:
    card = VirtualCard(CARD_ID, CARD_KEY)
    assert [card.tap(b"x")[16:20] for _ in range(3)] == [b"\0\0\0\1", b"\0\0\0\2", b"\0\0\0\3"]
    assert card.counter == 3


def test_a_worn_out_card_answers_no_more_and_does_not_wrap() -> None:
    card = VirtualCard(CARD_ID, CARD_KEY, 2**32 - 2)
    assert card.tap(b"x")[16:20] == b"\xff\xff\xff\xff"
    for _ in range(2):
        with pytest.raises(CounterExhaustedError, match="replace the card"):
            card.tap(b"x")
    assert card.counter == 2**32 - 1


@pytest.mark.parametrize(
    ("card_id", "card_key", "counter"),
    [
        (b"\0" * 15, CARD_KEY, 0),
        (CARD_ID, b"\0" * 33, 0),
        (CARD_ID, CARD_KEY, -1),
        (CARD_ID, CARD_KEY, 2**32),
        (CARD_ID, CARD_KEY, True),
    ],
)
def test_a_card_out_of_form_is_refused(card_id: bytes, card_key: bytes, counter: int) -> None:
    with pytest.raises(CardError):
        VirtualCard(card_id, card_key, counter)


def test_a_card_is_made_of_hex_fields() -> None:
    assert VirtualCard.from_hex(CARD_ID.hex(), CARD_KEY.hex().upper(), counter=5) == VirtualCard(CARD_ID, CARD_KEY, 5)


def test_the_personalisation_file_is_read_whatever_its_column_order(tmp_path: Path) -> None:
    names, values = HEADER.split(",")[::-1], row().split(",")[::-1]
    path = written(tmp_path, "\ufeff" + ",".join([*names, "note"]), ",".join([*values, "spare"]))
    [card] = read_personalisation(path)
    assert (card.resident_ref, card.resident_code) == ("r-1", "K7PW-33QX")
    assert (card.valid_from, card.valid_until) == (date(2017, 4, 1), date(2027, 3, 31))
    assert card.card(counter=7) == VirtualCard(CARD_ID, CARD_KEY, 7)


def test_a_card_without_an_end_stays_valid(tmp_path: Path) -> None:
    [card] = read_personalisation(written(tmp_path, HEADER, row(until="")))
    assert card.valid_until is None


def test_the_file_is_read_row_by_row(tmp_path: Path) -> None:
    cards = read_personalisation(written(tmp_path, HEADER, row(), row(card_id="zz")))
    assert next(cards).card_id == CARD_ID
    with pytest.raises(CardError, match="line 3: card_id is not hex"):
        next(cards)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([HEADER.replace(",card_key", ""), row()], "lacks the columns card_key"),
        ([HEADER, row(card_key=CARD_KEY.hex()[:-2])], "line 2: card_key has 31 bytes instead of 32"),
        ([HEADER, row(card_key=CARD_KEY.hex()[:-1] + "x")], "line 2: card_key is not hex"),
        ([HEADER, row(until="31.3.2027")], "line 2: valid_until is not a date"),
        ([HEADER, "r-1,K7PW-33QX"], "line 2: card_id has 0 bytes"),
        ([], "lacks the columns resident_ref"),
    ],
)
def test_a_bad_file_is_named_by_line_and_column_and_no_key_is_told(
    tmp_path: Path, lines: list[str], words: str
) -> None:
    with pytest.raises(CardError, match=words) as caught:
        list(read_personalisation(written(tmp_path, *lines)))
    assert CARD_KEY.hex()[:20] not in str(caught.value)


def test_a_card_key_is_never_printed(tmp_path: Path) -> None:
    [row_read] = read_personalisation(written(tmp_path, HEADER, row()))
    for text in (repr(row_read), repr(row_read.card())):
        assert CARD_KEY.hex() not in text
        assert repr(CARD_KEY) not in text
