"""Exports: a search's results as a file, written at once or by a worker, and on record with what is in it.

Each resident is written down as looked at before a row of theirs is in the file; nobody gets a file that is not whole.
"""

import hashlib
import logging
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from apps.audit.access import Access
from apps.audit.models import AccessRecord, Event
from apps.audit.operations import record_accesses, record_event
from apps.inspections.columns import Column
from apps.inspections.export_files import TABLES, sha256_of, zip_table
from apps.inspections.models import Export
from apps.inspections.operations.searching import check_protected
from apps.inspections.queries.exported_rows import Chunk, chunks_of, columns_of, estimated_rows, is_small
from apps.inspections.queries.searches import ExportMissing, own_export
from apps.inspections.searching import Search, as_json, from_json
from apps.purchases.doorbell import Doorbell

logger = logging.getLogger(__name__)
bell = Doorbell("inspections.exports")
KEPT_FOR: Final = timedelta(days=7)
LONGEST: Final = timedelta(days=1)  # that writing one takes
LOOKED: Final = "export"  # how a look begins that an export is
ERASES: Final = ("purchase.withdraw", "resident.erase")  # events of a resident
LOCK: Final = 20150912  # with an export's number: of whoever writes it
AT_WORK: Final = (Export.State.WAITING, Export.State.WORKING)


class _Cancelled(Exception):
    """Whoever asked does not want it any more."""


def request_export(
    kind: str, search: Search, file_format: str, *, access: Access, opens_protected: bool, at: datetime
) -> Export:
    """Ask for the results of a search as a file. A small one is done on return, others are a worker's.

    Raises YearNotStarted and ResidentProtected. Outside of transactions.
    """
    check_protected(search, access=access, opens_protected=opens_protected, at=at)
    columns_of(search)
    is_now = is_small(search)
    export = Export.objects.create(
        kind=kind, filters=as_json(search), format=file_format, actor=access.actor, role=access.role,
        office=access.office, purpose=access.purpose, case=access.case, opens_protected=opens_protected,
        requested_at=at, total=0 if is_now else estimated_rows(search),
    )  # fmt: skip
    if is_now:
        write_export(export)
    else:
        bell.ring()
    return export


def write_waiting() -> int:
    """Write the exports that wait, and those whose worker is gone. Returns how many were looked at."""
    written = 0
    for export in Export.objects.filter(state__in=AT_WORK).order_by("requested_at"):
        written += write_export(export)
    return written


def write_export(export: Export) -> bool:
    """Write one export's file, unless somebody is at it. Returns whether it was written."""
    with _only_one(export) as is_mine:
        if not is_mine or not _set(export, state=Export.State.WORKING, done=0):
            return False
        try:
            _finish(export, timezone.now(), *_write(export))
        except _Cancelled:
            return False
        except (OperationalError, InterfaceError):
            raise  # the database is away: another worker begins it again
        except Exception:
            logger.exception("%s failed.", export)
            _set(export, state=Export.State.FAILED, finished_at=timezone.now())
            return False
    return True


@contextmanager
def _only_one(export: Export) -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK, export.pk])
        (is_mine,) = cursor.fetchone()
    try:
        yield is_mine
    finally:
        if is_mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK, export.pk])


def _set(export: Export, **fields: Any) -> bool:
    """Change an export that is at work. Returns whether it still was."""
    if not Export.objects.filter(pk=export.pk, state__in=AT_WORK).update(**fields):
        return False
    for name, value in fields.items():
        setattr(export, name, value)
    return True


def _write(export: Export) -> tuple[dict[str, Any], int]:
    """Write the file to its place. Returns its manifest and how many bytes it has."""
    search = from_json(export.kind, export.filters)
    columns, place = columns_of(search), file_of(export)
    place.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=place.parent) as scratch:
        table = TABLES[export.format](Path(scratch) / f"{export.kind}.{export.format}", columns)
        records, sums = 0, dict.fromkeys((column.name for column in columns if column.is_summed), 0)
        for chunk in chunks_of(search, with_protected=export.opens_protected):
            _record(export, chunk)
            table.write(chunk.rows)
            records += len(chunk.rows)
            _add(sums, chunk, columns)
            if not _set(export, done=records):
                table.close()
                raise _Cancelled
        table.close()
        manifest = _manifest(export, columns, records, sums, table.path)
        whole = Path(scratch) / "whole.zip"
        zip_table(whole, table.path, manifest)
        shutil.move(whole, place)
    return manifest, place.stat().st_size


def _record(export: Export, chunk: Chunk) -> None:
    if chunk.residents:
        access = Access(export.actor, export.role, export.office, export.purpose, export.case)
        record_accesses(access, chunk.residents, what=f"{LOOKED} {export.pk} {export.kind}", at=timezone.now())


def _add(sums: dict[str, int], chunk: Chunk, columns: tuple[Column, ...]) -> None:
    for place, column in enumerate(columns):
        if column.is_summed:
            sums[column.name] += sum(int(row[place] or 0) for row in chunk.rows)


def _manifest(
    export: Export, columns: tuple[Column, ...], records: int, sums: dict[str, int], table: Path
) -> dict[str, Any]:
    """What goes with the table: the search, the dictionary of data, the control totals, the SHA-256."""
    return {
        "export": export.pk,
        "search": {"kind": export.kind, "filters": export.filters},
        "asked_by": export.actor,
        "purpose": export.purpose,
        "case": export.case,
        "asked_at": export.requested_at.isoformat(),
        "with_protected_residents": export.opens_protected,
        "columns": [
            {"name": c.name, "meaning": c.meaning, "meaning_ja": c.meaning_ja, "unit": c.unit} for c in columns
        ],
        "records": records,
        "control_totals": sums,
        "file": table.name,
        "bytes": table.stat().st_size,
        "sha256": sha256_of(table),
    }


