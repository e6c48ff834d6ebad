"""Letters for whoever has named no account for long: made like a batch for a bank, paid once by the post office."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID, uuid4

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from apps.audit.access import Access
from apps.audit.operations import Cause, raise_alarms, record_event
from apps.kernel.documents.render import DocumentUnprintable, Language
from apps.payouts import outcomes
from apps.payouts.letters.files import SAYS, Order, Result, code_sha256, order_lines, read_results
from apps.payouts.letters.paper import Paper, letters_pdf
from apps.payouts.models import LETTER, Attempt, Batch, Obligation, PayableLetter, ResultFile
from apps.payouts.operations.claiming import attempt_each
from apps.payouts.operations.folder import paper_of, sha256_of, write_draft, write_private_file
from apps.payouts.operations.moving import note
from apps.payouts.operations.payees import update_payees
from apps.payouts.operations.results import Taken, Word, check_ours, keep, take_what_goes, taken_whole
from apps.payouts.queries.readiness import Ready, readiness
from apps.payouts.zengin.reading import Problem
from apps.refunds.documents.money import money_text
from apps.refunds.models import Run, RunState
from apps.refunds.operations.steps import alone, locked_in
from apps.residents.models import Resident
from apps.residents.notice_codes import new_code
from apps.residents.queries.addressees import Addressee, addressees_of
from apps.schemes.queries import scheme_of

AFTER: Final = timedelta(days=90)  # since it was owed, or since the last letter came back
VALID_FOR: Final = timedelta(days=180)
MOST: Final = 500  # letters of a batch
AT_ONCE: Final = 2_000
PURPOSE: Final = "payable letters"
RESULTS_LOCK: Final = 20151126  # the class of the advisory lock that who takes results of the post office holds
NEVER_BOTH: Final = ((outcomes.RETURNED, outcomes.PAID), (outcomes.PAID, outcomes.RETURNED))
State = Batch.State


def make_letters(
    year: int, *, actor: str, number: int | None = None, after: timedelta = AFTER, most: int = MOST
) -> Batch | None:
    """Make a draft of letters for whoever has had no account for so long; None when there is nobody more.

    The residents are those of a run that is being paid, by default the oldest. Protected ones are left out: their
    address is for named officers only. Reads addresses, so it may not run in a transaction. Raises RunMissing,
    WrongState, StepRunning and what `read_vault` raises.
    """
    with alone(year):
        batch = _begin(year, number, after, most, actor)
        return _finish(batch, *_write(batch, actor), actor) if batch else None


@transaction.atomic
def would_make_letters(year: int, *, number: int | None = None, after: timedelta = AFTER) -> tuple[int, int]:
    """How many letters would be made now, of what amount together; nothing is kept."""
    run, now = locked_in(year, RunState.PAYING, number), timezone.now()
    found = list(_without_account(run, now - after))
    missing = readiness(run, found, at=now)
    due = [one.amount_minor for one in found if missing[one.pk].waits_for == Obligation.Wait.MISSING]
    return len(due), sum(due)


@transaction.atomic
def _begin(year: int, number: int | None, after: timedelta, most: int, actor: str) -> Batch | None:
    run, now = locked_in(year, RunState.PAYING, number), timezone.now()
    begun = Batch.objects.filter(tax_year=year, run=run.number, rail=LETTER, state=State.WRITING).first()
    if begun:
        return begun
    waiting = list(_without_account(run, now - after).select_for_update(of=("self",))[:most])
    update_payees(waiting, at=now)
    found = readiness(run, waiting, at=now)
    chosen = [one for one in waiting if found[one.pk].waits_for == Obligation.Wait.MISSING]
    if not chosen:
        return None
    batch = Batch.objects.create(
        rail=LETTER, tax_year=year, run=run.number, transfer_date=timezone.localdate(now), made_at=now, made_by=actor
    )
    attempt_each(chosen, {one.pk: Ready(uuid4(), "") for one in chosen}, batch, at=now, actor=actor)
    return batch


def _without_account(run: Run, before: datetime) -> Any:
    """What has waited for an account since then, and of which no letter was under way since then."""
    owed = Obligation.objects.filter(
        tax_year=run.tax_year_id, run=run.number, state=Obligation.State.DUE, waits_for=Obligation.Wait.MISSING,
        made_at__lte=before,
    )  # fmt: skip
    letters = Attempt.objects.filter(obligation=OuterRef("pk"), rail=LETTER, changed_at__gt=before)
    either = Q(pk=OuterRef("payee_ref")) | Q(pk=OuterRef("resident_ref"))
    hidden = Resident.objects.filter(either, is_protected=True)
    return owed.filter(~Exists(letters.exclude(state=outcomes.DROPPED)), ~Exists(hidden)).order_by("pk")


def _write(batch: Batch, actor: str) -> tuple[list[PayableLetter], list[Attempt], str]:
    """Write paper and order. Returns the letters, the attempts that no letter can be made of, the order's SHA-256."""
    attempts = list(Attempt.objects.filter(batch=batch, state=outcomes.DRAFT).select_related("obligation"))
    refs = {one.obligation.payee_ref for one in attempts}
    access = Access(actor, "operator", "Payouts", PURPOSE, str(batch))
    to = addressees_of(sorted(refs), access=access, at=timezone.now())
    papers = dict(_papers(batch, [one for one in attempts if one.obligation.payee_ref in to], to))
    until = batch.transfer_date + VALID_FOR
    bad = _unprintable(list(papers.values()), batch)
    good = [one for one in attempts if one.pk in papers and one.reference not in bad]
    if not good:
        return [], attempts, ""
    pdf = letters_pdf([papers[one.pk] for one in good], on=batch.transfer_date, valid_until_date=until)
    write_private_file(paper_of(batch), lambda out: out.write(pdf))
    letters = [
        PayableLetter(
            id=one.account_id, attempt=one, code_hash=code_sha256(papers[one.pk].code), valid_until_date=until
        )
        for one in good
    ]
    orders = (Order(x.attempt.reference, bytes(x.code_hash).hex(), x.attempt.amount_minor, until) for x in letters)
    lines = order_lines(orders, batch.transfer_date, sha256_of(paper_of(batch)))
    text = "".join(f"{line}\n" for line in lines).encode("ascii")
    write_draft(batch, lambda out: out.write(text))
    return letters, [one for one in attempts if one not in good], hashlib.sha256(text).hexdigest()


