"""The values of a register's table as municipalities write them: dates, yes and no, languages, events. Pure."""

import re
import unicodedata
from datetime import date
from functools import lru_cache
from typing import Final

# The year before an era's first (元年).
ERAS: Final = {"明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}
ERAS_BY_LETTER: Final = dict(zip("MTSHR", ERAS.values(), strict=True))
WESTERN: Final = re.compile(r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?")
COMPACT: Final = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})")
JAPANESE: Final = re.compile(
    r"(明治|大正|昭和|平成|令和|[MTSHR])\.?([0-9]{1,2}|元)[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?"
)
YES: Final = ("1", "true", "t", "yes", "y", "はい", "有", "あり", "○", "◯", "〇", "該当", "世帯主", "本人")
NO: Final = ("", "0", "false", "f", "no", "n", "いいえ", "無", "なし", "×", "-", "非該当", "世帯員")
FLAGS: Final = dict.fromkeys(YES, True) | dict.fromkeys(NO, False)
LANGUAGES: Final = {
    "ja": "ja", "jpn": "ja", "japanese": "ja", "日本語": "ja", "en": "en", "eng": "en", "english": "en", "英語": "en"
}  # fmt: skip
EVENTS: Final = {
    "出生": "birth", "転入": "move_in", "転出": "move_out", "死亡": "death", "転居": "address", "move": "address",
    "婚姻": "marriage", "離婚": "divorce", "世帯変更": "household", "世帯主変更": "household", "氏名変更": "name",
    "氏名等変更": "name", "個人番号変更": "number", "住民票コード変更": "code", "支援措置": "protection",
    "修正": "correction", "職権修正": "correction",
    **{kind: kind for kind in (
        "birth", "move_in", "move_out", "death", "number", "code", "name", "address", "household", "marriage",
        "divorce", "attribute", "protection", "correction",
    )},
}  # fmt: skip
# Of days that can be meant: 9999-12-31 stands for none in some tables, and no calendar goes on after it.
YEARS: Final = range(1868, 2200)
INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,17}")


@lru_cache(maxsize=65_536)
def read_date(text: str) -> date | None:
    """The day that 2017-04-03, 2017/4/3, 20170403, 平成29年4月3日 or H29.4.3 means; None for all else.

    What lies beyond YEARS is none, too. An era is counted on beyond its end (平成31年5月1日), as forms printed before
    it ended do.
    """
    plain = "".join(unicodedata.normalize("NFKC", text).upper().split())
    if found := WESTERN.fullmatch(plain) or COMPACT.fullmatch(plain):
        return _day(int(found[1]), found[2], found[3])
    if found := JAPANESE.fullmatch(plain):
        before = ERAS.get(found[1]) or ERAS_BY_LETTER[found[1]]
        year = 1 if found[2] == "元" else int(found[2])
        return _day(before + year, found[3], found[4]) if year else None
    return None


def _day(year: int, month: str, day: str) -> date | None:
    try:
        return date(year, int(month), int(day)) if year in YEARS else None
    except ValueError:
        return None


def read_flag(text: str) -> bool | None:
    """Yes or no, in the ways that tables say it; None for anything else."""
    return FLAGS.get(_word(text))


def read_language(text: str) -> str | None:
    """`ja` or `en`; None for anything else."""
    return LANGUAGES.get(_word(text))


def read_event(text: str) -> str | None:
    """The kind of a register event; None for anything else."""
    return EVENTS.get(_word(text))


def read_value(text: str) -> int | str:
    """An attribute's value: a whole number where it is written as one, else the text."""
    return int(text) if INTEGER.fullmatch(text) else text


def _word(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().lower()
