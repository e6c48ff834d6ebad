"""Making evidence packs: of a refund at once, of runs and cases by a worker. Each is an event with its hash."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from apps.accruals.operations.archiving import scratch_folder
from apps.audit.access import Access
from apps.audit.operations import record_accesses, record_event
from apps.inspections.models import Case, Pack
from apps.inspections.packs.content import Content, Written, write
from apps.inspections.packs.summary import summary_pdf
from apps.inspections.queries.cases import case_of
from apps.inspections.queries.pack_case import case_content, resident_in
from apps.inspections.queries.pack_refund import refund_content
from apps.inspections.queries.pack_run import proved_run, run_content
from apps.kernel.errors import KanpuError
from apps.kernel.progress import Seen, nothing_seen
from apps.purchases.doorbell import Doorbell
from apps.residents.queries.register import protected_among

logger = logging.getLogger(__name__)
bell = Doorbell("inspections.packs")
PACK_LOCK: Final = 20150915  # the class of the advisory locks that are taken by pack
SHOWN_EVERY_S: Final = 0.5
FOLDER: Final = "packs"
KEPT: Final = timedelta(days=30)  # of packs that hold residents' records: made again they are the same


class PackRunning(KanpuError):
    """A pack of this subject is being made already."""

    code = "pack_running"


class PackMissing(KanpuError):
    """The pack is not made yet, or its file is gone."""

    code = "pack_missing"


class ForNamedOfficers(KanpuError):
    """The resident is protected: shops and times are open to named officers only."""

    code = "for_named_officers"


class Made(NamedTuple):
    """A pack that was written: its file's name, and what was written."""

    name: str
    written: Written


def make_refund_pack(
    resident_ref: UUID, year: int, number: int, file: BinaryIO, *, access: Access, opens_protected: bool
) -> Made:
    """Write the pack of a resident's refund; that it is read is on record before. Not inside a transaction.

    Raises ForNamedOfficers, RunMissing, StatementMissing, YearErased.
    """
    _may_open(resident_ref, opens_protected)
    record_accesses(access, [resident_ref], what=f"evidence {year}-{number}", at=timezone.now())
    content = refund_content(resident_ref, year, number)
    return _made(
        content, file, subject=f"resident:{resident_ref}", actor=access.actor, of=f"run:{year}/{number}",
        purpose=access.purpose,
    )  # fmt: skip


def make_run_pack(year: int, number: int, file: BinaryIO, *, actor: str, seen: Seen = nothing_seen) -> Made:
    """Write the pack of a run; it names nobody. Raises RunMissing, StatementMissing, PackTooLarge."""
    subject = f"run:{year}/{number}"
    return _made(run_content(year, number, seen=seen), file, subject=f"pack:{subject}", actor=actor, of=subject)


def make_case_pack(case_id: int, file: BinaryIO, *, access: Access, opens_protected: bool) -> Made:
    """Write the pack of a case; where it is about a resident, the reading is on record before.

    Raises CaseMissing, ForNamedOfficers.
    """
    case = case_of(case_id)
    subject = f"case:{case.pk}"
    if ref := resident_in(case.subject):
        _may_open(ref, opens_protected)
        record_accesses(access, [ref], what=f"evidence case {case.pk}", at=timezone.now())
    content = case_content(case)
    return _made(content, file, subject=f"pack:{subject}", actor=access.actor, of=subject, purpose=access.purpose)


def request_run_pack(year: int, number: int, *, actor: str) -> Pack:
    """Ask for the pack of a run; a worker makes it. Raises RunMissing, StatementMissing, PackRunning."""
    proved_run(year, number)
    return _requested(Pack(subject=f"run:{year}/{number}", requested_by=actor, requested_at=timezone.now()))


def request_case_pack(case_id: int, *, access: Access, opens_protected: bool) -> Pack:
    """Ask for the pack of a case. Raises CaseMissing, ForNamedOfficers, PackRunning."""
    case = case_of(case_id)
    if ref := resident_in(case.subject):
        _may_open(ref, opens_protected)
    return _requested(
        Pack(
            subject=f"case:{case.pk}", requested_by=access.actor, role=access.role, office=access.office,
            purpose=access.purpose, requested_at=timezone.now(),
        )
    )  # fmt: skip


def run_requested_packs() -> int:
    """Make the packs that wait, unless somebody is at it. Returns how many were made."""
    return sum(_make_if_free(pack) for pack in Pack.objects.filter(finished_at=None).order_by("requested_at"))


def forget_packs(*, now: datetime) -> int:
    """Delete the files of cases' packs of long ago: no record outlives its year in them. Returns how many."""
    old = Pack.objects.filter(subject__startswith="case:", finished_at__lt=now - KEPT).exclude(sha256="")
    newer = Pack.objects.filter(sha256=OuterRef("sha256"), finished_at__gte=now - KEPT)
    paths = [path for pack in old.exclude(Exists(newer)) if (path := path_of(pack)).exists()]
    for path in paths:
        path.unlink(missing_ok=True)
    return len(paths)


def delete_packs_of(cases: "QuerySet[Case]") -> None:
    """Delete the files of these cases' packs once the transaction is through: something in them is erased by it.

    A pack that is made again is without it.
    """
    subjects = [f"case:{pk}" for pk in cases.values_list("pk", flat=True)]
    for pack in Pack.objects.filter(subject__in=subjects).exclude(sha256=""):
        transaction.on_commit(partial(path_of(pack).unlink, missing_ok=True))