def _papers(batch: Batch, attempts: Sequence[Attempt], to: dict[UUID, Addressee]) -> Iterator[tuple[int, Paper]]:
    """By attempt, a letter with a fresh code, which is on the paper and nowhere else."""
    languages = dict(Resident.objects.filter(pk__in=list(to)).values_list("pk", "language"))
    scheme = scheme_of(Run.objects.get(tax_year=batch.tax_year, number=batch.run).tax_year.scheme_version_id)
    for one in attempts:
        payee = one.obligation.payee_ref
        language = cast(Language, languages[payee])
        amount = money_text(
            one.amount_minor, currency=scheme.currency, minor_unit_digits=scheme.minor_unit_digits, language=language
        )
        yield one.pk, Paper(one.reference, *to[payee], language, amount, batch.tax_year, new_code())


def _unprintable(papers: Sequence[Paper], batch: Batch) -> set[str]:
    """The references of letters that cannot be set, mostly because no font has a character of a name."""
    dates = {"on": batch.transfer_date, "valid_until_date": batch.transfer_date + VALID_FOR}
    try:
        letters_pdf(papers, **dates)
    except DocumentUnprintable:
        if len(papers) == 1:
            return {papers[0].reference}
        half = len(papers) // 2
        return _unprintable(papers[:half], batch) | _unprintable(papers[half:], batch)
    return set()


@transaction.atomic
def _finish(
    batch: Batch, letters: Sequence[PayableLetter], refused: Sequence[Attempt], sha256: str, actor: str
) -> Batch | None:
    """Keep what the order holds; whoever no letter can be made for goes back to the waiting."""
    held, now = Batch.objects.select_for_update().get(pk=batch.pk, state=State.WRITING), timezone.now()
    for one in refused:
        one.state, one.changed_at = outcomes.DROPPED, now
    Attempt.objects.bulk_update(refused, ["state", "changed_at"])
    note(refused, at=now, actor=actor, text="no letter can be made of it")
    Obligation.objects.filter(attempts__in=list(refused)).update(
        state=Obligation.State.DUE, waits_for=Obligation.Wait.MISSING
    )
    PayableLetter.objects.bulk_create(letters)
    held.state, held.sha256 = State.DRAFT if letters else State.DROPPED, sha256
    held.transfers, held.sum_minor = len(letters), sum(one.attempt.amount_minor for one in letters)
    held.save()
    detail = {"transfers": held.transfers, "sum_minor": held.sum_minor, "refused": len(refused)}
    record_event(
        at=now, actor=actor, action="payout.make", subject=f"batch:{held.pk}", detail=detail,
        before={"state": State.WRITING}, after={"state": held.state, "sha256": sha256},
    )  # fmt: skip
    return held if letters else None


def import_letter_results(path: Path, *, actor: str, dry_run: bool = False) -> tuple[ResultFile, bool]:
    """Take the post office's results, whole in one transaction: as `import_results` does a bank's.

    Raises NotAResultFile.
    """
    digest = sha256_of(path)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, 0)", [RESULTS_LOCK])  # one file at a time
        if known := taken_whole(digest):
            return known, True
        taken = _take(path, actor)
        check_ours(taken, path.name, "a letter")
        file = keep(path.name, digest, None, taken, actor)
        transaction.set_rollback(dry_run)
    return file, False


def _take(path: Path, actor: str) -> Taken:
    taken, now = Taken(), timezone.now()
    with path.open("rb") as file:
        found = read_results(file)
        while some := list(islice(found, AT_ONCE)):
            for problem in (one for one in some if isinstance(one, Problem)):
                taken.tell(problem)
            results = [one for one in some if isinstance(one, Result)]
            taken.lines += len(results)
            take_what_goes(list(_words(results, taken, now)), None, taken, at=now, actor=actor)
    return taken


def _words(results: Collection[Result], taken: Taken, at: datetime) -> Iterator[Word]:
    """The results of letters as words. A letter that was not paid in time cannot have been paid later."""
    references = [one.reference for one in results]
    said = dict(Attempt.objects.filter(reference__in=references, rail=LETTER).values_list("reference", "said"))
    for one in results:
        word = SAYS[one.said]
        if one.reference not in said:
            taken.tell(Problem(one.line, "foreign", f"No letter has the number {one.reference!r}."))
        elif (said[one.reference], word) in NEVER_BOTH:
            before, taken.ours = said[one.reference], taken.ours + 1
            why = f"The post office said {before} of {one.reference} before, and {word} now: ask the post office."
            taken.tell(Problem(one.line, "contradiction", why))
            cause: dict[str, object] = {"reference": one.reference, "before": before, "now": word}
            raise_alarms([Cause("payout_contradiction", f"{one.reference}:{word}", cause)], at=at)
        else:
            said[one.reference] = said[one.reference] or word  # another line may say the contrary
            yield Word(one.line, one.reference, one.amount_minor, word, one.said[:4])