@transaction.atomic
def _finish(export: Export, begun_at: datetime, manifest: dict[str, Any], size: int) -> None:
    at, sha256 = timezone.now(), sha256_of(file_of(export))
    done = {"records": manifest["records"], "sums": manifest["control_totals"], "bytes": size, "sha256": sha256}
    if _has_erased(export, begun_at):
        _delete(Export.objects.filter(pk=export.pk, state__in=AT_WORK), "erased", at=at)
        return
    if not _set(export, state=Export.State.DONE, finished_at=at, **done):
        file_of(export).unlink(missing_ok=True)
        return
    record_event(
        at=at, actor=export.actor, action="search.export", subject=f"export:{export.pk}", purpose=export.purpose,
        detail={
            "kind": export.kind, "filters": export.filters, "format": export.format, "records": manifest["records"],
            "control_totals": manifest["control_totals"], "sha256": sha256, "table_sha256": manifest["sha256"],
        },
    )  # fmt: skip


def _has_erased(export: Export, begun_at: datetime) -> bool:
    """Whether something of a resident in the file was erased while it was written: its rows are of the beginning."""
    looks = AccessRecord.objects.filter(
        actor=export.actor, at__gte=begun_at, what=f"{LOOKED} {export.pk} {export.kind}"
    )
    erased = Event.objects.filter(resident_ref=OuterRef("resident_ref"), action__in=ERASES, at__gte=begun_at)
    return looks.filter(Exists(erased)).exists()


def file_of(export: Export) -> Path:
    """Where an export's file is: on the disk that workers and web servers share."""
    return Path(str(settings.KANPU_ARCHIVE)) / "exports" / f"{export.pk}-{_unguessable(export)}.zip"


def _unguessable(export: Export) -> str:
    """So that numbers used again, of another database on the same disk, do not meet."""
    return hashlib.sha256(f"{export.pk} {export.actor} {export.requested_at.isoformat()}".encode()).hexdigest()[:16]


@transaction.atomic
def cancel_export(pk: int, *, at: datetime, actor: str) -> None:
    """Give an own export up; one that is done stays. The worker that writes it stops. Raises ExportMissing."""
    export = own_export(pk, actor=actor)
    if _set(export, state=Export.State.CANCELLED, finished_at=at):
        record_event(at=at, actor=actor, action="search.export_cancel", subject=f"export:{export.pk}", detail={})


def delete_old_exports(*, now: datetime) -> int:
    """Delete the files of exports that were done long enough ago. Returns how many.

    Those that were deleted lately are looked for again: whoever erased what is in them may have no access to the disk.
    """
    lately = Export.objects.filter(state=Export.State.DELETED, finished_at__gte=now - 2 * KEPT_FOR)
    for export in lately:
        file_of(export).unlink(missing_ok=True)
    return _delete(Export.objects.filter(state=Export.State.DONE, finished_at__lt=now - KEPT_FOR), "old", at=now)


def delete_exports_of(refs: Iterable[UUID], *, at: datetime) -> int:
    """Delete the exports with rows of these residents, of whom something is erased. Returns how many.

    Whose rows are in a file is on record, so that nothing has to be read. Those at work stop.
    """
    since = at - KEPT_FOR - LONGEST
    looks = AccessRecord.objects.filter(resident_ref__in=list(refs), at__gte=since, what__startswith=f"{LOOKED} ")
    numbers = {int(what.split()[1]) for what in looks.values_list("what", flat=True)}
    return _delete(Export.objects.filter(pk__in=numbers, state__in=(*AT_WORK, Export.State.DONE)), "erased", at=at)


def delete_exports_of_year(year: int, *, at: datetime) -> int:
    """Delete the exports of a year's purchases, which are erased. Returns how many."""
    of_year = Export.objects.filter(kind="purchases", filters__year=year, state__in=(*AT_WORK, Export.State.DONE))
    return _delete(of_year, "erased", at=at)


@transaction.atomic
def _delete(exports: "QuerySet[Export]", why: str, *, at: datetime) -> int:
    found = list(exports.select_for_update().order_by("pk"))
    for export in found:
        Export.objects.filter(pk=export.pk).update(
            state=Export.State.DELETED, finished_at=export.finished_at if why == "old" else at
        )
        transaction.on_commit(partial(file_of(export).unlink, missing_ok=True))
        subject = f"export:{export.pk}"
        record_event(at=at, actor="clock", action="search.export_delete", subject=subject, detail={"why": why})
    return len(found)


def opened_export(pk: int, *, actor: str, at: datetime) -> Path:
    """The file of an auditor's own export; that it was fetched is on record. Raises ExportMissing."""
    export = own_export(pk, actor=actor)
    if export.state != Export.State.DONE or not file_of(export).exists():
        raise ExportMissing(f"There is no file of export {pk}: ask for it again.")
    record_event(
        at=at, actor=actor, action="search.export_fetch", subject=f"export:{pk}", detail={"sha256": export.sha256},
        purpose=export.purpose,
    )  # fmt: skip
    return file_of(export)
