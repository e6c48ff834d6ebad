"""A register's table is read as municipalities write it; a bad row says where and why and repeats nothing of it."""

import csv
import io
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.residents.register.prepared import Reading, Record, identity_of, prepare, said_in
from apps.residents.register.rows import HEADERS, Defect, Row, Said, TableUnreadable, read_header, read_row
from apps.residents.register.table import read_records, scan
from apps.residents.register.values import read_date
from apps.residents.vault.keys import VaultKeys
from apps.simulator.register import people, write_register

KEYS = VaultKeys({1: b"1" * 32}, {1: b"i" * 32})
GOOD = {
    "individual_number": "983205673214", "resident_code": "12345678901", "name": "髙橋 𠮷子",
    "name_kana": "タカハシ ヨシコ",
    "name_latin": "Takahashi Yoshiko", "birth_date": "1980-02-29", "resident_from": "2017-04-03", "resident_to": "",
    "household": "7", "head": "1", "postal_code": "1000001", "address": "東京都架空市本町1-2-3",
}  # fmt: skip


def read(**changed: str) -> tuple[Row, Said] | Defect:
    fields = GOOD | changed
    return read_row(read_header(list(fields)), list(fields.values()), 7)


def good(**changed: str) -> tuple[Row, Said]:
    found = read(**changed)
    assert not isinstance(found, Defect), found
    return found


@pytest.mark.parametrize("text", [
    "2017-04-03", "2017/4/3", "2017.4.3", "20170403", "平成29年4月3日", "平成２９年４月３日", "H29.4.3", "h29/4/3",
    "Ｈ２９．０４．０３", "㍻29年4月3日", "2017年4月3日", " 2017 年 4 月 3 日",
])  # fmt: skip
def test_a_day_is_read_as_it_is_written(text: str) -> None:
    assert read_date(text) == date(2017, 4, 3)


@pytest.mark.parametrize(("text", "day"), [
    ("明治45年7月29日", date(1912, 7, 29)), ("大正元年7月30日", date(1912, 7, 30)), ("T15.12.24", date(1926, 12, 24)),
    ("昭和元年12月25日", date(1926, 12, 25)), ("昭和64年1月7日", date(1989, 1, 7)),
    ("平成元年1月8日", date(1989, 1, 8)),
    ("平成31年4月30日", date(2019, 4, 30)), ("令和元年5月1日", date(2019, 5, 1)), ("R1.5.1", date(2019, 5, 1)),
])  # fmt: skip
def test_eras_are_counted_from_their_first_year(text: str, day: date) -> None:
    assert read_date(text) == day


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2017-02-29",
        "平成0年1月1日",
        "1950-00-00",
        "2017-W14-1",
        "3.4.2017",
        "皇紀2677年4月3日",
        "9999-12-31",
        "0001-01-01",
        "2200-01-01",
        "1867-12-31",
    ],
)
def test_what_is_no_day_is_none(text: str) -> None:
    assert read_date(text) is None


@given(st.dates(date(1868, 1, 25), date(2099, 12, 31)))
def test_every_day_is_read_back(day: date) -> None:
    for text in (day.isoformat(), f"{day:%Y%m%d}", f"{day.year}/{day.month}/{day.day}"):
        assert read_date(text) == day


def test_a_row_is_read_with_english_or_japanese_headers() -> None:
    japanese = {english: header for header, english in list(HEADERS.items())[::-1]}
    fields = {japanese.get(name, name): text for name, text in GOOD.items()}
    assert "氏名" in fields
    assert read_row(read_header(list(fields)), list(fields.values()), 7) == good()
    row, said = good()
    assert (row.household, row.is_head, row.resident_to, row.line) == ("7", True, None, 7)
    assert (said.name, said.birth_date, said.address.postal_code) == ("髙橋 𠮷子", date(1980, 2, 29), "100-0001")


@pytest.mark.parametrize("text", ["1", "true", "TRUE", "有", "○", "はい", "Yes", "世帯主"])
def test_yes_is_said_in_many_ways(text: str) -> None:
    assert good(head=text)[0].is_head
    assert good(protected=text)[0].is_protected


def test_columns_that_are_not_there_say_nothing_and_empty_ones_little() -> None:
    row, said = good()
    assert (row.is_protected, row.language, said.name_alias, row.attributes) == (None, None, None, {})
    row, said = good(protected="", language="英語", name_alias="", attr_income="1200", attr_kind="0012", attr_none="")
    assert (row.is_protected, row.language, said.name_alias) == (None, "en", "")
    assert row.attributes == {"attr_income": 1200, "attr_kind": "0012", "attr_none": None}


@pytest.mark.parametrize(("changed", "column", "code"), [
    ({"individual_number": "", "resident_code": ""}, "individual_number", "number_missing"),
    ({"individual_number": "98320567321"}, "individual_number", "number_malformed"),
    ({"individual_number": "983205673215"}, "individual_number", "check_digit_wrong"),
    ({"resident_code": "123"}, "resident_code", "code_malformed"),
    ({"name": "  "}, "name", "text_missing"),
    ({"name": "a\tb"}, "name", "text_unprintable"),
    ({"name": "高\ufffd子"}, "name", "character_lost"),
    ({"address": "本町\udc82"}, "address", "character_lost"),
    ({"name_kana": "ア" * 301}, "name_kana", "text_too_long"),
    ({"birth_date": ""}, "birth_date", "date_missing"),
    ({"birth_date": "1950-00-00"}, "birth_date", "date_unreadable"),
    ({"resident_from": "1979-12-31"}, "resident_from", "dates_reversed"),
    ({"resident_to": "2017-04-03"}, "resident_to", "dates_reversed"),
    ({"household": ""}, "household", "household_missing"),
    ({"head": "たぶん"}, "head", "flag_unreadable"),
    ({"language": "fr"}, "language", "language_unknown"),
    ({"postal_code": "12"}, "postal_code", "postal_code_malformed"),
    ({"address": ""}, "address", "text_missing"),
    ({"event": "引退"}, "event", "event_unknown"),
    ({"attr_income": "a" * 301}, "attr_income", "value_unfit"),
])  # fmt: skip
def test_a_bad_row_says_line_column_and_code(changed: dict[str, str], column: str, code: str) -> None:
    found = read(**changed)
    assert isinstance(found, Defect)
    assert found[:3] == (7, column, code)
    assert not any(text and text in found.reason for text in changed.values())


