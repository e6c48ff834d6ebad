"""The register's file, sent through a page: tried first, never on a disk."""

from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.audit.models import Event
from apps.audit.officers import Role
from apps.residents.models import (
    Resident,
)
from tests.offices import (
    OTHER_NUMBER,
    officer,
    open_resident,
    signed_in,
    text,
)
from tests.world import World

HEADER = "個人番号,氏名,氏名カナ,生年月日,住民となった日,世帯番号,世帯主,郵便番号,住所"
GOOD_ROW = f"{OTHER_NUMBER},髙橋 太郎,タカハシ タロウ,1980-01-02,2020-04-01,H1,1,154-0017,東京都世田谷区世田谷4-21-27"
LONG_BLANK = "\n" + " " * 99
BAD_ROWS = (GOOD_ROW.replace(OTHER_NUMBER, "123456789012"), GOOD_ROW.replace("1980-01-02", "yesterday"), "1,2")


def upload(client: Client, content: str, *, how: str = "try", encoding: str = "utf-8", **more: str) -> str:
    file = SimpleUploadedFile("register.csv", content.encode(encoding))
    form = {"file": file, "how": how, "as_of": "2026-01-05", **more}
    return " ".join(text(client.post("/office/import", form)).split())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_a_clerk_tries_a_file_before_it_is_taken_and_is_told_which_rows_are_wrong(world: World, encoding: str) -> None:
    client, before = signed_in(Role.CLERK), Resident.objects.count()
    table = "\r\n".join([HEADER, BAD_ROWS[0], GOOD_ROW, *BAD_ROWS[1:]])
    tried = upload(client, table, encoding=encoding)
    assert "The file was checked; nothing was changed." in tried
    assert "1 row is right. 3 rows are wrong." in tried
    assert 'line 2</th><td role="cell" class="corner"><code>individual_number</code>' in tried
    assert "The check digit is wrong" in tried
    assert 'line 4</th><td role="cell" class="corner"><code>birth_date</code>' in tried
    assert "line 5" in tried
    for told in ("123456789012", OTHER_NUMBER, "髙橋", "yesterday", "世田谷区"):
        assert told not in tried
    assert Resident.objects.count() == before
    assert not Event.objects.filter(action="register.import").exists()
    attempt = Event.objects.get(action="register.try")
    assert (attempt.actor, attempt.detail) == ("user:ann", {"right": 1, "wrong": 3})
    assert "The file was taken into the register." in upload(client, table, how="take", encoding=encoding)
    assert "1 row is right." in upload(client, table, how="take", encoding=encoding)
    assert Resident.objects.count() == before + 1
    event = Event.objects.filter(action="register.import").order_by("pk").first()
    assert event is not None
    assert (event.actor, event.detail["added"]) == ("user:ann", 1)
    assert open_resident(client, number=OTHER_NUMBER, birth_date=date(1980, 1, 2)).status_code == 302


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", f"{HEADER},氏名\n", "\ud800"])
def test_a_file_that_is_no_table_is_refused_in_words(world: World, content: str) -> None:
    client = signed_in(Role.CLERK)
    file = SimpleUploadedFile("register.csv", content.encode("utf-8", "surrogatepass") or b"\n")
    page = text(client.post("/office/import", {"file": file, "how": "take", "as_of": "2026-01-05"}))
    assert "This is no table of residents" in page


def test_a_file_is_held_in_memory_only_and_at_most_five_megabytes_are(world: World, settings: Any) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = "/nowhere"  # Django would write files of over 2.5 MB there
    client = signed_in(Role.CLERK)
    table = "\n".join([HEADER, GOOD_ROW])
    assert "1 row is right." in upload(client, table + LONG_BLANK * 27_000)
    assert "Choose a file of at most 5 MB." in upload(client, table + LONG_BLANK * 60_000)
    assert "A municipality's code has 6 digits." in upload(client, table, municipality="12")


def test_a_forged_form_imports_nothing(world: World) -> None:
    officer("ann", Role.CLERK)
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="ann"))
    before = Resident.objects.count()
    file = SimpleUploadedFile("register.csv", "\n".join([HEADER, GOOD_ROW]).encode())
    forged = client.post("/office/import", {"file": file, "how": "take", "as_of": "2026-01-05"})
    assert forged.status_code == 403
    assert Resident.objects.count() == before
