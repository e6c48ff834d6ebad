"""Enrolling terminals by command: a table of them, or one."""

import json
import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.merchants.keys import public_key_text
from apps.merchants.models import EnrolmentCode, Store, Terminal
from apps.merchants.operations import create_merchant
from apps.merchants.queries import find_merchant
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
KEY = public_key_text(bytes(range(32)))


def table(tmp_path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "terminals.csv"
    path.write_text("".join(f"{line}\n" for line in lines), encoding=encoding)
    return path


def run(*arguments: object) -> dict[str, Any]:
    """The command's result; `failed` holds the message of an exit status that is not 0."""
    out, failed = StringIO(), ""
    try:
        call_command("enrol_terminals", *map(str, arguments), "--json", stdout=out)
    except CommandError as error:
        failed = str(error)
    return (json.loads(out.getvalue()) if out.getvalue() else {}) | {"failed": failed}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_table_is_enrolled_and_its_bad_rows_are_told(world: World, tmp_path: Path, encoding: str) -> None:
    path = table(
        tmp_path,
        "code,store,region,latitude,longitude,public_key,replaces",
        "tokyo-1,渋谷店,13,35.65858,139.74543,,",
        f'tokyo-2,"Ginza, ""main""",13,,,{KEY},shop-1',
        "Tokyo 3,渋谷店,13,,,,",
        "",
        "rival-1,渋谷店,,,,,",
        "tokyo-4,渋谷店,,x,139.7,,",
        "tokyo-5,渋谷店,,,,,,surplus",
        "tokyo-6,渋谷店,,,",
        encoding=encoding,
    )
    codes = tmp_path / "codes.csv"
    for dry in (["--dry-run"], []):
        result = run("Shop", path, "--codes-out", codes, *dry)
        assert (result["dry_run"], result["enrolled"], result["exists"]) == (bool(dry), 3, 0)
        assert [line.partition(":")[0] for line in result["rejected"]] == [
            "line 4 (code)",
            "line 6 (code)",
            "line 7 (latitude)",
            "line 8",
        ]
        assert "4 rows were not enrolled" in result["failed"]
        assert Terminal.objects.filter(code__startswith="tokyo").count() == (0 if dry else 3)
    shown = [line.split(",") for line in codes.read_text().splitlines()]
    assert [line[0] for line in shown] == ["code", "tokyo-1", "tokyo-6"]
    assert stat.S_IMODE(codes.stat().st_mode) == 0o600
    assert Terminal.objects.get(code="tokyo-2").store.name == 'Ginza, "main"'
    assert Terminal.objects.get(code="shop-1").replaced_by == Terminal.objects.get(code="tokyo-2")
    again = run("Shop", path)
    assert (again["enrolled"], again["exists"], len(again["rejected"])) == (0, 3, 4)
    assert EnrolmentCode.objects.count() == 2


def test_codes_are_never_written_over_a_file_nor_issued_unasked(world: World, tmp_path: Path) -> None:
    path = table(tmp_path, "code,store", "tokyo-1,Shibuya")
    taken = tmp_path / "codes.csv"
    taken.write_text("kept")
    assert "codes in it may be in use" in run("Shop", path, "--codes-out", taken)["failed"]
    assert taken.read_text() == "kept"
    assert not Terminal.objects.filter(code="tokyo-1").exists()
    assert run("Shop", path)["failed"] == ""
    assert not EnrolmentCode.objects.exists()


def test_a_file_that_is_no_table_is_told_in_words(world: World, tmp_path: Path) -> None:
    assert "lacks the columns store" in run("Shop", table(tmp_path, "code,shop", "a,b"))["failed"]
    assert "UTF-8" in run("Shop", table(tmp_path, "code,store", "a,渋谷店", encoding="shift_jis"))["failed"]
    assert "called 'Nobody'" in run("Nobody", table(tmp_path, "code,store"))["failed"]


def test_a_table_of_thousands_is_taken_in_parts(world: World, tmp_path: Path) -> None:
    path = table(tmp_path, "code,store", *(f"tokyo-{n},Store {n // 10}" for n in range(2500)))
    assert run("Shop", path)["enrolled"] == 2500
    assert run("Shop", path)["exists"] == 2500
    assert Store.objects.filter(merchant__name="Shop", name__startswith="Store").count() == 250


def test_a_terminal_is_enrolled_by_command_with_its_key_or_a_code(world: World) -> None:
    def command(*arguments: str) -> dict[str, Any]:
        out = StringIO()
        call_command("enrol_terminal", *arguments, "--json", stdout=out)
        result: dict[str, Any] = json.loads(out.getvalue())
        return result

    assert len(command("Shop", "shop-2")["enrolment_code"]) == 26
    assert command("Shop", "shop-2")["status"] == "exists"
    result = command("Shop", "shop-3", "--public-key", KEY, "--replaces", "shop-2", "--lat", "35.1", "--lon", "139")
    assert result == {"terminal": "shop-3", "merchant": "Shop", "status": "enrolled"}
    assert Terminal.objects.get(code="shop-2").replaced_by == Terminal.objects.get(code="shop-3")
    for bad in (["--public-key", "x"], ["--replaces", "shop-2"], ["--lat", "1"]):
        with pytest.raises(CommandError):
            command("Shop", "shop-4", *bad)
    with pytest.raises(CommandError, match="never used twice"):
        command("Rival", "shop-2")


def test_merchants_of_one_name_are_told_apart_by_number(world: World) -> None:
    merchant, _ = create_merchant("Shop", at=timezone.now(), actor="test")
    assert find_merchant(str(merchant.pk)) == merchant
    with pytest.raises(CommandError, match="2 merchants"):
        call_command("enrol_terminal", "Shop", "shop-9")
