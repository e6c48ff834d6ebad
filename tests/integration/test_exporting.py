"""What auditors found, taken along as a file: of what it says what is in it, and which nobody else gets."""

import csv
import io
import json
import re
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from apps.accruals.operations.erasing import erase_purchases
from apps.accruals.operations.withdrawing import withdraw
from apps.audit.access import Access
from apps.audit.models import AccessRecord, Event
from apps.audit.officers import Role
from apps.audit.operations import record_accesses
from apps.inspections import export_files
from apps.inspections.columns import MERCHANTS
from apps.inspections.models import Export
from apps.inspections.operations import exporting
from apps.inspections.operations.exporting import delete_old_exports, file_of, request_export, write_waiting
from apps.inspections.queries import exported_rows
from apps.inspections.searching import (
    PurchaseSearch,
)
from apps.kernel.progress import nothing_seen
from apps.residents.models import Resident
from apps.residents.operations.erasing import erase_resident
from tests.finding import YEAR, ann, bought
from tests.judging import key
from tests.offices import OFFICE, signed_in, text
from tests.vault import enter
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


__all__ = ["ann", "bought"]  # fixtures


def export(file_format: str, **filters: Any) -> tuple[dict[str, Any], bytes]:
    """The manifest and the table of an export of purchases."""
    access = Access("user:ann", Role.AUDITOR, OFFICE, "fraud", "R8-17")
    search = PurchaseSearch(year=YEAR, **filters)
    done = request_export("purchases", search, file_format, access=access, opens_protected=False, at=timezone.now())
    done.refresh_from_db()
    assert done.state == "done"
    assert done.sha256 == export_files.sha256_of(file_of(done))
    return opened(file_of(done))


def opened(path: Path) -> tuple[dict[str, Any], bytes]:
    with zipfile.ZipFile(path) as file:
        manifest = json.loads(file.read("manifest.json"))
        return manifest, file.read(manifest["file"])


def rows_of(table: bytes, file_format: str, folder: Path) -> list[tuple[Any, ...]]:
    path = folder / f"table.{file_format}"
    path.write_bytes(table)
    if file_format == "csv":
        return [tuple(row) for row in csv.reader(io.StringIO(table.decode("utf-8-sig")))][1:]
    with duckdb.connect() as duck:
        return duck.execute(f"SELECT * FROM read_parquet('{path}')").fetchall()


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_an_export_says_what_is_in_it(bought: World, tmp_path: Path, file_format: str) -> None:
    manifest, table = export(file_format)
    rows = rows_of(table, file_format, tmp_path)
    names = [column["name"] for column in manifest["columns"]]
    assert len(rows) == manifest["records"] == 6
    place = names.index("sum_minor")
    assert sum(int(row[place]) for row in rows) == manifest["control_totals"]["sum_minor"] == 100_670
    assert manifest["control_totals"]["reduced_minor"] == 98_600
    assert manifest["control_totals"]["standard_minor"] == 2_070
    assert manifest["search"] == {"kind": "purchases", "filters": {"year": YEAR}}
    assert all(column["meaning"] and column["unit"] for column in manifest["columns"])
    assert all(re.search("[ぁ-ん一-龥]", column["meaning_ja"]) for column in manifest["columns"])
    event = Event.objects.get(action="search.export")
    assert event.detail["records"] == 6
    assert event.detail["table_sha256"] == manifest["sha256"]
    looked = AccessRecord.objects.filter(what__startswith="export").values_list("resident_ref", flat=True)
    assert sorted(looked) == bought.residents  # each once


def test_protected_residents_are_in_no_export_of_others(bought: World) -> None:
    Resident.objects.filter(pk=bought.residents[0]).update(is_protected=True)
    manifest, table = export("csv")
    assert manifest["records"] == 3
    assert str(bought.residents[0]).encode() not in table


