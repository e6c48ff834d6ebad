"""The municipal register, read again and again: what it says holds, what it changed is dated, what is wrong is said."""

import csv
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.audit.access import Access
from apps.residents.models import (
    Attribute,
    EarlierResidence,
    HouseholdIndex,
    JudgingDue,
    Membership,
    RegisterEvent,
    Resident,
    VaultRecord,
)
from apps.residents.numbers import check_digit
from apps.residents.operations.erasing import NothingToErase, erase_resident
from apps.residents.operations.importing import households, register
from apps.residents.operations.importing.files import MunicipalityMalformed
from apps.residents.queries import was_resident
from apps.residents.queries.register import registered_in
from apps.residents.queries.vault import ResidentUnknown, read_vault, resident_by_code, resident_by_number
from apps.residents.register.rows import Defect
from apps.residents.vault.contents import Identity
from apps.simulator.register import people, write_register
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
NEW_YEAR, AUGUST, NOVEMBER = date(2017, 1, 1), date(2017, 8, 1), date(2017, 11, 1)
TOKYO, OSAKA = "131121", "271004"
Row = dict[str, str]


@pytest.fixture
def keys(transactional_db: None, tmp_path: Path, settings: Any) -> Path:
    """Fresh keys in an otherwise empty database."""
    settings.KANPU_VAULT_KEYS = tmp_path / "vault.json"
    call_command("make_keys", out=tmp_path / "keyring.json", stdout=StringIO())
    return tmp_path / "vault.json"


def number(digits: int) -> str:
    return f"{digits:011}{check_digit(f'{digits:011}')}"


def person(digits: int, **changed: str) -> Row:
    """A row: an adult who has lived in household H since 2010."""
    return {
        "individual_number": number(digits), "resident_code": f"{digits + 7:011}", "name": f"山田 {digits}子",
        "name_kana": "ヤマダ ハナコ", "name_latin": "Yamada Hanako", "birth_date": "1980-05-05",
        "resident_from": "2010-04-01", "resident_to": "", "household": "H", "head": "", "postal_code": "100-0001",
        "address": "東京都架空市本町1-2-3", "name_alias": "", "former_name": "", "language": "ja", "protected": "",
        "event": "", "event_date": "",
    } | changed  # fmt: skip


def write(path: Path, rows: Sequence[Mapping[str, str]], encoding: str = "utf-8") -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path: Path, as_of: date = NEW_YEAR, **options: Any) -> dict[str, Any]:
    """Run the command; its result, whether or not rows were rejected."""
    out = StringIO()
    with suppress(CommandError):
        call_command("import_residents", path, as_of=as_of, json=True, stdout=out, **options)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def enter(*rows: Row, as_of: date = NEW_YEAR, municipality: str = TOKYO) -> list[UUID | Defect]:
    return register(rows, municipality=municipality, as_of=as_of, at=timezone.now(), actor="clerk")


def one(row: Row, as_of: date = NEW_YEAR, municipality: str = TOKYO) -> UUID:
    found = enter(row, as_of=as_of, municipality=municipality)[0]
    assert isinstance(found, UUID), found
    return found


def events(ref: UUID) -> list[tuple[str, date]]:
    return list(RegisterEvent.objects.filter(resident=ref).order_by("pk").values_list("kind", "effective_date"))


def stays(ref: UUID) -> list[tuple[date, date | None, bool]]:
    rows = Membership.objects.filter(resident=ref).order_by("valid")
    return [(row.valid.lower, row.valid.upper, row.is_head) for row in rows]


def home(ref: UUID) -> UUID:
    return Membership.objects.filter(resident=ref).latest("valid").household_ref


def who(ref: UUID) -> Identity:
    access = Access("tester", "registry_clerk", "Test office", "test")
    return read_vault([ref], ["individual_number", "person", "address"], access=access, at=timezone.now())[ref]


def counts(found: dict[str, Any]) -> tuple[int, int, int, int]:
    return found["added"], found["updated"], found["unchanged"], found["rejected"]


