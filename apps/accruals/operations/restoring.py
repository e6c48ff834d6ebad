"""Writing damaged or lost files of the archive anew from the entries, if they come out as they were, to the byte."""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from django.conf import settings
from django.db import transaction

from apps.accruals.models import ArchivePart
from apps.accruals.operations.archiving import (
    file_digest,
    put_in_place,
    render_part,
    scratch_folder,
    write_closed_parts,
)
from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.schemes.queries import check_kept, tax_year


class ArchiveNotRestored(KanpuError):
    """The entries do not make the file that the manifest lists."""

    code = "archive_not_restored"


class Restored(NamedTuple):
    """A file that is as it was again. `moved_to` is where the damaged one lies now, if there was one."""

    path: str
    was: Literal["missing", "damaged"]
    moved_to: str | None


def restore_archive(year: int, *, now: datetime, actor: str) -> list[Restored]:
    """Write the year's files that are missing or not the manifest's anew, from the entries. Returns which.

    Nothing is written over: damaged files are moved aside. What is to be written anyhow is written first. Raises
    ArchiveNotRestored when the entries make other bytes than were listed; of such a part nothing is touched, while the
    others are restored. Raises YearErased when there is nothing to restore any more.
    """
    check_kept(tax_year(year))
    write_closed_parts(year, now=now)
    restored: list[Restored] = []
    failed: list[str] = []
    for part in ArchivePart.objects.filter(tax_year=year).exclude(written_at=None).order_by("part"):
        damaged = {file["path"]: was for file in part.files if (was := damage_of(file))}
        if damaged:
            failed += _restore_part(part, damaged, restored, now, actor)
    if failed:
        raise ArchiveNotRestored(
            f"The entries make other files than were listed: {', '.join(failed)}. Bring them back from a backup."
            f" Restored: {', '.join(file.path for file in restored) or 'none'}."
        )
    return restored


def damage_of(file: dict[str, Any]) -> Literal["missing", "damaged"] | None:
    """What is wrong with a file that the manifest lists, if anything."""
    try:
        return None if file_digest(settings.KANPU_ARCHIVE / file["path"]) == file["sha256"] else "damaged"
    except FileNotFoundError:
        return "missing"


@transaction.atomic
def _restore_part(
    part: ArchivePart,
    damaged: dict[str, Literal["missing", "damaged"]],
    restored: list[Restored],
    now: datetime,
    actor: str,
) -> list[str]:
    """Restore a part's damaged files, adding them to `restored`, or return those that come out otherwise."""
    part = ArchivePart.objects.select_for_update().get(pk=part.pk)
    if part.erased:  # meanwhile: it is to be written anew as a whole
        return []
    listed = {file["path"]: file["sha256"] for file in part.files}
    with scratch_folder(settings.KANPU_ARCHIVE) as scratch:
        rendered = {file["path"]: file for file in render_part(part, scratch)}
        other = [path for path in damaged if path not in rendered or rendered[path]["sha256"] != listed[path]]
        if other:
            return other
        done = []
        for path, was in damaged.items():
            moved_to = move_aside(settings.KANPU_ARCHIVE, path, now) if was == "damaged" else None
            put_in_place(scratch, settings.KANPU_ARCHIVE, rendered[path])
            done.append(Restored(path, was, moved_to))
    detail = {"files": [file._asdict() for file in done]}
    record_event(at=now, actor=actor, action="archive.restore", subject=str(part.tax_year), detail=detail)
    restored += done
    return []


def move_aside(archive: Path, path: str, now: datetime) -> str:
    """Give a damaged file another name beside its own. Returns its path below the archive's folder."""
    aside = f"{path}.damaged-{now:%Y%m%dT%H%M%S%f}"
    (archive / path).rename(archive / aside)
    return aside
