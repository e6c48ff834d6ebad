"""Numbers of accounts, and the Japan Post Bank's 記号・番号 as other banks need them. Pure.

Sources: 全銀協 規定フォーマット (types, seven digits); Japan Post Bank, 記号番号から振込用の口座番号への変換
(https://www.jp-bank.japanpost.jp/kojin/sokin/koza/kj_sk_kz_furikomi_ksk.html). The bank does not publish how the
fourth digit of a 記号 is reckoned; the rule here was worked out from real accounts by others
(https://github.com/sanmai/jpb-account-converter), and some printed samples do not keep it. So a digit that does not
fit is a reason to look again, not to refuse.
"""

import re
from typing import Final, NamedTuple

from apps.kernel.errors import KanpuError
from apps.residents.accounts.directory import POST_BANK, BankUnknown, branch_of
from apps.residents.numbers import plain_digits

DIGITS: Final = 7
ORDINARY, CURRENT, SAVINGS = "1", "2", "4"
TYPES: Final = (ORDINARY, CURRENT, SAVINGS)


class NumberUnreadable(KanpuError):
    """This is no number of an account."""

    code = "account_number_unreadable"


class SymbolUnreadable(KanpuError):
    """This is no 記号 of the Japan Post Bank."""

    code = "symbol_unreadable"


class PostNumberUnreadable(KanpuError):
    """This is no 番号 that goes with the 記号."""

    code = "post_number_unreadable"


class AccountNumber(NamedTuple):
    """Seven digits, and whether fewer were given and zeros were put before them."""

    digits: str
    was_padded: bool


class PostAccount(NamedTuple):
    """An account of the Japan Post Bank for a transfer. `fits` is whether the check digit of the 記号 is right."""

    branch: str
    type: str
    number: str
    fits: bool


def account_number(text: str) -> AccountNumber:
    """The seven digits; a shorter number gets zeros before it. Raises NumberUnreadable."""
    digits = plain_digits(text)
    if not re.fullmatch(r"[0-9]{1,7}", digits) or not digits.strip("0"):
        raise NumberUnreadable("An account's number has seven digits. If yours is shorter, zeros are put before it.")
    return AccountNumber(digits.zfill(DIGITS), len(digits) < DIGITS)


def post_account(symbol: str, number: str) -> PostAccount:
    """What other banks call the account 記号-番号: 10530-12345671 is branch 058, number 1234567.

    A 記号 that begins with 1 has an ordinary account, whose 番号 ends with 1; one with 0 has a transfer account (当座).
    The digit that may follow a 記号 (reissues, or a check digit) is not needed. Raises SymbolUnreadable and
    PostNumberUnreadable.
    """
    sign, digits = plain_digits(symbol), plain_digits(number)
    if not re.fullmatch(r"[01][0-9]{3}0[0-9]?", sign):
        raise SymbolUnreadable("A 記号 has five digits: it begins with 1 or 0 and ends with 0.")
    is_ordinary, sign = sign.startswith("1"), sign[:5]
    if not re.fullmatch(r"[0-9]{1,7}1" if is_ordinary else r"[0-9]{1,6}", digits) or not digits[:-1].strip("0"):
        raise PostNumberUnreadable("A 番号 has up to eight digits and ends with 1; with a 記号 of 0, up to six digits.")
    branch = sign[1:3] + ("8" if is_ordinary else "9")
    try:
        branch_of(POST_BANK, branch)
    except BankUnknown:
        raise SymbolUnreadable(f"The Japan Post Bank has no branch {branch}: check the 記号.") from None
    kept = digits[:-1] if is_ordinary else digits
    fits = sign[3] == check_digit(sign, digits)
    return PostAccount(branch, ORDINARY if is_ordinary else CURRENT, kept.zfill(DIGITS), fits)


def check_digit(symbol: str, number: str) -> str:
    """What the fourth digit of a 記号 should be: weights 1, 3, 2 over 記号 and eight digits of 番号, modulo 10.

    A product of two digits counts as their sum, as in Luhn's rule.
    """
    digits = [int(c) for c in symbol[:3] + "0" + symbol[4] + number.zfill(8)]
    weighed = (_weighed(digit, at % 3) for at, digit in enumerate(digits))
    return str(sum(weighed) % 10)


def _weighed(digit: int, column: int) -> int:
    if column == 1:
        return 3 * digit
    return digit if column == 0 else sum(divmod(2 * digit, 10))
