"""A made-up register: households of people with names, addresses and valid numbers, the same for the same seed.

Nobody in it is real. Numbers are drawn at random and have their check digits; now and then a name needs a character
outside JIS X 0208 (髙, 𠮷, 﨑), and some are foreigners with an alias. Pure, but for `write_register`.
"""

import csv
import random
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from apps.residents.numbers import check_digit
from apps.residents.register.rows import COLUMNS

SIZES: Final = (1, 1, 1, 2, 2, 2, 3, 3, 4, 5)  # about 2.4 a household
NEW_YEAR: Final = date(2017, 1, 1)
FAMILIES: Final = (
    ("佐藤", "サトウ", "Sato"), ("鈴木", "スズキ", "Suzuki"), ("高橋", "タカハシ", "Takahashi"),
    ("田中", "タナカ", "Tanaka"), ("伊藤", "イトウ", "Ito"), ("渡辺", "ワタナベ", "Watanabe"),
    ("山本", "ヤマモト", "Yamamoto"), ("中村", "ナカムラ", "Nakamura"), ("小林", "コバヤシ", "Kobayashi"),
    ("加藤", "カトウ", "Kato"), ("吉田", "ヨシダ", "Yoshida"), ("山田", "ヤマダ", "Yamada"),
    ("松本", "マツモト", "Matsumoto"), ("井上", "イノウエ", "Inoue"), ("木村", "キムラ", "Kimura"),
    ("清水", "シミズ", "Shimizu"), ("斎藤", "サイトウ", "Saito"), ("森", "モリ", "Mori"),
    ("池田", "イケダ", "Ikeda"), ("橋本", "ハシモト", "Hashimoto"),
)  # fmt: skip
RARE: Final = (
    ("髙橋", "タカハシ", "Takahashi"), ("𠮷田", "ヨシダ", "Yoshida"), ("山﨑", "ヤマザキ", "Yamazaki"),
)  # fmt: skip
GIVEN: Final = (
    ("陽菜", "ヒナ", "Hina"), ("蓮", "レン", "Ren"), ("結衣", "ユイ", "Yui"), ("湊", "ミナト", "Minato"),
    ("葵", "アオイ", "Aoi"), ("大翔", "ヒロト", "Hiroto"), ("美咲", "ミサキ", "Misaki"), ("翔太", "ショウタ", "Shota"),
    ("さくら", "サクラ", "Sakura"), ("健一", "ケンイチ", "Kenichi"), ("恵子", "ケイコ", "Keiko"),
    ("浩", "ヒロシ", "Hiroshi"), ("由美子", "ユミコ", "Yumiko"), ("誠", "マコト", "Makoto"),
    ("和子", "カズコ", "Kazuko"), ("正雄", "マサオ", "Masao"), ("千代", "チヨ", "Chiyo"), ("勇", "イサム", "Isamu"),
)  # fmt: skip
FOREIGN: Final = (
    ("NGUYEN", "グエン"), ("SMITH", "スミス"), ("DA SILVA", "ダシルバ"), ("KIM", "キム"), ("TAMANG", "タマン"),
)  # fmt: skip
FOREIGN_GIVEN: Final = (
    ("LAN", "ラン"), ("MARIA", "マリア"), ("JOHN", "ジョン"), ("MINH", "ミン"), ("ANITA", "アニタ"),
)  # fmt: skip
TOWNS: Final = ("本町", "緑町", "港町", "栄町", "東町", "西町", "大字髙尾", "桜ヶ丘")


class Name(NamedTuple):
    """As written, in kana, in Latin letters, and an alias."""

    name: str
    kana: str
    latin: str
    alias: str = ""


def people(
    seed: int, *, households: Iterable[tuple[str, int]] | None = None, today: date = NEW_YEAR
) -> Iterator[dict[str, str]]:
    """The rows of a register without end, or of the households whose numbers and sizes are given.

    In a household the first is the head and an adult, the second another adult, all others children.
    """
    rng = random.Random(seed)  # noqa: S311 - made-up people, the same each time  # nosec B311
    taken: set[int] = set()
    for number, size in households if households is not None else _households(rng):
        family = _family(rng)
        home = _address(rng)
        for place in range(size):
            yield {"household": number, **_person(rng, place, family, today), **_numbers(rng, taken), **home}


def write_register(path: Path, *, residents: int, seed: int = 1, encoding: str = "utf-8") -> None:
    """Write a register of so many people as a CSV file, the last household perhaps a part only.

    What the encoding lacks is written as what it was replaced by in the past (𠮷 as 吉).
    """
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for row in islice(people(seed), residents):
            writer.writerow(row if encoding != "cp932" else {column: _in_jis(text) for column, text in row.items()})


def _in_jis(text: str) -> str:
    return text.replace("𠮷", "吉")


def _households(rng: random.Random) -> Iterator[tuple[str, int]]:
    number = 0
    while True:
        number += 1
        yield f"{number:08}", rng.choice(SIZES)


def _family(rng: random.Random) -> Name:
    drawn = rng.random()
    if drawn < 0.03:
        latin, kana = rng.choice(FOREIGN)
        return Name(latin, kana, latin, rng.choice(FAMILIES)[0])
    return Name(*rng.choice(RARE if drawn < 0.06 else FAMILIES))


def _given(rng: random.Random, family: Name) -> Name:
    if family.alias:
        latin, kana = rng.choice(FOREIGN_GIVEN)
        full = f"{family.latin} {latin}"
        return Name(full, f"{family.kana} {kana}", full, f"{family.alias} {rng.choice(GIVEN)[0]}")
    name, kana, latin = rng.choice(GIVEN)
    return Name(f"{family.name} {name}", f"{family.kana} {kana}", f"{family.latin} {latin}")


def _address(rng: random.Random) -> dict[str, str]:
    town = rng.choice(TOWNS)
    place = f"{rng.randint(1, 9)}丁目{rng.randint(1, 40)}番{rng.randint(1, 30)}号"
    postal_code = f"{rng.randint(100, 999)}-{rng.randint(0, 9999):04}"
    return {"postal_code": postal_code, "address": f"東京都架空市{town}{place}"}


def _numbers(rng: random.Random, taken: set[int]) -> dict[str, str]:
    """Numbers that nobody has yet."""
    while (number := rng.randrange(10**11)) in taken:
        pass
    taken.add(number)
    digits = f"{number:011}"
    return {"individual_number": f"{digits}{check_digit(digits)}", "resident_code": digits[::-1]}


def _person(rng: random.Random, place: int, family: Name, today: date) -> dict[str, str]:
    age = rng.randint(20, 90) if place < 2 else rng.randint(0, 16)
    born = today - timedelta(days=age * 365 + rng.randint(1, 365) + age // 4)
    since = born if rng.random() < 0.5 else born + (today - born) * rng.randint(1, 9) // 10
    name = _given(rng, family)
    return {
        "name": name.name,
        "name_kana": name.kana,
        "name_latin": name.latin,
        "birth_date": born.isoformat(),
        "resident_from": since.isoformat(),
        "resident_to": "",
        "head": "1" if place == 0 else "",
        "name_alias": name.alias,
        "former_name": f"{rng.choice(FAMILIES)[0]} {name.name.split()[-1]}" if rng.random() < 0.02 else "",
        "language": "en" if name.alias else "ja",
        "protected": "1" if rng.random() < 0.001 else "",
        "event": "",
        "event_date": "",
    }
