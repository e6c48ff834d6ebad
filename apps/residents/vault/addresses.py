"""Whether an address that somebody tells is the one that the vault has. Pure.

丁目, 番地 and 号 are said or left out, numbers are written in many ways, prefecture and building are left out.
"""

import re
import unicodedata
from typing import Final

from apps.residents.vault.contents import Address, folded

DIGITS: Final = {digit: str(value) for value, digit in enumerate("〇一二三四五六七八九")}
KANJI_NUMBER: Final = re.compile(r"([〇一二三四五六七八九十]+)(?=丁目|番|号|条)")
DASHES: Final = re.compile(r"[-‐‑‒–—―−ー〜~]")
BETWEEN: Final = re.compile(r"(?<=\d)(?:丁目|番地の|番地|番|号|の|ノ)(?=\d)")
AFTER: Final = re.compile(r"(?<=\d)(?:丁目|番地|番|号室|号)")
PREFECTURE: Final = re.compile(r"^(?:東京都|北海道|京都府|大阪府|.{2,3}?県)")
POSTAL_CODE: Final = re.compile(r"〒?(\d{3})-?(\d{4})")


def is_address(said: str, kept: Address, *, or_postal_code: bool = True) -> bool:
    """Whether what was said is this address, or its postal code; the building may be left out, the number may not."""
    text = _plain(said)
    if code := POSTAL_CODE.fullmatch(text):
        return or_postal_code and "".join(code.groups()) == re.sub(r"\D", "", _plain(kept.postal_code))
    whole, told = _comparable(kept.address), _comparable(POSTAL_CODE.sub("", text, count=1) if "〒" in text else text)
    if not re.search(r"\d", told):
        return bool(told) and told == whole
    rest = whole.removeprefix(told)
    return whole.startswith(told) and not re.match(r"[\d-]", rest)


def _plain(text: str) -> str:
    """NFKC without spaces, with one kind of dash between digits."""
    plain = re.sub(r"\s", "", unicodedata.normalize("NFKC", text))
    return re.sub(r"(?<=\d)" + DASHES.pattern + r"(?=\d)", "-", plain)


def _comparable(address: str) -> str:
    """Without prefecture; numbers as 2-1-3 however they are written, all else folded."""
    text = KANJI_NUMBER.sub(lambda found: str(_number(found[1])), PREFECTURE.sub("", _plain(address)))
    text = AFTER.sub(" ", BETWEEN.sub("-", text)).rstrip()
    return re.sub(r" +(?=\D|$)|(?<=\D) +", "", _folded_but_dashes(text))


def _folded_but_dashes(text: str) -> str:
    return "".join(part if re.fullmatch(r"[\d -]+", part) else folded(part) for part in re.split(r"([\d -]+)", text))


def _number(kanji: str) -> int:
    """十一 is 11, 二十 is 20, 一〇 is 10."""
    tens, ten, ones = kanji.partition("十")
    if not ten:
        return int("".join(DIGITS[digit] for digit in kanji))
    return 10 * (_number(tens) if tens else 1) + (_number(ones) if ones else 0)
