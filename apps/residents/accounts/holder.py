"""The holder of an account in the characters that banks take, and whether it is the registered name. Pure.

Banks write names in one byte a character: digits, capital letters, katakana without small ones, marks of their own for
voiced sounds, space, ( ) - and . (全銀協 規定フォーマット). What they do not take is refused, never left out.
"""

import re
import unicodedata
from enum import StrEnum
from typing import Final

import jaconv

from apps.kernel.errors import KanpuError
from apps.residents.vault.contents import Person, folded

LONGEST: Final = 30  # bytes of a recipient in a transfer
ALLOWED: Final = re.compile(r"[0-9A-Zｱ-ﾝﾞﾟ ().-]+")
MARKS: Final = str.maketrans("‐‑‒–—―−ー〜~・·•", "-" * 10 + "...")
OLD: Final = str.maketrans("ヲヰヱ", "オイエ")


class HolderUnwritable(KanpuError):
    """Banks do not take these characters in a name."""

    code = "holder_unwritable"

    def __init__(self, characters: str) -> None:
        self.characters = characters
        super().__init__(f"Banks do not take {characters!r} in a name: write it in kana or Latin letters, as banks do.")


class HolderTooLong(KanpuError):
    """A transfer has no room for this name."""

    code = "holder_too_long"


class HolderCheck(StrEnum):
    """How the holder's name compares with the register's; a clerk's word on one that differs."""

    MATCHES = "matches"
    ALIAS = "alias"
    FORMER_NAME = "former_name"
    DIFFERS = "differs"
    REVIEWED_OK = "reviewed_ok"
    REVIEWED_BAD = "reviewed_bad"


def holder_kana(text: str) -> str:
    """A name as banks write it, in wide katakana for reading: ジョン・スミス is ジヨン.スミス.

    Raises HolderUnwritable for kanji and whatever else banks do not take, and HolderTooLong.
    """
    name = _plain(text)
    if bad := "".join(dict.fromkeys(c for c in name if not ALLOWED.fullmatch(_narrow(c)))):
        raise HolderUnwritable(bad)
    if len(bank_kana(name)) > LONGEST:
        raise HolderTooLong(
            f"Banks take {LONGEST} characters of a name, a voiced mark counts as one: write the first {LONGEST}."
        )
    return name


def bank_kana(holder: str) -> str:
    """A name as it stands in a transfer: without small kana, half-width, a character a byte in JIS X 0201."""
    return _narrow(_plain(holder))


def holder_check(holder: str, person: Person) -> HolderCheck:
    """Which of a person's registered names the holder's is: spaces, size and kind of kana, dashes do not matter.

    The register has alias and former name as they are written, mostly in kanji: those cannot be compared and differ.
    """
    names = {
        HolderCheck.MATCHES: (person.name_kana, person.name_latin, person.name),
        HolderCheck.ALIAS: (person.name_alias,),
        HolderCheck.FORMER_NAME: (person.former_name,),
    }
    for check, known in names.items():
        if any(_is_same(holder, name) for name in known if name):
            return check
    return HolderCheck.DIFFERS


def comparable(text: str) -> str:
    """A text for comparing: NFKC, capitals, large katakana, without spaces, dots, dashes and long marks."""
    return jaconv.enlarge_smallkana(folded(text)).translate(OLD).replace("ー", "")


def _is_same(holder: str, name: str) -> bool:
    said, known = comparable(holder), comparable(name)
    was_cut = len(bank_kana(holder)) >= LONGEST - 1 and known.startswith(said)  # a voiced one may not fit any more
    return bool(said) and (said == known or was_cut)


def _plain(text: str) -> str:
    name = jaconv.hira2kata(unicodedata.normalize("NFKC", text).upper())
    return " ".join(jaconv.enlarge_smallkana(name).translate(MARKS).translate(OLD).split())


def _narrow(text: str) -> str:
    narrow: str = jaconv.z2h(text, kana=True, ascii=True, digit=True)
    return narrow
