"""What the customer reads: a receipt in two languages, a claim code, and its QR code."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kanpu_pos.claims import claim_code, claim_hash, grouped, new_claim
from kanpu_pos.receipt import Language, Sold, qr_text

from apps.accruals.claims import claim_of

from .test_tiers import tiers

CODE = claim_code(bytes(range(16)))
SALE: dict[str, Any] = {
    "terminal": "tokyo-0001-03",
    "seq": 1042,
    "at": datetime(2017, 4, 3, 9, 30, tzinfo=timezone(timedelta(hours=9))),
    "lines": (("reduced", 1080), ("standard", 550)),
    "with_card": True,
    "claim_code": None,
    "card_error": None,
    "expected_refund_minor": 19,
    "tiers": tiers(),
}


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ja", ["飲食料品  ¥1,080", "標準  ¥550", "還付の見込み（約） ¥19", "カードで記録しました"]),
        ("en", ["Food and drink  ¥1,080", "Standard  ¥550", "Expected refund, about ¥19", "with your card"]),
    ],
)
def test_a_receipt_says_what_was_recorded(language: Language, words: list[str]) -> None:
    text = Sold(**SALE).receipt_text(language)
    for word in [*words, "tokyo-0001-03 / 1042", "2017-04-03 09:30:00+09:00"]:
        assert word in text


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_receipt_without_a_card_bears_the_code_and_its_qr(language: Language) -> None:
    text = Sold(**{**SALE, "with_card": False, "claim_code": CODE}).receipt_text(language)
    assert grouped(CODE) in text
    assert qr_text(CODE) in text
    assert "card" not in text
    assert "カード" not in text


@pytest.mark.parametrize(("language", "word"), [("ja", "カードを読み取れませんでした"), ("en", "could not be read")])
def test_a_card_that_could_not_be_read_is_owned_up_to(language: Language, word: str) -> None:
    sold = Sold(**{**SALE, "with_card": False, "claim_code": CODE, "card_error": "no keys"})
    assert word in sold.receipt_text(language)


def test_a_till_that_never_saw_the_tiers_prints_codes_and_no_refund() -> None:
    text = Sold(**{**SALE, "tiers": None, "expected_refund_minor": None}).receipt_text("en")
    assert "reduced  1,080" in text
    assert "Expected" not in text


@given(st.binary(min_size=16, max_size=16))
def test_the_portal_finds_the_sale_by_the_printed_code(claim: bytes) -> None:
    assert claim_of(grouped(claim_code(claim))) == claim_hash(claim)


def test_claims_are_drawn_anew() -> None:
    assert len({new_claim() for _ in range(100)}) == 100


def test_a_qr_code_is_drawn_dark_on_paper_and_light_on_a_screen() -> None:
    paper, screen = qr_text(CODE), qr_text(CODE, paper=False)
    assert {len(row) for row in paper.split("\n")} == {29}
    assert paper.split("\n")[1][2:9] == "█▀▀▀▀▀█"  # the corner that readers look for
    opposite = str.maketrans("█ ▀▄", " █▄▀")
    assert screen == paper.translate(opposite)
