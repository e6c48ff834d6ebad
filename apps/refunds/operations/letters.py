"""Printing the letters of decisions that nobody was told of yet, some at a time, so that it can be broken off."""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID

from django.utils import timezone

from apps.audit.access import Access
from apps.audit.officers import Role
from apps.kernel.documents.render import DocumentUnprintable, Language
from apps.kernel.errors import KanpuError
from apps.refunds.documents.files import letter_file
from apps.refunds.models import Decision
from apps.refunds.operations.deciding import notify
from apps.refunds.queries.decisions import letter_of
from apps.residents.models import Resident
from apps.residents.queries.addressees import Addressee, addressees_of
from apps.residents.queries.vault import has_vault_keys

LETTERS_AT_ONCE: Final = 200
PURPOSE: Final = "decision letters"


class LettersPrinted(NamedTuple):
    """How many letters, and how many of them show a reference in the window for want of an address."""

    letters: int
    unaddressed: int


class LetterExists(KanpuError):
    """A letter of that decision lies in the folder already."""

    code = "letter_exists"


def print_letters(
    year: int, *, folder: Path, language: Language, sent_on: date, actor: str, seen: Callable[[int, int], None]
) -> LettersPrinted:
    """Write the letter of each decision of a year that was not sent, and record it as sent on a day.

    A letter is in the folder before its decision counts as sent: what is broken off in between is printed by the next
    call into another folder. Names and addresses are the vault's, when this process has its keys; a protected
    resident's letter has none: a protected officer addresses it. `seen` is told how many are done, of how many. Raises
    LetterExists, DocumentUnprintable and what `read_vault` raises.
    """
    waiting = Decision.objects.filter(tax_year=year, state=Decision.State.ISSUED).order_by("pk")
    ids, done, unaddressed = list(waiting.values_list("pk", flat=True)), 0, 0
    for at in range(0, len(ids), LETTERS_AT_ONCE):
        some = ids[at : at + LETTERS_AT_ONCE]
        decisions = list(Decision.objects.filter(pk__in=some).order_by("pk"))
        addressees = _addressees({decision.resident_ref for decision in decisions}, actor)
        for decision in decisions:
            unaddressed += not _write(folder, decision, addressees.get(decision.resident_ref), language, sent_on)
            done += 1
            seen(done, len(ids))
        notify(some, on=sent_on, by_post=True, actor=actor)
    return LettersPrinted(done, unaddressed)


def _addressees(refs: set[UUID], actor: str) -> dict[UUID, Addressee]:
    if not has_vault_keys():
        return {}
    access = Access(actor=actor, role=Role.OPERATOR, office="", purpose=PURPOSE)
    open_ones: Sequence[UUID] = list(
        Resident.objects.filter(pk__in=refs, is_protected=False).values_list("pk", flat=True)
    )
    return addressees_of(open_ones, access=access, at=timezone.now()) if open_ones else {}


def _write(folder: Path, decision: Decision, addressee: Addressee | None, language: Language, sent_on: date) -> bool:
    """Write one letter. Returns whether it is addressed: it is not where no font has a character of the address."""
    said = letter_of(decision, sent_on=sent_on)
    try:
        letter = letter_file({**said, "addressee": addressee and addressee._asdict()}, language=language)
    except DocumentUnprintable:
        addressee, letter = None, letter_file(said, language=language)
    path = folder / letter.name
    if path.exists():
        raise LetterExists(f"{path} is there already. Name an empty folder.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_bytes(letter.content)
    path.chmod(0o600)
    return addressee is not None