def test_cells_are_no_formulas_and_sheets_end_before_their_limit(tmp_path: Path) -> None:
    rows = [("=1+1", "", "", "live"), ("+81", "", "", "live"), ("Shop", "", "", "live")]
    csv_table = export_files.CsvTable(tmp_path / "a.csv", MERCHANTS)
    csv_table.write(rows)
    csv_table.close()
    assert "\n'=1+1," in (tmp_path / "a.csv").read_text().replace("\r", "")
    xlsx = export_files.XlsxTable(tmp_path / "a.xlsx", MERCHANTS, sheet_rows=3)
    xlsx.write(rows)
    xlsx.close()
    with zipfile.ZipFile(tmp_path / "a.xlsx") as book:
        sheets = [name for name in book.namelist() if "worksheets/sheet" in name]
        first = book.read(sheets[0]).decode()
    assert len(sheets) == 2
    assert "<f>" not in first
    assert "=1+1" in first
    assert "Shop" not in first


@pytest.mark.parametrize("file_format", ["csv", "xlsx", "parquet"])
def test_rows_that_are_written_take_no_memory(tmp_path: Path, file_format: str) -> None:
    def most_bytes(chunks: int) -> int:
        table = export_files.TABLES[file_format](tmp_path / f"{chunks}.{file_format}", MERCHANTS)
        tracemalloc.start()
        for _ in range(chunks):
            table.write([(f"Shop {n}", "T1234567890123", "58", "live") for n in range(1_000)])
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        table.close()
        return most

    few = most_bytes(2)
    assert most_bytes(12) < few + 200_000


