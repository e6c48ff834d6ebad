"""Banks are found as people name them; numbers, 記号・番号 and holders become what banks take, or are refused."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.residents.accounts.directory import (
    BankUnknown,
    bank_of,
    banks,
    branch_of,
    branches,
    find,
    first_kana,
    of_first_kana,
)
from apps.residents.accounts.holder import (
    ALLOWED,
    LONGEST,
    HolderCheck,
    HolderTooLong,
    HolderUnwritable,
    bank_kana,
    holder_check,
    holder_kana,
)
from apps.residents.accounts.numbers import (
    NumberUnreadable,
    PostNumberUnreadable,
    SymbolUnreadable,
    account_number,
    check_digit,
    post_account,
)
from apps.residents.accounts.shown import shown
from apps.residents.vault.contents import Account, Person

BORN = date(1984, 2, 29)
HANAKO = Person("𠮷田 花子", "ヨシダ ハナコ", "YOSHIDA Hanako", BORN, "高橋 花子", "髙橋 花子")
MARIA = Person("DA SILVA MARIA", "ダ・シルヴァ マリア", "DA SILVA MARIA", BORN, "山田 マリア", "MARIA SANTOS")


# --- banks and branches ---


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("みずほ", "0001"), ("みずほ銀行", "0001"), ("ﾐｽﾞﾎ", "0001"), ("ミズホ", "0001"), ("mizuho", "0001"),
        ("Mizuho Bank", "0001"), ("0001", "0001"), ("０００１", "0001"), ("三菱UFJ", "0005"),
        ("三菱ＵＦＪ銀行", "0005"),
        ("ソニー", "0035"), ("ソニ-", "0035"), ("ろーそん", "0042"), ("東京信用金庫", "1349"), ("ゆうちょ銀行", "9900"),
        ("ユウチョ", "9900"), ("yucho", "9900"),
        ("Sumitomo Mitsui", "0009"), ("みずほ　信託", "0289"), ("tokyo", "0526"),
    ],
)  # fmt: skip
def test_a_bank_is_found_as_people_write_it(typed: str, code: str) -> None:
    assert find(banks(), typed)[0].code == code


def test_what_is_named_exactly_comes_first_then_what_begins_with_it() -> None:
    assert [bank.name for bank in find(banks(), "みずほ")] == ["みずほ", "みずほ信託", "埼玉みずほ農協"]
    assert {bank.code[:3] for bank in find(banks(), "000")} == {"000"}
    assert find(banks(), "") == find(banks(), "・") == find(banks(), "そんな名の所はない") == []


def test_words_may_stand_in_kana_latin_letters_and_any_order() -> None:
    assert {"0005", "0288"} == {bank.code for bank in find(banks(), "Mitsubishi UFJ")}
    assert [bank.code for bank in find(banks(), "UFJ ミツビシ 信託")] == ["0288"]


def test_a_branch_is_found_within_its_bank() -> None:
    assert find(branches("0001"), "丸の内中央支店")[0].code == "004"
    assert find(branches("0001"), "まるのうちちゅうおう")[0].code == "004"
    assert branch_of("9900", "058").name == "〇五八"
    for bank, branch in (("0001", "999"), ("9999", "001")):
        with pytest.raises(BankUnknown):
            branch_of(bank, branch)


def test_every_bank_is_under_the_kana_that_it_begins_with() -> None:
    """People who cannot type choose by it; a voiced one stands under the unvoiced: ダ under タ."""
    by_kana = [bank for kana in first_kana(banks()) for bank in of_first_kana(banks(), kana)]
    assert sorted(by_kana) == sorted(banks())
    assert len(banks()) > 1_100


def test_a_branch_that_is_listed_no_more_is_shown_by_its_code() -> None:
    found = shown(Account("0001", "999", "1", "1234567", "ヨシダ ハナコ"))
    assert (found.branch.name, found.is_listed, found.last_digits) == ("999", False, "567")
    assert shown(Account("0001", "004", "1", "1234567", "ヨシダ ハナコ")).bank == bank_of("0001")


# --- numbers ---


@pytest.mark.parametrize(
    ("typed", "digits", "padded"),
    [("1234567", "1234567", False), ("１２３-４５６７", "1234567", False), ("12345", "0012345", True)],
)
def test_a_number_has_seven_digits_and_a_shorter_one_gets_zeros(typed: str, digits: str, padded: bool) -> None:
    assert account_number(typed) == (digits, padded)


@pytest.mark.parametrize("typed", ["", "12345678", "123456a", "0000000", "一二三"])
def test_what_is_no_number_is_refused(typed: str) -> None:
    with pytest.raises(NumberUnreadable):
        account_number(typed)


@pytest.mark.parametrize(
    ("symbol", "number", "branch", "kind", "digits"),
    [
        ("10530", "12345671", "058", "1", "1234567"),  # a sample of a bank's, whose check digit does not fit
        ("14030", "12345671", "408", "1", "1234567"),
        ("１４０３０", "１２３４５６７１", "408", "1", "1234567"),
        ("14030-2", "1-2345671", "408", "1", "1234567"),  # made anew twice
        ("14030", "1234561", "408", "1", "0123456"),
        ("00580", "654321", "059", "2", "0654321"),
        ("00160-0", "100001", "019", "2", "0100001"),
    ],
)
def test_symbol_and_number_of_the_post_bank_become_branch_and_number(
    symbol: str, number: str, branch: str, kind: str, digits: str
) -> None:
    assert post_account(symbol, number)[:3] == (branch, kind, digits)


@pytest.mark.parametrize(
    ("symbol", "number", "digit"),
    [
        ("14080", "12712721", "8"), ("10000", "81111111", "1"), ("10000", "80000001", "9"), ("16150", "12233411", "5"),
        ("14030", "12345671", "3"), ("15150", "21111111", "5"), ("00580", "654321", "8"), ("00160", "100001", "6"),
    ],
)  # fmt: skip
def test_the_check_digit_of_known_accounts_fits(symbol: str, number: str, digit: str) -> None:
    assert check_digit(symbol, number) == digit


def test_a_check_digit_that_does_not_fit_is_told_and_not_refused() -> None:
    assert post_account("14030", "12345671").fits
    assert not post_account("10530", "12345671").fits


@pytest.mark.parametrize("symbol", ["", "1053", "20530", "10531", "105300000", "abcde", "11940"])
def test_what_is_no_symbol_is_refused(symbol: str) -> None:
    with pytest.raises(SymbolUnreadable):
        post_account(symbol, "12345671")


@pytest.mark.parametrize(
    ("symbol", "number"),
    [
        ("14030", "12345672"),
        ("14030", "123456781"),
        ("14030", "1"),
        ("00580", "6543210"),
        ("00580", "x"),
        ("14030", "01"),
    ],
)
def test_a_number_that_does_not_go_with_the_symbol_is_refused(symbol: str, number: str) -> None:
    with pytest.raises(PostNumberUnreadable):
        post_account(symbol, number)


@given(number=st.integers(1, 9_999_999), branch=st.sampled_from([b.code for b in branches("9900") if b.code[2] == "8"]))
def test_every_ordinary_number_is_had_back_and_a_mistyped_digit_does_not_fit(number: int, branch: str) -> None:
    symbol = f"1{branch[:2]}00"
    typed = f"{number}1"
    symbol = symbol[:3] + check_digit(symbol, typed) + symbol[4]
    assert post_account(symbol, typed) == (branch, "1", f"{number:07}", True)
    wrong = typed[:-2] + str((int(typed[-2]) + 1) % 10) + "1"
    if wrong.strip("0") != "1":
        assert not post_account(symbol, wrong).fits


# --- the holder ---


@pytest.mark.parametrize(
    ("typed", "holder", "in_transfer"),
    [
        ("ジョン・スミス", "ジヨン.スミス", "ｼﾞﾖﾝ.ｽﾐｽ"),
        ("よしだ　はなこ", "ヨシダ ハナコ", "ﾖｼﾀﾞ ﾊﾅｺ"),
        ("ﾖｼﾀﾞ ﾊﾅｺ", "ヨシダ ハナコ", "ﾖｼﾀﾞ ﾊﾅｺ"),
        ("Yoshida Hanako", "YOSHIDA HANAKO", "YOSHIDA HANAKO"),
        ("ヴァンサン パーカー", "ヴアンサン パ-カ-", "ｳﾞｱﾝｻﾝ ﾊﾟ-ｶ-"),
        ("カ)ヤマダ", "カ)ヤマダ", "ｶ)ﾔﾏﾀﾞ"),
        ("スミヱ ヲギ", "スミエ オギ", "ｽﾐｴ ｵｷﾞ"),
    ],
)
def test_a_holder_is_written_as_banks_do(typed: str, holder: str, in_transfer: str) -> None:
    assert (holder_kana(typed), bank_kana(holder_kana(typed))) == (holder, in_transfer)
    assert bank_kana(typed) == in_transfer  # however it was kept


@pytest.mark.parametrize(
    ("typed", "bad"), [("吉田 ハナコ", "吉田"), ("¥100", "¥"), ("O'Brien", "'"), ("ヷ", "ヷ"), ("José", "É")]
)
def test_what_banks_do_not_take_is_refused_by_name_and_never_left_out(typed: str, bad: str) -> None:
    with pytest.raises(HolderUnwritable) as refused:
        holder_kana(typed)
    assert refused.value.characters == bad


def test_a_name_that_a_transfer_has_no_room_for_is_refused() -> None:
    assert holder_kana("ガ" * 15) == "ガ" * 15
    with pytest.raises(HolderTooLong):
        holder_kana("ガ" * 16)


KANA = st.text("アイガギパッャョヴヲンーァ・ あいがぎぱっAz09()-.ｱｶｰ", min_size=1, max_size=14).filter(
    lambda t: t.strip()
)


@given(KANA)
def test_every_kana_name_fits_a_byte_a_character_and_comes_out_the_same_again(typed: str) -> None:
    holder = holder_kana(typed)
    narrow = bank_kana(holder)
    assert not holder or ALLOWED.fullmatch(narrow)
    assert len(narrow.encode("cp932")) == len(narrow) <= LONGEST
    assert holder_kana(holder) == holder == holder_kana(narrow)


@given(st.text(max_size=40))
def test_whatever_is_typed_is_written_as_banks_do_or_refused(typed: str) -> None:
    try:
        narrow = bank_kana(holder_kana(typed))
    except (HolderUnwritable, HolderTooLong):
        return
    assert not narrow or ALLOWED.fullmatch(narrow)


@pytest.mark.parametrize(
    ("person", "typed", "check"),
    [
        (HANAKO, "ヨシダ ハナコ", "matches"), (HANAKO, "よしだはなこ", "matches"),
        (HANAKO, "YOSHIDA HANAKO", "matches"), (HANAKO, "ヨシダ タロウ", "differs"),
        (HANAKO, "タカハシ ハナコ", "differs"),  # the alias is known in kanji alone
        (MARIA, "ダシルバ マリア", "differs"), (MARIA, "ダ シルヴア マリア", "matches"),
        (MARIA, "MARIA SANTOS", "former_name"), (MARIA, "ヤマダ マリア", "differs"), (MARIA, ".", "differs"),
        (Person("李 明", "リー メイ", "LI MING", BORN, "メイ　リン"), "リ メイ", "matches"),
        (Person("李 明", "リー メイ", "LI MING", BORN, "メイ　リン"), "メイ リン", "alias"),
    ],
)  # fmt: skip
def test_a_holder_is_compared_with_every_registered_name(person: Person, typed: str, check: str) -> None:
    assert holder_check(holder_kana(typed), person) == check


def test_a_long_name_that_was_cut_for_the_transfer_is_the_same_name() -> None:
    long = Person("x", "パブロ ディエゴ ホセ フランシスコ デ パウラ フアン", "", BORN)
    cut = holder_kana("パブロ ディエゴ ホセ フランシスコ デ パウラ")
    assert len(bank_kana(cut)) == LONGEST
    assert holder_check(cut, long) == HolderCheck.MATCHES
    assert holder_check(cut[:-2], long) == HolderCheck.DIFFERS