def open_pack(pack: Pack, *, actor: str, purpose: str = "") -> BinaryIO:
    """The file of a pack that was made; that it is fetched is an event first. Raises PackMissing."""
    path = path_of(pack)
    if not pack.is_there or not path.exists():
        raise PackMissing(f"{pack} has no file any more: ask for it again, it will be the same.")
    detail = {"sha256": pack.sha256, "of": pack.subject}
    record_event(
        at=timezone.now(), actor=actor, action="pack.fetch", subject=f"pack:{pack.subject}", detail=detail,
        purpose=purpose,
    )  # fmt: skip
    return path.open("rb")


def open_case_pack(pack: Pack, case: Case, *, access: Access, opens_protected: bool) -> BinaryIO:
    """The same of a case's pack; where it is about a resident, the reading is on record first.

    Raises PackMissing, ForNamedOfficers.
    """
    if ref := resident_in(case.subject):
        _may_open(ref, opens_protected)
        record_accesses(access, [ref], what=f"evidence case {case.pk}", at=timezone.now())
    return open_pack(pack, actor=access.actor, purpose=access.purpose)


def path_of(pack: Pack) -> Path:
    """Where a pack lies."""
    return Path(settings.KANPU_ARCHIVE) / FOLDER / f"{pack.sha256}.zip"


def _may_open(resident_ref: UUID, opens_protected: bool) -> None:
    if not opens_protected and protected_among([resident_ref]):
        raise ForNamedOfficers("The resident is protected: an officer for protected residents makes this pack.")


def _made(content: Content, file: BinaryIO, *, subject: str, actor: str, of: str, purpose: str = "") -> Made:
    written = write(file, content, summary_pdf=partial(summary_pdf, content.kind, content.name))
    detail = {"kind": content.kind, "of": of, **_figures(written)}
    record_event(
        at=timezone.now(), actor=actor, action="pack.make", subject=subject, detail=detail, purpose=purpose
    )  # fmt: skip
    return Made(f"{content.name}.zip", written)


def _figures(written: Written) -> dict[str, object]:
    return {"sha256": written.sha256, "bytes": written.bytes, "records": written.records}


def _requested(pack: Pack) -> Pack:
    try:
        with transaction.atomic():
            pack.save()
    except IntegrityError as error:
        raise PackRunning("This pack is being made already. Look at the page again.") from error
    bell.ring()
    return pack


def _make_if_free(pack: Pack) -> bool:
    with _alone(pack) as is_mine:
        if not is_mine or not Pack.objects.filter(pk=pack.pk, finished_at=None).exists():
            return False
        try:
            _make(pack)
        except KanpuError as error:  # kept with the pack, where the auditor sees it
            _finish(pack, error=str(error)[:500], error_code=error.code)
        except (OperationalError, InterfaceError):
            raise
        except Exception as error:  # of one pack, so that the others are made
            logger.exception("%s failed.", pack)
            _finish(pack, error=f"{type(error).__name__}: {error}"[:500], error_code="unforeseen")
        return True


def _make(pack: Pack) -> None:
    """Write it to a private folder, and put it in its place when it is whole."""
    archive = Path(settings.KANPU_ARCHIVE)
    with scratch_folder(archive) as scratch:
        path = scratch / "pack.zip"
        with path.open("w+b") as file:
            made = _of_subject(pack, file)
            file.flush()
            os.fsync(file.fileno())
        (archive / FOLDER).mkdir(exist_ok=True, mode=0o700)
        path.chmod(0o600)
        path.replace(archive / FOLDER / f"{made.written.sha256}.zip")
    written = made.written
    _finish(pack, sha256=written.sha256, bytes=written.bytes, records=written.records)


def _of_subject(pack: Pack, file: BinaryIO) -> Made:
    kind, _, named = pack.subject.partition(":")
    if kind == "case":
        access = Access(pack.requested_by, pack.role, pack.office, pack.purpose, case=named)
        return make_case_pack(int(named), file, access=access, opens_protected=True)  # who asked was allowed to
    year, _, number = named.partition("/")
    return make_run_pack(int(year), int(number), file, actor=pack.requested_by, seen=_Shown(pack))


def _finish(pack: Pack, **values: object) -> None:
    Pack.objects.filter(pk=pack.pk).update(finished_at=timezone.now(), **values)


@dataclass(slots=True)
class _Shown:
    """Tells how far a pack is, on its row."""

    pack: Pack
    shown_s: float = field(default=0.0)

    def __call__(self, done: int, total: int) -> None:
        if done == total or time.monotonic() - self.shown_s > SHOWN_EVERY_S:
            self.shown_s = time.monotonic()
            Pack.objects.filter(pk=self.pack.pk).update(done=done, total=total)


@contextmanager
def _alone(pack: Pack) -> Iterator[bool]:
    """While the block runs nobody else makes this pack; the lock ends with the process that holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [PACK_LOCK, pack.pk])
        (is_mine,) = cursor.fetchone()
    try:
        yield is_mine
    finally:
        if is_mine and connection.connection and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [PACK_LOCK, pack.pk])