def test_ten_times_the_rows_as_parquet_take_no_more_of_the_machine(tmp_path: Path) -> None:
    """What DuckDB holds is not Python's: the whole process is looked at."""

    def most_kib(rows: int) -> int:
        code = f"""
from pathlib import Path
from apps.inspections.columns import TERMINALS
from apps.inspections.export_files import ParquetTable
table = ParquetTable(Path({str(tmp_path)!r}, "{rows}.parquet"), TERMINALS)
table.write((f"till-{{n}}", n % 47, f"Shop {{n % 997}}", f"Store {{n}}", "yes", "no", n, "no", f"2017-01-01T{{n}}")
            for n in range({rows}))
table.close()
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
        return int(subprocess.check_output([sys.executable, "-c", code], cwd=settings.BASE_DIR))

    assert most_kib(500_000) < most_kib(50_000) * 1.15
    with duckdb.connect() as duck:
        counted = duck.execute(
            f"SELECT count(*), sum(highest_seq), min(seen_at) FROM '{tmp_path}/500000.parquet'"
        ).fetchone()
    assert counted == (500_000, sum(range(500_000)), "2017-01-01T0")


def test_a_large_export_is_a_workers_and_only_its_auditor_gets_it(
    ann: Client, bought: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exported_rows, "SMALL", 2)
    monkeypatch.setattr(exporting.bell, "ring", lambda: None)
    asked = ann.post(f"/console/find/purchases/export?year={YEAR}", {"format": "xlsx"})
    waiting = Export.objects.get()
    assert asked["Location"] == f"/console/exports/{waiting.pk}"
    page = text(ann.get(asked["Location"]))
    assert "waiting for a worker" in page
    assert 'http-equiv="refresh"' in page
    assert ann.get(f"/console/exports/{waiting.pk}/file.zip").status_code == 404
    assert write_waiting() == 1
    assert "Save the file" in text(ann.get(asked["Location"]))
    sent: Any = ann.get(f"/console/exports/{waiting.pk}/file.zip")
    file = b"".join(sent.streaming_content)
    assert zipfile.ZipFile(io.BytesIO(file)).namelist() == ["manifest.json", "purchases.xlsx"]
    assert Event.objects.get(action="search.export_fetch").purpose == waiting.purpose != ""
    ben = signed_in(Role.AUDITOR, name="ben")
    for path in ("", "/file.zip"):
        assert ben.get(f"/console/exports/{waiting.pk}{path}").status_code == 404
    assert delete_old_exports(now=timezone.now() + timedelta(days=8)) == 1
    waiting.refresh_from_db()
    assert waiting.state == "deleted"
    assert not file_of(waiting).exists()


def test_a_cancelled_export_stops_and_leaves_no_file(
    bought: World, ann: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exported_rows, "SMALL", 2)
    monkeypatch.setattr(exporting.bell, "ring", lambda: None)
    ann.post(f"/console/find/purchases/export?year={YEAR}", {"format": "csv"})
    waiting = Export.objects.get()
    recorded = record_accesses

    def cancelled_meanwhile(*arguments: Any, **more: Any) -> None:
        recorded(*arguments, **more)
        ann.post(f"/console/exports/{waiting.pk}/cancel")

    monkeypatch.setattr(exporting, "record_accesses", cancelled_meanwhile)
    assert write_waiting() == 0
    waiting.refresh_from_db()
    assert waiting.state == "cancelled"
    assert not file_of(waiting).exists()
    assert not list(file_of(waiting).parent.iterdir())


def test_merchants_are_exported_without_a_purpose(bought: World) -> None:
    ann = signed_in(Role.AUDITOR)
    answer: Any = ann.post("/console/find/merchants/export?name=Rival", {"format": "csv"})
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as file:
        assert b"Rival" in file.read("merchants.csv")


@pytest.fixture
def taken_along(bought: World) -> Callable[..., Path]:
    """Makes an export of purchases of this resident. Returns where its file is."""

    def take(**filters: Any) -> Path:
        export("csv", **filters)
        return file_of(Export.objects.latest("pk"))

    return take


def test_files_with_a_purchase_that_its_resident_withdraws_are_deleted_at_once(
    bought: World, taken_along: Callable[..., Path], ann: Client
) -> None:
    hanako, taro = bought.residents
    with_it, all_in, of_another = taken_along(resident=hanako), taken_along(), taken_along(resident=taro)
    withdraw(hanako, *key(1), now=timezone.now(), actor="resident")
    assert [path.exists() for path in (with_it, all_in, of_another)] == [False, False, True]
    of_two = Export.objects.filter(state="deleted")
    assert of_two.count() == Event.objects.filter(action="search.export_delete", detail={"why": "erased"}).count() == 2
    page = text(ann.get(f"/console/exports/{of_two.earliest('pk').pk}"))
    assert "when something of it is erased, the file goes at once" in page
    manifest, _ = export("csv", resident=hanako)
    assert manifest["records"] == 1


def test_files_go_with_a_resident_who_is_erased_and_with_a_years_purchases(
    bought: World, taken_along: Callable[..., Path]
) -> None:
    hanako, taro = bought.residents
    enter(hanako)
    of_one, of_other = taken_along(resident=hanako), taken_along(resident=taro)
    erase_resident(hanako, reason="moved", at=timezone.now(), actor="test")
    assert (of_one.exists(), of_other.exists()) == (False, True)
    erase_purchases(YEAR, now=timezone.now(), actor="test", seen=nothing_seen)
    assert not of_other.exists()


def test_what_is_erased_while_a_file_is_written_is_in_no_file(bought: World, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded, hanako = record_accesses, bought.residents[0]

    def withdrawn_meanwhile(*arguments: Any, **more: Any) -> None:
        withdraw(hanako, *key(1), now=timezone.now(), actor="resident")  # the rows are chosen, nobody is on record
        recorded(*arguments, **more)

    monkeypatch.setattr(exporting, "record_accesses", withdrawn_meanwhile)
    access = Access("user:ann", Role.AUDITOR, OFFICE, "fraud", "R8-17")
    search = PurchaseSearch(year=YEAR, resident=hanako)
    made = request_export("purchases", search, "csv", access=access, opens_protected=False, at=timezone.now())
    made.refresh_from_db()
    assert made.state == "deleted"
    assert not file_of(made).exists()


def test_a_file_that_whoever_erased_could_not_reach_is_deleted_by_the_workers(
    bought: World, taken_along: Callable[..., Path]
) -> None:
    enter(bought.residents[0])
    path = taken_along()
    copy = path.read_bytes()
    erase_resident(bought.residents[0], reason="moved", at=timezone.now(), actor="test")
    path.write_bytes(copy)  # on the disk of a host that has it
    delete_old_exports(now=timezone.now())
    assert not path.exists()
