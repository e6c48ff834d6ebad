"""Printing the letters that a card is ready, a file at a time; it can be broken off anywhere and started again."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import Count, Max, Min
from django.utils import timezone

from apps.audit.access import Access
from apps.audit.models import Officer
from apps.audit.officers import Role
from apps.kernel.documents.render import DocumentUnprintable, Language
from apps.kernel.errors import KanpuError
from apps.portal.documents.notices import Letter, Sender, notices_pdf, unprintable
from apps.portal.queries.notices import Chosen, Due, due, due_in_batches
from apps.residents.models import Notice, Resident
from apps.residents.notice_codes import notice_number
from apps.residents.operations.notices import Drawn, discard, draw_codes, mark_printed, settle_broken_off
from apps.residents.operations.secret_files import write_whole
from apps.residents.queries.addressees import Addressee, addressees_of
from apps.residents.queries.vault import checked_vault_keys

PURPOSE: Final = "card notices"
PRINTING_LOCK: Final = 20150905  # the class of the advisory lock that who prints holds
MANIFEST: Final = "manifest.json"
PATH_LENGTH: Final = 200  # of Notice.file


class PortalAddressMissing(KanpuError):
    """Letters name the portal's address, and it was not given."""

    code = "portal_address_missing"


class PrintingElsewhere(KanpuError):
    """Notices are printed by one process at a time."""

    code = "printing_elsewhere"


class NobodyDue(KanpuError):
    """The resident gets no letter."""

    code = "nobody_due"


class NotAProtectedOfficer(KanpuError):
    """Protected residents' letters are printed by named officers only."""

    code = "not_a_protected_officer"


class FolderUnusable(KanpuError):
    """The folder's name is too long."""

    code = "folder_unusable"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be printed, where to, and how. `language` is each resident's own where it is None."""

    chosen: Chosen
    folder: Path
    language: Language | None = None
    office: str = ""
    per_file: int = 100


@dataclass(slots=True)
class Printed:
    """What came of it. `skipped` says by reference who got no letter, and why; `protected` were left out.

    `drawn_anew` counts letters of an earlier call that was broken off before their file was whole.
    """

    letters: int = 0
    files: list[str] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    protected: int = 0
    drawn_anew: int = 0


def print_notices(order: Order, *, by: str, actor: str, seen: Callable[[int, int], None]) -> Printed:
    """Print the letters that are due into new files, and a manifest of the folder's. Only what it lists is posted.

    `by` is the protected officer when protected residents' letters are printed. `seen` is told how many residents are
    done, of how many. Raises PortalAddressMissing, PrintingElsewhere, NobodyDue, NotAProtectedOfficer, FolderUnusable,
    and what `read_vault` raises.
    """
    if not settings.KANPU_PORTAL_URL:
        raise PortalAddressMissing("Set KANPU_PORTAL_URL to the portal's address, as residents type it.")
    checked_vault_keys()
    access = _access(order, by, actor)
    folder = order.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _nobody_else_prints():
        broken_off = settle_broken_off(at=timezone.now(), actor=actor)
        for unlisted in broken_off.folders:  # whose whole files nobody would post otherwise
            _write_manifest(unlisted)
        printed = Printed(drawn_anew=broken_off.forgotten)
        _check_chosen(order.chosen)
        printed.protected = 0 if order.chosen.protected else _protected_left_out(order.chosen)
        _print_all(order, folder, access, printed, seen)
        _write_manifest(folder)
    return printed


def _print_all(order: Order, folder: Path, access: Access, printed: Printed, seen: Callable[[int, int], None]) -> None:
    started_at, done = timezone.now(), 0
    total = due(order.chosen, now=started_at).count()
    for number, batch in enumerate(due_in_batches(order.chosen, now=started_at, size=order.per_file), start=1):
        kind = "protected-notices" if order.chosen.protected else "notices"
        file = folder / f"{kind}-{timezone.localtime(started_at):%Y%m%d-%H%M%S-%f}-{number:05d}.pdf"
        if len(str(file)) > PATH_LENGTH:
            raise FolderUnusable(f"Name a folder with a shorter path: {file} has over {PATH_LENGTH} characters.")
        count = _print_file(order, file, batch, access, printed)
        printed.letters += count
        printed.files += [file.name] if count else []
        done += len(batch)
        seen(done, max(total, done))


