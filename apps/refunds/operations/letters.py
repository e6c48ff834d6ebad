"""Printing the letters of decisions that nobody was told of yet, some at a time, so that it can be broken off."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final

from apps.kernel.documents.render import Language
from apps.kernel.errors import KanpuError
from apps.refunds.documents.files import letter_file
from apps.refunds.models import Decision
from apps.refunds.operations.deciding import notify
from apps.refunds.queries.decisions import letter_of

LETTERS_AT_ONCE: Final = 200


class LetterExists(KanpuError):
    """A letter of that decision lies in the folder already."""

    code = "letter_exists"


def print_letters(
    year: int, *, folder: Path, language: Language, sent_on: date, actor: str, seen: Callable[[int, int], None]
) -> int:
    """Write the letter of each decision of a year that was not sent, and record it as sent on a day. Returns how many.

    A letter is in the folder before its decision counts as sent: what is broken off in between is printed by the next
    call into another folder. `seen` is told how many are done, of how many. Raises LetterExists, DocumentUnprintable.
    """
    waiting = Decision.objects.filter(tax_year=year, state=Decision.State.ISSUED).order_by("pk")
    ids, done = list(waiting.values_list("pk", flat=True)), 0
    for at in range(0, len(ids), LETTERS_AT_ONCE):
        some = ids[at : at + LETTERS_AT_ONCE]
        for decision in Decision.objects.filter(pk__in=some).order_by("pk"):
            _write(folder, decision, language, sent_on)
            done += 1
            seen(done, len(ids))
        notify(some, on=sent_on, by_post=True, actor=actor)
    return done


def _write(folder: Path, decision: Decision, language: Language, sent_on: date) -> None:
    letter = letter_file(letter_of(decision, sent_on=sent_on), language=language)
    path = folder / letter.name
    if path.exists():
        raise LetterExists(f"{path} is there already. Name an empty folder.")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_bytes(letter.content)
    path.chmod(0o600)
