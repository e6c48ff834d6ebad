"""Letters that a card is ready: their codes drawn, printed, spent.

The order keeps every printed code good and prints none twice: the code's hash is committed, then the whole file is put
in its place, then the notices in it are marked as printed. Who breaks off in between leaves either no file, and the
codes are drawn anew, or a whole file whose codes are good, and its notices are marked by the next call.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import F

from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.residents.models import Notice
from apps.residents.notice_codes import code_hash, new_code
from apps.residents.operations.messages import tell_found
from apps.residents.operations.secret_files import PART

CODE_DAYS: Final = 180
TRIES: Final = 5
IN_FILE: Final = """
SELECT resident_id AS resident_ref, '{}'::jsonb AS detail, '' AS once FROM residents_notice WHERE file = %(file)s
"""


class CodeUnknown(KanpuError):
    """No letter has this code."""

    code = "code_unknown"


class CodeVoid(KanpuError):
    """The code was used before, a newer letter was sent, the letter came back, or too many birth dates were wrong."""

    code = "code_void"


class CodeExpired(KanpuError):
    """The letter is too old."""

    code = "code_expired"


class Drawn(NamedTuple):
    """A notice with its code, which nobody can tell from the database."""

    notice: Notice
    code: str


@transaction.atomic
def draw_codes(refs: Collection[UUID], *, file: Path, at: datetime) -> dict[UUID, Drawn]:
    """A notice with a fresh code for each resident, to be printed in a file. Older codes of theirs are void."""
    Notice.objects.filter(resident__in=refs, spent_at=None).update(spent_at=at)
    codes = {ref: new_code() for ref in refs}
    expires_at = at + timedelta(days=CODE_DAYS)
    notices = Notice.objects.bulk_create(
        Notice(resident_id=ref, code_hash=code_hash(code), file=str(file), created_at=at, expires_at=expires_at)
        for ref, code in codes.items()
    )
    return {notice.resident_id: Drawn(notice, codes[notice.resident_id]) for notice in notices}


def discard(notices: Collection[Notice]) -> None:
    """Forget notices that are in no file."""
    Notice.objects.filter(pk__in=[notice.pk for notice in notices], printed_at=None).delete()


@transaction.atomic
def mark_printed(file: Path, *, at: datetime, actor: str) -> int:
    """Record that a file with its notices is whole. Returns how many are in it."""
    count = Notice.objects.filter(file=str(file), printed_at=None).update(printed_at=at)
    record_event(at=at, actor=actor, action="notices.print", subject=f"file:{file.name}", detail={"letters": count})
    tell_found(IN_FILE, {"file": str(file)}, "letter_printed", at=at)
    return count


class BrokenOff(NamedTuple):
    """How many notices of an earlier call are in no file, and the folders that it printed into."""

    forgotten: int
    folders: set[Path]


def settle_broken_off(*, at: datetime, actor: str) -> BrokenOff:
    """Mark the notices of files that are whole, forget those of files that never came to be.

    Only while nobody else prints.
    """
    forgotten, folders = 0, set()
    for name in Notice.objects.filter(printed_at=None).values_list("file", flat=True).distinct():
        file = Path(name)
        if file.parent.exists():
            folders.add(file.parent)
        if file.exists():
            mark_printed(file, at=at, actor=actor)
        else:
            file.with_name(file.name + PART).unlink(missing_ok=True)
            forgotten += Notice.objects.filter(file=name, printed_at=None).delete()[0]
    return BrokenOff(forgotten, folders)


def take_try(code: str, *, at: datetime) -> Notice:
    """The letter that has this code, which must be given as `notice_codes.typed` does; one of its tries is taken.

    It is counted before the birth date is looked at, so that many at once have no more tries than one after the other.
    Raises CodeUnknown, CodeVoid and CodeExpired.
    """
    notice = Notice.objects.filter(code_hash=code_hash(code)).first()
    if notice is None:
        raise CodeUnknown("No letter has this code. Type it again as it stands on the letter.")
    _refuse_dead(notice, at)
    if not Notice.objects.filter(pk=notice.pk, spent_at=None, tries__lt=TRIES).update(tries=F("tries") + 1):
        raise CodeVoid("Too many birth dates did not match. Ask for a new letter.")
    notice.refresh_from_db(fields=["tries"])
    return notice


def give_try_back(notice: Notice) -> None:
    """The birth date was right."""
    Notice.objects.filter(pk=notice.pk).update(tries=F("tries") - 1)


@transaction.atomic
def spend_after_tries(notice: Notice, *, at: datetime, actor: str) -> bool:
    """The birth date was wrong: the code is void if it was the last try. Returns whether it is."""
    found = Notice.objects.filter(pk=notice.pk, tries__gte=TRIES, spent_at=None)
    if not found.update(spent_at=at):
        return False
    subject = f"resident:{notice.resident_id}"
    record_event(
        at=at, actor=actor, action="notice.void", subject=subject, detail={"notice": notice.pk},
        before={"spent_at": None}, after={"spent_at": at},
    )  # fmt: skip
    return True


def spend_code(notice_id: int, *, at: datetime) -> Notice:
    """The code is used, once. Inside the transaction of what it opens. Raises CodeVoid and CodeExpired."""
    notice = Notice.objects.select_for_update().get(pk=notice_id)
    _refuse_dead(notice, at)
    notice.spent_at = at
    notice.save(update_fields=["spent_at"])
    return notice


def _refuse_dead(notice: Notice, at: datetime) -> None:
    if notice.spent_at is not None:
        raise CodeVoid("This code is no longer good. Use the newest letter, or ask for a new one.")
    if notice.expires_at <= at:
        raise CodeExpired("This letter is too old. Ask for a new one.")
