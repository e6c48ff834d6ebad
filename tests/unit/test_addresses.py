"""An address that somebody tells is compared with the one on record, however it is written."""

import pytest

from apps.residents.vault.addresses import is_address
from apps.residents.vault.contents import Address

FLAT = Address("154-0024", "東京都世田谷区三軒茶屋二丁目１１番３号 サンハイツ１０１号室")
HOUSE = Address("5030011", "岐阜県大垣市十六町12番地の5")
NORTH = Address("060-0001", "北海道札幌市中央区北一条西２丁目")


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("東京都世田谷区三軒茶屋二丁目１１番３号 サンハイツ１０１号室", FLAT),
        ("世田谷区三軒茶屋2-11-3", FLAT),
        ("世田谷区三軒茶屋２丁目１１番３号", FLAT),
        ("世田谷区三軒茶屋２ー１１ー３　サンハイツ101", FLAT),
        ("世田谷区 三軒茶屋 2−11−3", FLAT),
        ("154-0024", FLAT),
        ("〒１５４ー００２４", FLAT),
        ("1540024", FLAT),
        ("〒154-0024 東京都世田谷区三軒茶屋2-11-3", FLAT),
        ("大垣市十六町12-5", HOUSE),
        ("岐阜県大垣市十六町12の5", HOUSE),
        ("503-0011", HOUSE),
        ("札幌市中央区北1条西二丁目", NORTH),
    ],
)
def test_the_same_address_in_other_words_is_the_same(said: str, kept: Address) -> None:
    assert is_address(said, kept)


@pytest.mark.parametrize(
    "said",
    [
        "", " ", "〒", "世田谷区", "世田谷区三軒茶屋", "世田谷区三軒茶屋2", "世田谷区三軒茶屋2-11",
        "世田谷区三軒茶屋2-1", "世田谷区三軒茶屋2-11-33", "世田谷区三軒茶屋2-113", "目黒区三軒茶屋2-11-3",
        "154-0025", "154", "154-00244", "東京都", "サンハイツ101",
    ],
)  # fmt: skip
def test_part_of_an_address_or_another_is_not(said: str) -> None:
    assert not is_address(said, FLAT)
