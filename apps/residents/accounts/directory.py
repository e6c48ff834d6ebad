"""Banks and branches by code, name, kana or Latin letters, from the Zengin list in the package zengin-code. Pure.

The package reads 31,000 branches when it is imported; here its files are read when somebody asks, a bank's at a time.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

from apps.kernel.errors import KanpuError
from apps.residents.accounts.holder import comparable

POST_BANK: Final = "9900"
BANKS_KEPT: Final = 64  # whose branches stay in memory
NOT_MEANT: Final = 3
FIRST_KANA: Final = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワ"
SHORT: Final = {
    "信用金庫": "信金", "信用組合": "信組", "農業協同組合": "農協", "漁業協同組合": "漁協", "労働金庫": "労金",
    "銀行": "", "ギンコウ": "", "BANK": "", "支店": "", "シテン": "", "BRANCH": "",
}  # fmt: skip


class BankUnknown(KanpuError):
    """No bank has this code, or the bank no such branch."""

    code = "bank_unknown"


class Listed(NamedTuple):
    """A bank (code of 4 digits) or a branch (3 digits). `kana` is as banks write it, `roma` in Latin letters."""

    code: str
    name: str
    kana: str
    roma: str


@lru_cache(maxsize=1)
def banks() -> tuple[Listed, ...]:
    """All banks by code."""
    return _listed("banks.json")


@lru_cache(maxsize=BANKS_KEPT)
def branches(bank: str) -> tuple[Listed, ...]:
    """All branches of a bank by code. Raises BankUnknown."""
    return _listed(f"branches/{bank_of(bank).code}.json")


def bank_of(code: str) -> Listed:
    """The bank of a code. Raises BankUnknown."""
    return _of(code, banks())


def branch_of(bank: str, code: str) -> Listed:
    """The branch of a bank's code and its own. Raises BankUnknown."""
    return _of(code, branches(bank))


def find(listed: Sequence[Listed], text: str) -> list[Listed]:
    """Those that a text may mean: named exactly, then beginning with it, then having all of its words somewhere.

    Width, kind and size of kana, long marks and spaces do not matter, nor how Latin letters spell kana, nor words such
    as 銀行 and 支店.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if plain.isdigit() and plain.isascii():
        return [each for each in listed if each.code.startswith(plain)]
    asked = _asked(plain)
    ranked = ((_rank(each, asked), each) for each in listed) if asked.words else ()
    return [each for rank, each in sorted(ranked) if rank < NOT_MEANT]


def of_first_kana(listed: Sequence[Listed], kana: str) -> list[Listed]:
    """Those whose kana begins with this one, voiced or not."""
    return [each for each in listed if _unvoiced(each.kana) == kana]


def first_kana(listed: Sequence[Listed]) -> str:
    """The kana that any of them begins with, voiced ones under the unvoiced."""
    begun = {_unvoiced(each.kana) for each in listed}
    return "".join(kana for kana in FIRST_KANA if kana in begun)


class Asked(NamedTuple):
    """A text in the ways that it is compared: as a whole, with and without what lists leave out, and word by word."""

    whole: tuple[str, ...]
    words: tuple[str, ...]


def _asked(text: str) -> Asked:
    ways = {_spelt(comparable(text)), _spelt(_shortened(comparable(text)))}
    words = (_spelt(_shortened(comparable(word))) for word in text.split() if comparable(word) not in SHORT)
    return Asked(tuple(ways - {""}), tuple(word for word in words if word))


def _rank(each: Listed, asked: Asked) -> int:
    spellings = _spellings(each)
    if any(way in spellings for way in asked.whole):
        return 0
    if any(spelling.startswith(asked.whole) for spelling in spellings):
        return 1
    return 2 if all(any(word in spelling for spelling in spellings) for word in asked.words) else NOT_MEANT


@lru_cache(maxsize=4096)
def _spellings(each: Listed) -> tuple[str, ...]:
    roma = each.roma.upper()
    return _spelt(_shortened(comparable(each.name))), comparable(each.kana), _spelt(roma), roma


def _spelt(text: str) -> str:
    """Latin letters as one of many ways to spell them: TOUKIYOU is TOKYO, CHIYO is CHO."""
    if not text.isascii():
        return text
    text = re.sub(r"(SH|CH|J)IY", r"\1", text.replace("-", ""))
    return re.sub(r"OU|([AEIOU])\1", lambda found: found[0][0], re.sub(r"([KNHMRGBP])IY", r"\1Y", text))


def _shortened(text: str) -> str:
    """Without the words that the list leaves out, as long as something is left."""
    for word, short in SHORT.items():
        if text.endswith(word) and text != word:
            return text.removesuffix(word) + short
    return text


def _unvoiced(kana: str) -> str:
    return unicodedata.normalize("NFD", kana)[:1]


def _of(code: str, listed: Sequence[Listed]) -> Listed:
    for each in listed:
        if each.code == code:
            return each
    raise BankUnknown(f"The list of banks has no code {code!r} here: look the bank and its branch up by name.")


def _listed(path: str) -> tuple[Listed, ...]:
    found: dict[str, dict[str, Any]] = json.loads((_folder() / path).read_text("utf-8"))
    rows = (Listed(each["code"], each["name"], each["kana"], each["roma"]) for each in found.values())
    return tuple(sorted(rows))


@lru_cache(maxsize=1)
def _folder() -> Path:
    spec = find_spec("zengin_code")  # found, not imported
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("Install the package zengin-code.")
    return Path(next(iter(spec.submodule_search_locations))) / "source-data" / "data"