def test_the_same_file_twice_changes_nothing(keys: Path, tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    write_register(file, residents=500)
    assert counts(read(file, municipality=TOKYO)) == (500, 0, 0, 0)
    before = [list(model.objects.order_by("pk").values()) for model in (VaultRecord, RegisterEvent, Membership)]
    again = read(file, municipality=TOKYO, as_of=date(2017, 6, 1))
    assert (*counts(again), again["household_stays"], again["warnings"]) == (0, 0, 500, 0, 0, 0)
    assert before == [list(model.objects.order_by("pk").values()) for model in (VaultRecord, RegisterEvent, Membership)]
    assert {event.kind for event in RegisterEvent.objects.all()} <= {"register", "birth"}
    assert set(Resident.objects.values_list("municipality", flat=True)) == {TOKYO}


def test_names_come_back_as_they_are_written(keys: Path) -> None:
    row = person(1, name="髙橋 𠮷子", name_alias="山﨑 𠮷子", former_name="德川 𠮷子", address="髙尾町𠮷1番")
    ref = one(row)
    found = who(ref)
    assert found.individual_number == number(1)
    assert found.person
    assert found.address
    assert (found.person.name, found.person.name_alias) == ("髙橋 𠮷子", "山﨑 𠮷子")
    assert (found.person.former_name, found.address.address) == ("德川 𠮷子", "髙尾町𠮷1番")
    assert resident_by_number(number(1)) == resident_by_code("00000000008") == ref


def test_cp932_is_read_as_windows_writes_it(keys: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "register.csv", [person(1, name="髙橋 ①子", address="山﨑町1－2")], encoding="cp932")
    found = read(file)
    assert (found["encoding"], counts(found)) == ("cp932", (1, 0, 0, 0))
    identity = who(resident_by_number(number(1)))
    assert identity.person
    assert identity.address
    assert (identity.person.name, identity.address.address) == ("髙橋 ①子", "山﨑町1－2")


def test_bad_rows_are_kept_apart_with_line_and_reason_and_nothing_of_theirs(keys: Path, tmp_path: Path) -> None:
    rows = [
        person(1, head="1"), person(2, individual_number="123456789012"), person(3, birth_date="昭和"), person(1),
        person(4, individual_number="", resident_code="99999999999"), person(5),
    ]  # fmt: skip
    file, rejects = write(tmp_path / "register.csv", rows), tmp_path / "rejects.csv"
    found = read(file, rejects=rejects)
    assert counts(found) == (2, 0, 0, 4)
    assert stat.S_IMODE(rejects.stat().st_mode) == 0o600
    with rejects.open() as lines:
        listed = [(row["line"], row["column"], row["code"]) for row in csv.DictReader(lines)]
    assert listed == [
        ("3", "individual_number", "check_digit_wrong"), ("4", "birth_date", "date_unreadable"),
        ("5", "individual_number", "repeated"), ("6", "individual_number", "resident_unknown"),
    ]  # fmt: skip
    said = json.dumps(found, ensure_ascii=False) + rejects.read_text()
    assert not any(text in said for row in rows for name, text in row.items() if len(text) > 4 and "date" not in name)
    mended = write(file, [person(2), person(3, head="")])
    assert counts(read(mended)) == (2, 0, 0, 0)


def test_a_repeated_number_far_down_the_file_is_found(keys: Path, tmp_path: Path) -> None:
    rows = list(islice(people(1), 4_500))
    file = write(tmp_path / "register.csv", [*rows, rows[0]])
    found = read(file)
    assert counts(found) == (4_500, 0, 0, 1)
    assert found["first_defects"][0].startswith("line 4502 ")
    assert counts(read(file)) == (0, 0, 4_500, 1)


def test_a_dry_run_says_the_same_and_writes_nothing(keys: Path, tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    write_register(file, residents=3_000)
    dry = read(file, dry_run=True)
    assert not any(model.objects.exists() for model in (Resident, VaultRecord, HouseholdIndex, RegisterEvent))
    wet = read(file)
    assert dry | {"dry_run": False} == wet
    assert wet["household_stays"] == Membership.objects.count() == 3_000


def test_updates_are_dated_events(keys: Path) -> None:
    ref = one(person(1))
    one(person(1, name="佐藤 花子", former_name="山田", event="婚姻", event_date="2017-06-10"), as_of=date(2017, 6, 20))
    one(person(1, name="佐藤 花子", former_name="山田", address="東町9", protected="有"), as_of=date(2017, 7, 3))
    assert events(ref) == [
        ("register", date(2010, 4, 1)), ("marriage", date(2017, 6, 10)),
        ("address", date(2017, 7, 3)), ("protection", date(2017, 7, 3)),
    ]  # fmt: skip
    assert Resident.objects.get(pk=ref).is_protected
    found = who(ref).person
    assert found
    assert found.former_name == "山田"


def test_what_a_file_does_not_say_stays_as_it_was(keys: Path) -> None:
    ref = one(person(1, protected="1", language="en", name_alias="Hana"))
    less = {name: text for name, text in person(1).items() if name not in ("protected", "language", "name_alias")}
    one(less | {"resident_code": "", "head": "1"})
    resident = Resident.objects.get(pk=ref)
    found = who(ref).person
    assert found
    assert (resident.is_protected, resident.language, found.name_alias) == (True, "en", "Hana")
    assert resident_by_code("00000000008") == ref


def test_a_changed_number_is_an_event_and_the_old_one_finds_nobody(keys: Path) -> None:
    ref = one(person(1))
    assert one(person(1, individual_number=number(2)), as_of=date(2017, 6, 1)) == ref
    assert events(ref)[1:] == [("number", date(2017, 6, 1))]
    assert resident_by_number(number(2)) == ref
    with pytest.raises(ResidentUnknown):
        resident_by_number(number(1))


def test_same_name_and_birth_date_are_not_the_same_person(keys: Path) -> None:
    assert one(person(1)) != one(person(2, name=person(1)["name"]))


def test_number_and_code_of_two_people_are_refused(keys: Path) -> None:
    enter(person(1), person(2))
    found = enter(person(1, resident_code=person(2)["resident_code"]))[0]
    assert isinstance(found, Defect)
    assert found.code == "code_of_another"


def test_a_number_that_was_given_to_somebody_else_does_not_turn_one_person_into_another(keys: Path) -> None:
    """As when the numbers of two people are swapped: neither is changed. A name or a birth date alone may be mended."""
    other = {"name": "鈴木 一郎", "name_kana": "スズキ イチロウ", "birth_date": "1955-01-01"}
    ref = one(person(1))
    found = enter(person(1, **other))[0]
    assert isinstance(found, Defect)
    assert found.code == "number_of_another"
    assert who(ref).person == who(one(person(1))).person
    assert one(person(1, birth_date="1980-05-06")) == ref
    assert one(person(1, name="鈴木 花子", name_kana="スズキ ハナコ", birth_date="1980-05-06")) == ref


def test_protection_ends_only_where_the_file_says_so(keys: Path) -> None:
    ref = one(person(1, protected="1"))
    for written, stays in (("", True), ("0", False)):
        one(person(1, protected=written, address=f"東町{written}9"))
        assert Resident.objects.get(pk=ref).is_protected is stays


def test_a_mistyped_code_does_not_turn_one_person_into_another(keys: Path) -> None:
    enter(person(1))
    found = enter(person(3, resident_code=person(1)["resident_code"], birth_date="1955-01-01"))[0]
    assert isinstance(found, Defect)
    assert found.code == "code_of_another"
    assert resident_by_number(number(1)) == resident_by_code(person(1)["resident_code"])


@pytest.mark.parametrize("said", [
    {"resident_to": "9999-12-31"}, {"event": "死亡", "event_date": "9999-12-31"}, {"event_date": "9999-12-31"},
    {"resident_from": "0001-01-02", "birth_date": "0001-01-01"},
])  # fmt: skip
def test_a_day_beyond_calendars_is_a_bad_row_and_costs_no_other(keys: Path, tmp_path: Path, said: Row) -> None:
    found = read(write(tmp_path / "register.csv", [person(1, **said), person(2)]))
    assert counts(found) == (1, 0, 0, 1)
    assert "[date_unreadable]" in found["first_defects"][0]


def test_a_municipality_is_named_by_its_code(keys: Path) -> None:
    with pytest.raises(MunicipalityMalformed):
        enter(person(1), municipality="Chiyoda")


def test_who_is_in_a_household_is_so_by_months(keys: Path) -> None:
    head, child = enter(person(1, head="1"), person(2, birth_date="2012-03-03", resident_from="2012-03-03"))
    assert isinstance(head, UUID)
    assert isinstance(child, UUID)
    assert home(head) == home(child)
    assert stays(child) == [(date(2012, 3, 1), None, False)]
    assert Membership.objects.get(resident=child).payee_id == head
    one(
        person(1, household="K", head="1", event="転居", event_date="2017-07-15", address="西町2"),
        as_of=date(2017, 7, 20),
    )
    assert stays(head) == [(date(2010, 4, 1), AUGUST, True), (AUGUST, None, True)]
    assert events(head)[1:] == [("address", date(2017, 7, 15)), ("household", date(2017, 7, 15))]


@pytest.mark.parametrize("together", [500, 1])
def test_two_people_swap_households_and_heads_however_far_apart_they_stand(
    keys: Path, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(households, "TOGETHER", together)
    one_, two = enter(person(1, head="1"), person(2, household="K", head="1"))
    again = [person(1, household="K", head="1"), person(2, household="H", head="1")]
    assert enter(*again, as_of=AUGUST) == [one_, two]
    assert isinstance(one_, UUID)
    assert isinstance(two, UUID)
    assert stays(one_) == stays(two) == [(date(2010, 4, 1), AUGUST, True), (AUGUST, None, True)]
    assert len(set(Membership.objects.values_list("household_ref", flat=True))) == 2


def test_a_second_head_is_refused_and_the_household_stays_as_it_was(keys: Path) -> None:
    head = one(person(1, head="1"))
    found = enter(person(2, head="1"))[0]
    assert isinstance(found, Defect)
    assert (found.column, found.code) == ("head", "second_head")
    second = resident_by_number(number(2))
    assert stays(second) == []
    found = enter(person(2, head="1", address="南町"), as_of=AUGUST)[0]
    assert isinstance(found, Defect)
    assert one(person(2)) == second
    assert stays(second) == [(date(2010, 4, 1), None, False)]
    found = enter(person(2, head="1"), as_of=AUGUST)[0]
    assert isinstance(found, Defect)
    assert stays(second) == [(date(2010, 4, 1), None, False)]
    assert stays(head) == [(date(2010, 4, 1), None, True)]


def test_a_death_ends_the_stay_with_the_month_after_and_leaves_a_household_without_head(
    keys: Path, tmp_path: Path
) -> None:
    head, wife = enter(person(1, head="1"), person(2))
    assert isinstance(head, UUID)
    file = write(tmp_path / "register.csv", [person(1, head="1", event="死亡", event_date="2017-10-15")])
    found = read(file, as_of=date(2017, 10, 20), municipality=TOKYO)
    assert (counts(found), found["warnings"]) == ((0, 1, 0, 0), 1)
    assert "household_without_head" in found["first_defects"][0]
    assert Resident.objects.get(pk=head).resident_to == date(2017, 10, 16)
    assert stays(head) == [(date(2010, 4, 1), NOVEMBER, True)]
    assert events(head)[1:] == [("death", date(2017, 10, 15))]
    assert enter(person(2, head="1"), as_of=date(2017, 10, 20)) == [wife]
    assert isinstance(wife, UUID)
    assert stays(wife) == [(date(2010, 4, 1), NOVEMBER, False), (NOVEMBER, None, True)]


def test_a_head_who_died_and_the_one_who_followed_are_read_from_one_file_in_any_order(keys: Path) -> None:
    dead = person(1, head="1", resident_to="2015-03-15", resident_from="1999-04-01")
    for digits, rows in ((1, [dead, person(2, head="1")]), (11, [person(12, head="1", household="L"), dead])):
        if digits == 11:
            rows[1] = person(11, head="1", household="L", resident_to="2015-03-15", resident_from="1999-04-01")
        assert not [found for found in enter(*rows) if isinstance(found, Defect)]
        assert not [found for found in enter(*rows, as_of=AUGUST) if isinstance(found, Defect)]
        assert stays(resident_by_number(number(digits + 1)))[-1][1:] == (None, True)
    assert Membership.objects.filter(is_head=True, valid__upper_inf=True).count() == 2


def test_born_in_june_moved_in_august_died_in_october(keys: Path) -> None:
    enter(person(1, head="1"), person(2, household="K", head="1"))
    newborn = person(3, birth_date="2017-06-10", resident_from="2017-06-10", event="出生", event_date="2017-06-10")
    ref = one(newborn, as_of=date(2017, 6, 20))
    moved = newborn | {"household": "K", "event": "転居", "event_date": "2017-08-01"}
    one(moved, as_of=date(2017, 8, 5))
    one(moved | {"event": "死亡", "event_date": "2017-10-15"}, as_of=date(2017, 10, 20))
    assert stays(ref) == [(date(2017, 6, 1), AUGUST, False), (AUGUST, NOVEMBER, False)]
    assert events(ref) == [
        ("birth", date(2017, 6, 10)), ("address", AUGUST), ("household", AUGUST), ("death", date(2017, 10, 15))
    ]  # fmt: skip
    payees = Membership.objects.filter(resident=ref).order_by("valid").values_list("payee_id", flat=True)
    assert list(payees) == [resident_by_number(number(1)), resident_by_number(number(2))]


def test_a_childs_share_goes_to_the_next_head_and_to_the_child_once_grown(keys: Path) -> None:
    head, other, child = enter(person(1, head="1"), person(2), person(3, birth_date="1999-12-01"))
    assert isinstance(child, UUID)
    enter(person(1), person(2, head="1"), as_of=AUGUST)
    assert Membership.objects.get(resident=child).payee_id == other
    enter(person(3, birth_date="1999-12-01"), as_of=date(2017, 12, 1))
    assert Membership.objects.get(resident=child).payee_id is None
    assert head != other


def test_attributes_are_dated_from_the_day_of_the_file(keys: Path) -> None:
    ref = one(person(1, attr_income_minor="1200", attr_class="A"))
    one(person(1, attr_income_minor="900", attr_class=""), as_of=AUGUST)
    rows = Attribute.objects.filter(resident=ref).order_by("name", "valid").values_list("name", "value", "valid")
    assert [(name, value, span.lower, span.upper) for name, value, span in rows] == [
        ("attr_class", "A", NEW_YEAR, AUGUST), ("attr_income_minor", 1200, NEW_YEAR, AUGUST),
        ("attr_income_minor", 900, AUGUST, None),
    ]  # fmt: skip
    assert events(ref)[1:] == [("attribute", AUGUST)]


def test_who_comes_back_was_not_resident_in_between(keys: Path) -> None:
    ref = one(person(1, head="1"))
    one(person(1, head="1", resident_to="2017-04-15", event="転出"), as_of=date(2017, 4, 20))
    back = person(1, head="1", resident_from="2017-09-10", event="転入", event_date="2017-09-10")
    assert one(back, as_of=date(2017, 9, 12)) == ref
    assert [was_resident(ref, date(2017, month, 10)) for month in (3, 4, 5, 9)] == [True, True, False, True]
    assert events(ref)[1:] == [("move_out", date(2017, 4, 15)), ("move_in", date(2017, 9, 10))]
    assert stays(ref) == [(date(2010, 4, 1), date(2017, 5, 1), True), (date(2017, 9, 1), None, True)]
    [registered] = registered_in(2017)
    assert [stretch[1:] for stretch in registered.stretches] == [(1, 4), (9, 12)]
    assert one(back, as_of=NOVEMBER) == ref
    assert EarlierResidence.objects.count() == 1


def test_who_moves_to_another_municipality_stays_resident_whichever_file_comes_first(keys: Path) -> None:
    ref = one(person(1))
    left = person(1, resident_to="2017-08-01")
    came = person(1, resident_from="2017-08-01", household="88", address="大阪府架空市")
    one(came, as_of=AUGUST, municipality=OSAKA)
    one(left, as_of=AUGUST)
    one(left, as_of=NOVEMBER)
    resident = Resident.objects.get(pk=ref)
    assert (resident.municipality, resident.resident_from, resident.resident_to) == (OSAKA, AUGUST, None)
    assert all(was_resident(ref, date(2017, month, 1)) for month in range(1, 13))
    assert stays(ref) == [(date(2010, 4, 1), AUGUST, False), (AUGUST, None, False)]
    assert sorted(events(ref)[1:]) == [("address", AUGUST), ("household", AUGUST), ("move_in", AUGUST)]
    address = who(ref).address
    assert address
    assert address.address == "大阪府架空市"


def test_days_that_lose_residence_have_purchases_judged_again(keys: Path) -> None:
    ref = one(person(1))
    one(person(1, resident_to="2017-08-01"))
    assert [(due.resident_id, due.since) for due in JudgingDue.objects.all()] == [
        (ref, datetime(2017, 7, 31, 15, tzinfo=UTC))
    ]
    one(person(1, resident_to="2199-01-01"))
    one(person(1, resident_to="2199-02-01"))
    assert JudgingDue.objects.count() == 2


def test_an_erased_resident_is_gone_for_good_and_the_number_is_a_new_one(keys: Path) -> None:
    ref = one(person(1, head="1"))
    call_command("erase_resident", ref, reason="request 12/2017", stdout=StringIO())
    record = VaultRecord.objects.get(pk=ref)
    assert record.erased_at
    assert not any((record.individual_number, record.person, record.address, record.person_index, record.content_mac))
    assert events(ref)[-1][0] == "erasure"
    with pytest.raises(NothingToErase):
        erase_resident(ref, reason="again", at=timezone.now(), actor="test")
    with pytest.raises(ResidentUnknown):
        resident_by_number(number(1))
    assert one(person(1)) != ref
    assert Membership.objects.filter(resident=ref).exists()


def test_a_household_is_found_again_by_its_number_and_kept_sealed(keys: Path) -> None:
    first, second = enter(person(1, household="H-7"), person(2, household="H-7"))
    elsewhere = one(person(3, household="H-7"), municipality=OSAKA)
    assert isinstance(first, UUID)
    assert isinstance(second, UUID)
    assert home(first) == home(second) != home(elsewhere)
    assert not [row for row in HouseholdIndex.objects.all() if b"H-7" in bytes(row.number)]


def test_after_its_keys_are_rotated_the_same_file_changes_nothing(keys: Path, tmp_path: Path, settings: Any) -> None:
    settings.KANPU_KEYRING = tmp_path / "keyring.json"
    path = write(tmp_path / "a.csv", list(islice(people(5), 60)))
    read(path)
    homes = HouseholdIndex.objects.count()
    for kind in ("vault", "vault-index"):
        call_command("rotate_keys", kind, stdout=StringIO())
        for version in ("key_version", "index_version"):
            versions = {*HouseholdIndex.objects.values_list(version), *VaultRecord.objects.values_list(version)}
            assert len(versions) == 1
        assert counts(read(path))[0] == 0  # nobody is new
    assert counts(read(path)) == (0, 0, 60, 0)
    assert HouseholdIndex.objects.count() == homes
    assert set(RegisterEvent.objects.values_list("kind", flat=True)) == {"register"}


@pytest.mark.long
@pytest.mark.parametrize("at_once", [1_000])
def test_an_import_that_is_killed_is_run_again(
    world: World, vault_keys: Path, database_url: str, tmp_path: Path, at_once: int
) -> None:
    file = tmp_path / "register.csv"
    write_register(file, residents=30_000)
    environment = {**os.environ, "DATABASE_URL": database_url, "KANPU_VAULT_KEYS": str(vault_keys)}
    command = [sys.executable, "manage.py", "import_residents", str(file), "--as-of", "2017-01-01", "--json"]
    process = subprocess.Popen(
        command, cwd=django_settings.BASE_DIR, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while VaultRecord.objects.count() < at_once:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 0 < VaultRecord.objects.count() < 30_000
    done = subprocess.run(command, cwd=django_settings.BASE_DIR, env=environment, capture_output=True, check=True)
    found = json.loads(done.stdout)
    assert found["added"] + found["unchanged"] == VaultRecord.objects.count() == Membership.objects.count() == 30_000
    assert found["unchanged"] > 0
    assert Counter(RegisterEvent.objects.values_list("resident", flat=True)).most_common(1)[0][1] == 1


@pytest.mark.long
def test_memory_stays_flat(world: World, vault_keys: Path, database_url: str, tmp_path: Path) -> None:
    environment = {**os.environ, "DATABASE_URL": database_url, "KANPU_VAULT_KEYS": str(vault_keys)}
    peaks = []
    for residents in (20_000, 60_000):
        file = tmp_path / f"{residents}.csv"
        write_register(file, residents=residents)
        process = subprocess.Popen(
            [sys.executable, "manage.py", "import_residents", str(file), "--json"],
            cwd=django_settings.BASE_DIR, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0
        peaks.append(usage.ru_maxrss)
    assert peaks[1] < peaks[0] * 1.15