def _print_file(order: Order, file: Path, batch: Sequence[Due], access: Access, printed: Printed) -> int:
    """One file: codes committed, then the file in its place, then marked as printed. Returns how many letters."""
    now = timezone.now()
    addressees = addressees_of([one.ref for one in batch], access=access, at=now)
    printed.skipped += [_skipped(one.ref, "no_address") for one in batch if one.ref not in addressees]
    drawn = draw_codes(list(addressees), file=file, at=now)
    letters = [_letter(order, one, addressees[one.ref], drawn[one.ref]) for one in batch if one.ref in drawn]
    if not letters:
        return 0
    expires_at = next(iter(drawn.values())).notice.expires_at
    sender = Sender(settings.KANPU_PORTAL_URL, order.office, timezone.localdate(now), timezone.localdate(expires_at))
    try:
        content = notices_pdf(letters, sender)
    except DocumentUnprintable:
        bad = {letter.number for letter in unprintable(letters, sender)}
        letters = [letter for letter in letters if letter.number not in bad]
        notices = [one.notice for one in drawn.values() if one.notice.number in bad]
        discard(notices)
        printed.skipped += [_skipped(notice.resident_id, "document_unprintable") for notice in notices]
        if not letters:
            return 0
        content = notices_pdf(letters, sender)
    write_whole(file, content)
    return mark_printed(file, at=timezone.now(), actor=access.actor)


def _letter(order: Order, one: Due, to: Addressee, drawn: Drawn) -> Letter:
    language = order.language or cast("Language", one.language)
    return Letter(drawn.notice.number, *to, language=language, code=drawn.code, to_fetch=one.to_fetch)


def _skipped(ref: UUID, reason: str) -> dict[str, str]:
    return {"resident_ref": str(ref), "reason": reason}


def _access(order: Order, by: str, actor: str) -> Access:
    if not order.chosen.protected:
        return Access(actor=actor, role=Role.OPERATOR, office=order.office, purpose=PURPOSE)
    user = User.objects.filter(username=by, is_active=True, groups__name=Role.PROTECTED_OFFICER).first()
    if user is None:
        raise NotAProtectedOfficer(f"{by!r} is no protected officer. Name one who is with --by.")
    office = Officer.objects.filter(user=user).values_list("office", flat=True).first() or order.office
    return Access(actor=f"user:{by}", role=Role.PROTECTED_OFFICER, office=office, purpose=PURPOSE)


def _check_chosen(chosen: Chosen) -> None:
    """One resident by name gets a letter, or the caller is told why not."""
    if chosen.resident_ref is None or due(chosen, now=timezone.now()).exists():
        return
    resident = Resident.objects.filter(pk=chosen.resident_ref).first()
    if resident is not None and resident.is_protected and not chosen.protected:
        raise NobodyDue("The resident is protected: print with --protected --by OFFICER.")
    raise NobodyDue("There is no such resident, or the resident has no good card.")


def _protected_left_out(chosen: Chosen) -> int:
    return due(Chosen(chosen.resident_ref, chosen.municipality, protected=True), now=timezone.now()).count()


def _write_manifest(folder: Path) -> None:
    """What lies in the folder, whole: for whoever posts it. It names letters, never residents or codes."""
    files = Notice.objects.filter(file__startswith=f"{folder}/", printed_at__isnull=False).values("file")
    rows = files.annotate(letters=Count("pk"), first=Min("pk"), last=Max("pk"), at=Max("printed_at")).order_by("file")
    listed = [_listed(row) for row in rows if Path(row["file"]).exists()]
    part = folder / f".{MANIFEST}"
    part.write_text(json.dumps({"files": listed}, indent=1) + "\n")
    part.chmod(0o600)
    part.replace(folder / MANIFEST)


def _listed(row: Mapping[str, Any]) -> dict[str, Any]:
    path = Path(row["file"])
    return {
        "file": path.name,
        "letters": row["letters"],
        "first_number": notice_number(row["first"]),
        "last_number": notice_number(row["last"]),
        "printed_at": row["at"].isoformat(),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


@contextmanager
def _nobody_else_prints() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, 0)", [PRINTING_LOCK])
        (locked,) = cursor.fetchone() or (False,)
    if not locked:
        raise PrintingElsewhere("Somebody else is printing notices. Wait until they are done.")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, 0)", [PRINTING_LOCK])
