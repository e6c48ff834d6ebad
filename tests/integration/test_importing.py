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
from datetime import date
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.utils import timezone

from apps.residents.models import (
    HouseholdIndex,
    Membership,
    RegisterEvent,
    Resident,
    VaultRecord,
)
from apps.residents.operations.erasing import NothingToErase, erase_resident
from apps.residents.operations.importing.files import MunicipalityMalformed
from apps.residents.queries.vault import ResidentUnknown, resident_by_code, resident_by_number
from apps.residents.register.rows import Defect
from apps.simulator.register import people, write_register
from tests.registers import (
    OSAKA,
    TOKYO,
    Row,
    counts,
    enter,
    events,
    home,
    number,
    one,
    person,
    read,
    who,
    write,
)
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


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