def test_an_event_brings_its_day() -> None:
    row, _ = good(event="死亡", event_date="平成29年10月15日")
    assert (row.event, row.event_date, row.resident_to) == ("death", date(2017, 10, 15), date(2017, 10, 16))
    assert good(event="婚姻")[0].event == "marriage"


@pytest.mark.parametrize(("header", "said"), [
    (["name"], "birth_date"), (["individual_number", "name", "name"], "twice"), (["氏名", "name"], "twice"),
])  # fmt: skip
def test_a_table_without_its_columns_is_refused(header: list[str], said: str) -> None:
    with pytest.raises(TableUnreadable, match=said):
        read_header(header)


def test_columns_that_are_not_known_are_named() -> None:
    assert read_header([*GOOD, "protceted", "性別"]).ignored == ["protceted", "性別"]


def line_of(fields: dict[str, str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(fields.values())
    return text.getvalue()


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufffd"), min_size=1))
def test_any_name_survives_reading_and_sealing_characters_unreplaced(name: str) -> None:
    fields = GOOD | {"name": name, "name_alias": name, "former_name": name}
    reading = Reading(read_header(list(fields)), KEYS, "131121")
    found = prepare(reading, [Record(2, line_of(fields))], ahead=True)
    kept = name.strip()
    if not kept or len(kept) > 300:
        assert found.defects
        return
    person = identity_of(said_in(found.rows[0])).person
    assert person is not None
    assert (person.name, person.name_alias, person.former_name) == (kept, kept, kept)


def test_a_stray_quote_costs_its_own_row_only() -> None:
    reading = Reading(read_header(list(GOOD)), KEYS, "")
    lines = [line_of(GOOD), line_of(GOOD).replace("髙橋", '"髙"橋'), *[line_of(GOOD)] * 30]
    found = prepare(reading, read_records(lines), ahead=False)
    assert [item.row.line for item in found.rows] == [1, *range(3, 33)]
    assert [(defect.line, defect.code) for defect in found.defects] == [(2, "quotes_unbalanced")]


def test_a_quote_that_is_never_closed_costs_its_own_row_only() -> None:
    reading = Reading(read_header(list(GOOD)), KEYS, "")
    lines = [line_of(GOOD), line_of(GOOD).replace("髙橋", '"髙橋'), *[line_of(GOOD)] * 30]
    found = prepare(reading, read_records(lines), ahead=False)
    assert [item.row.line for item in found.rows] == [1, *range(3, 33)]
    assert [(defect.line, defect.code) for defect in found.defects] == [(2, "quotes_unbalanced")]


def test_a_quoted_text_with_a_line_break_is_one_row_whose_line_is_the_first() -> None:
    reading = Reading(read_header(list(GOOD)), KEYS, "")
    lines = [*line_of(GOOD | {"address": "本町\n1"}).splitlines(keepends=True), line_of(GOOD)]
    found = prepare(reading, read_records(lines), ahead=False)
    assert [(defect.line, defect.code) for defect in found.defects] == [(1, "text_unprintable")]
    assert [item.row.line for item in found.rows] == [3]


@pytest.mark.parametrize(
    ("encoding", "found"), [("utf-8", "utf-8-sig"), ("utf-8-sig", "utf-8-sig"), ("cp932", "cp932")]
)
def test_the_encoding_is_found_over_the_whole_file(tmp_path: Path, encoding: str, found: str) -> None:
    file = tmp_path / "register.csv"
    write_register(file, residents=50, encoding=encoding)
    assert scan(file) == (found, 52)
    file.write_bytes(b"#" * (3 << 20) + file.read_bytes())  # Japanese comes late
    assert scan(file).encoding == found


def test_damaged_utf_8_is_not_taken_for_cp932(tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    write_register(file, residents=50)
    file.write_bytes(file.read_bytes() + b"\x80")
    assert scan(file).encoding == "utf-8-sig"


def test_utf_16_is_refused_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    file.write_text("個人番号", encoding="utf-16")
    with pytest.raises(TableUnreadable, match="UTF-8"):
        scan(file)


def test_made_up_people_are_the_same_for_the_same_seed_and_fit_their_households() -> None:
    homes = [("a", 1), ("b", 4)]
    rows = list(people(3, households=homes))
    assert rows == list(people(3, households=homes)) != list(people(4, households=homes))
    assert [row["household"] for row in rows] == ["a", "b", "b", "b", "b"]
    assert [row["head"] for row in rows] == ["1", "1", "", "", ""]
    layout = read_header(list(rows[0]))
    assert not [row for row in rows if isinstance(read_row(layout, list(row.values()), 1), Defect)]
