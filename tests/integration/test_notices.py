"""Letters that a card is ready: who gets one, what they say, and that no crash loses or doubles a code."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from datetime import timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.utils import timezone
from pypdf import PdfReader

from apps.audit.models import AccessRecord, Officer
from apps.portal.documents.notices import Letter, Sender, notices_pdf
from apps.portal.models import Account
from apps.portal.operations import notices as printing
from apps.residents.models import Card, Notice, Resident
from apps.residents.notice_codes import CODE_LENGTH, code_hash, new_code, notice_number, noticed_pk, typed
from apps.residents.operations import register_residents
from apps.residents.operations.returned_letters import NoticeMissing, NoticeReturned, record_returned
from tests.identities import enter
from tests.world import World
from tests.year_end import Died

pytestmark = pytest.mark.django_db(transaction=True)
PORTAL = "https://kanpu.example.jp"
CODE = re.compile(r"\b([0-9A-HJKMNP-TV-Z]{4}(?: [0-9A-HJKMNP-TV-Z]{4}){3})\b")


@pytest.fixture
def town(world: World, settings: Any) -> World:
    """Both residents are in the vault; letters name the portal."""
    settings.KANPU_PORTAL_URL = PORTAL
    for ref in world.residents:
        enter(ref)
    return world


def print_all(folder: Path, *options: str, whose: tuple[str, ...] = ("--all",), ok: bool = True) -> dict[str, Any]:
    out = StringIO()
    try:
        call_command("print_notices", *whose, "--out", str(folder), "--json", *options, stdout=out)
    except SystemExit:
        assert not ok
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


def pages(folder: Path) -> list[str]:
    found = []
    for path in sorted(folder.glob("*.pdf")):
        found += [page.extract_text() for page in PdfReader(BytesIO(path.read_bytes())).pages]
    return found


def codes(folder: Path) -> list[str]:
    return [typed(match) for text in pages(folder) for match in CODE.findall(text)]


def assert_every_letter_works_once(folder: Path, letters: int) -> None:
    """Each letter's code is one live notice's, of a resident of its own."""
    found = codes(folder)
    assert len(found) == len(pages(folder)) == letters
    notices = [Notice.objects.get(code_hash=code_hash(code), spent_at=None) for code in found]
    assert len({notice.resident_id for notice in notices}) == letters
    assert all(notice.printed_at for notice in notices)


def test_who_has_a_card_gets_one_letter_and_only_its_hash_is_kept(town: World, tmp_path: Path, caplog: Any) -> None:
    caplog.set_level(logging.DEBUG)
    register_residents([timezone.localdate()], at=timezone.now(), actor="test")  # no card
    result = print_all(tmp_path)
    assert result["letters"] == 2
    assert_every_letter_works_once(tmp_path, 2)
    (file,) = tmp_path.glob("*.pdf")
    assert file.stat().st_mode & 0o777 == 0o600
    (listed,) = json.loads((tmp_path / "manifest.json").read_text())["files"]
    assert (listed["file"], listed["letters"]) == (file.name, 2)
    stored = json.dumps(
        list(Notice.objects.values()),
        default=lambda value: bytes(value).hex() if isinstance(value, memoryview) else str(value),
    )
    for code in codes(tmp_path):
        assert code not in caplog.text + json.dumps(result) + stored
        assert code.encode().hex() not in stored
    assert print_all(tmp_path)["letters"] == 0


def test_a_letter_says_who_and_where_and_has_every_character_of_a_name(town: World, tmp_path: Path) -> None:
    ref = town.residents[0]
    Card.objects.filter(resident=ref).update(active_from=None)
    print_all(tmp_path, "--office", "千代田区役所", whose=("--resident", str(ref)))
    (text,) = pages(tmp_path)
    for words in ("𠮷田 髙子 様", "〒100-0001", "東京都千代田区千代田1-1", "千代田区役所", f"{PORTAL}/activate"):
        assert words in text
    notice = Notice.objects.get()
    assert text.count(notice.number) == 2
    assert text.index("カードの準備ができました") < text.index("Your card is ready")
    Resident.objects.filter(pk=ref).update(language="en")
    print_all(tmp_path / "en", whose=("--resident", str(ref)))
    (text,) = pages(tmp_path / "en")
    assert text.index("Your card is ready") < text.index("カードの準備ができました")
    assert notice.expires_at - notice.created_at == timedelta(days=180)


def test_the_qr_code_has_the_address_and_the_code_in_its_fragment(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    def draw(text: str) -> str:
        drawn.append(text)
        return "<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'/>"

    monkeypatch.setattr("apps.portal.documents.notices.qr_svg", draw)
    today = timezone.localdate()
    letter = Letter("1", "x", "1", "x", "ja", "0123456789ABCDEF", to_fetch=True)
    notices_pdf([letter], Sender(PORTAL + "/", "", today, today))
    assert drawn == [f"{PORTAL}/activate#0123456789ABCDEF"]


def test_reading_names_and_addresses_is_on_record_for_each_resident(town: World, tmp_path: Path) -> None:
    print_all(tmp_path)
    records = AccessRecord.objects.filter(purpose="card notices", what="vault:person,address", role="operator")
    assert set(records.values_list("resident_ref", flat=True)) == set(town.residents)


def test_whom_no_letter_reaches_is_reported_and_the_others_are_printed(
    town: World, tmp_path: Path, world: World
) -> None:
    one, two = town.residents
    for name, reason in (("\N{GRINNING FACE}田", "document_unprintable"), (None, "no_address")):
        Resident.objects.get(pk=one).vault.delete()
        if name:
            enter(one, name=name)
        Notice.objects.all().delete()
        result = print_all(tmp_path / reason, ok=False)
        assert result["skipped"] == [{"resident_ref": str(one), "reason": reason}]
        assert_every_letter_works_once(tmp_path / reason, 1)
        assert Notice.objects.get().resident_id == two
        assert "\N{GRINNING FACE}" not in json.dumps(result, ensure_ascii=False)


def test_a_letter_is_for_whom_it_is_chosen(town: World, tmp_path: Path) -> None:
    one, two = town.residents
    Resident.objects.filter(pk=one).update(municipality="131016")
    assert print_all(tmp_path / "1", whose=("--municipality", "131016"))["letters"] == 1
    Account.objects.create(user=User.objects.create_user("two"), resident_ref=two)
    assert print_all(tmp_path / "2")["letters"] == 0
    assert print_all(tmp_path / "3", whose=("--resident", str(two)))["letters"] == 1
    Resident.objects.filter(pk=one).update(resident_to=timezone.localdate())
    Notice.objects.all().delete()
    assert print_all(tmp_path / "4")["letters"] == 0
    with pytest.raises(CommandError, match="nobody_due"):
        print_all(tmp_path / "5", whose=("--resident", str(UUID(int=1))))


def test_protected_residents_letters_are_printed_by_a_named_officer_in_files_of_their_own(
    town: World, tmp_path: Path
) -> None:
    one, two = town.residents
    Resident.objects.filter(pk=one).update(is_protected=True)
    assert print_all(tmp_path)["protected_left_out"] == 1
    assert Notice.objects.get().resident_id == two
    with pytest.raises(CommandError, match="protected"):
        print_all(tmp_path, whose=("--resident", str(one)))
    clerk = User.objects.create_user("clerk")
    with pytest.raises(CommandError, match="not_a_protected_officer"):
        print_all(tmp_path, "--protected", "--by", "clerk")
    clerk.groups.add(Group.objects.get_or_create(name="protected_officer")[0])
    Officer.objects.create(user=clerk, office="Chiyoda")
    assert print_all(tmp_path, "--protected", "--by", "clerk")["letters"] == 1
    assert len(list(tmp_path.glob("protected-notices-*.pdf"))) == 1
    record = AccessRecord.objects.get(resident_ref=one)
    assert (record.actor, record.office, record.role) == ("user:clerk", "Chiyoda", "protected_officer")


def test_a_newer_letter_voids_the_older_and_an_expired_one_is_printed_anew(town: World, tmp_path: Path) -> None:
    ref = town.residents[0]
    print_all(tmp_path / "1")
    print_all(tmp_path / "2", whose=("--resident", str(ref)))
    assert list(Notice.objects.filter(resident=ref).order_by("pk").values_list("spent_at", flat=True))[1] is None
    assert Notice.objects.filter(resident=ref, spent_at=None).count() == 1
    Notice.objects.filter(resident=ref).update(expires_at=timezone.now())
    assert print_all(tmp_path / "3")["letters"] == 1


@pytest.mark.parametrize("where", ["draw_codes", "notices_pdf", "write_whole", "mark_printed", "rename"])
def test_wherever_printing_dies_no_code_is_lost_or_printed_twice(
    town: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def die(*_: Any, **__: Any) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(Path if where == "rename" else printing, where, die)
        with pytest.raises(Died):
            print_all(tmp_path, "--per-file", "1")
    result = print_all(tmp_path)
    assert not list(tmp_path.glob("*.part"))
    assert result["letters"] == (1 if where == "mark_printed" else 2)
    assert result["drawn_anew"] == (1 if where in ("notices_pdf", "write_whole", "rename") else 0)
    assert_every_letter_works_once(tmp_path, 2)
    listed = json.loads((tmp_path / "manifest.json").read_text())["files"]
    assert sum(file["letters"] for file in listed) == 2


@pytest.mark.parametrize(("where", "whole"), [("mark_printed", 2), ("notices_pdf", 1)])
def test_whole_files_are_listed_where_they_lie_when_printing_goes_on_in_another_folder(
    town: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, whole: int
) -> None:
    """Their residents get no other letter, so these are to be posted."""
    real, calls = getattr(printing, where), []

    def die_at_the_second(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise Died
        return real(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(printing, where, die_at_the_second)
        with pytest.raises(Died):
            print_all(tmp_path / "a", "--per-file", "1")
    assert print_all(tmp_path / "b")["letters"] == 2 - whole
    listed = json.loads((tmp_path / "a" / "manifest.json").read_text())["files"]
    assert {file["file"] for file in listed} == {path.name for path in (tmp_path / "a").glob("*.pdf")}
    assert sum(file["letters"] for file in listed) == whole


@pytest.mark.long
def test_a_killed_process_is_resumed(town: World, tmp_path: Path, processes: Any) -> None:
    now = timezone.now()
    residents = register_residents([timezone.localdate()] * 30, at=now, actor="test")
    for number, resident in enumerate(residents):
        enter(resident.ref)
        Card.objects.create(
            resident=resident, card_index=bytes([number]) * 32, issuer_version=1, valid_from=now,
            valid_until=now + timedelta(days=9), active_from=now,
        )  # fmt: skip
    command = [sys.executable, "manage.py", "print_notices", "--all", "--out", str(tmp_path / "out"), "--per-file", "2"]
    environment = {**os.environ, "KANPU_PORTAL_URL": PORTAL}
    for _ in range(3):
        running = subprocess.Popen(
            command, cwd=django_settings.BASE_DIR, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        seen = len(list((tmp_path / "out").glob("*.pdf")))
        while running.poll() is None and len(list((tmp_path / "out").glob("*.pdf"))) < seen + 3:
            time.sleep(0.005)
        running.send_signal(signal.SIGKILL)
        running.wait()
    subprocess.run(command, cwd=django_settings.BASE_DIR, env=environment, check=True, capture_output=True)
    assert_every_letter_works_once(tmp_path / "out", 32)


def test_two_do_not_print_at_once(town: World, tmp_path: Path, processes: Any) -> None:
    environment = {**os.environ, "KANPU_PORTAL_URL": PORTAL}
    with printing._nobody_else_prints():
        done = subprocess.run(
            [sys.executable, "manage.py", "print_notices", "--all", "--out", str(tmp_path / "out")],
            cwd=django_settings.BASE_DIR, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert "printing_elsewhere" in done.stderr
    assert not Notice.objects.exists()


def test_a_letter_that_came_back_voids_its_code_and_is_recorded_once(town: World, tmp_path: Path) -> None:
    print_all(tmp_path, whose=("--resident", str(town.residents[0])))
    notice = Notice.objects.get()
    with pytest.raises(NoticeMissing):
        record_returned(notice.pk + 999, office="", at=timezone.now(), actor="user:clerk")
    first = record_returned(notice.pk, office="", at=timezone.now(), actor="user:clerk")
    assert first.spent_at == first.returned_at
    with pytest.raises(NoticeReturned):
        record_returned(notice.pk, office="", at=timezone.now(), actor="user:other")
    assert Notice.objects.get().returned_by == "user:clerk"
    assert print_all(tmp_path)["letters"] == 2  # the address may have been mended


def test_without_the_portals_address_nothing_is_printed(world: World, tmp_path: Path, settings: Any) -> None:
    settings.KANPU_PORTAL_URL = ""
    with pytest.raises(CommandError, match="KANPU_PORTAL_URL"):
        print_all(tmp_path)


def test_codes_are_read_as_they_were_meant() -> None:
    code = new_code()
    assert len(code) == CODE_LENGTH
    assert len({new_code() for _ in range(1000)}) == 1000
    assert typed(f" {code[:4].lower()}-{code[4:9]} {code[9:]} ") == code
    assert typed("OIL0 ｏｉｌ１") == "01100111"


def test_a_letters_number_finds_no_other_when_a_digit_is_wrong() -> None:
    for pk in (1, 42, 12_345_678, 1_234_567_890):
        number = notice_number(pk)
        assert noticed_pk(number) == noticed_pk(number.replace("-", "")) == pk
        for at, digit in enumerate(number):
            if digit.isdigit():
                assert noticed_pk(number[:at] + str((int(digit) + 1) % 10) + number[at + 1 :]) is None
