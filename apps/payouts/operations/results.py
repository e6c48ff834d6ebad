"""Taking what a bank says of its transfers: each file once, in whatever order; what cannot be taken is told."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from io import BufferedIOBase
from itertools import islice
from pathlib import Path
from typing import IO, Final, NamedTuple, cast

from django.db import transaction
from django.utils import timezone

from apps.audit.operations import Cause, raise_alarms, record_event
from apps.kernel.errors import KanpuError
from apps.kernel.progress import Seen, nothing_seen
from apps.payouts import outcomes
from apps.payouts.models import Attempt, Obligation, ResultFile, SendingBank
from apps.payouts.operations.moving import note
from apps.payouts.operations.telling import tell_said
from apps.payouts.outcomes import Verdict
from apps.payouts.queries.chains import own_parts
from apps.payouts.zengin.reading import Problem, Record, read_file
from apps.refunds.operations.approving import reopen_run
from apps.refunds.operations.netting import record_payments, take_back_payments
from apps.refunds.queries.runs import run_of

AT_ONCE: Final = 2_000
PROBLEMS_KEPT: Final = 1_000


class NotAResultFile(KanpuError):
    """The file is another bank's, or has no line that says what became of a transfer of this one's."""

    code = "not_a_result_file"


class Word(NamedTuple):
    """What a bank says of one attempt: a rail makes these from whatever it gets."""

    line: int
    reference: str
    amount_minor: int
    said: str
    code: str


@dataclass(slots=True)
class Taken:
    """What a file did so far: its lines, those of attempts that there are, and what became of them."""

    lines: int = 0
    ours: int = 0
    verdicts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    refused: int = 0
    problems: list[Problem] = field(default_factory=list)

    def add(self, other: "Taken") -> None:
        """What some words did."""
        self.ours += other.ours
        for verdict, count in other.verdicts.items():
            self.verdicts[verdict] += count
        self.refused += other.refused
        self.problems += other.problems[: PROBLEMS_KEPT - len(self.problems)]

    def tell(self, problem: Problem) -> None:
        """A line that cannot be taken."""
        self.refused += 1
        if len(self.problems) < PROBLEMS_KEPT:
            self.problems.append(problem)


def import_results(
    path: Path, *, bank: SendingBank, actor: str, dry_run: bool = False, seen: Seen = nothing_seen
) -> tuple[ResultFile, bool]:
    """`take_results` of a file on disk."""
    with path.open("rb") as file:
        return take_results(file, path.name, bank=bank, actor=actor, dry_run=dry_run, seen=seen)


def take_results(
    file: BufferedIOBase, name: str, *, bank: SendingBank, actor: str, dry_run: bool = False, seen: Seen = nothing_seen
) -> tuple[ResultFile, bool]:
    """Take a bank's result or return file, whole in one transaction. Returns it, and whether it was taken before.

    The same bytes change nothing a second time. Of a file that was cut or bent the good lines are taken; the same lines
    in a later, whole file are the same words then. A file of which lines were refused is looked at again, because what
    refused them may have been our mistake. With `dry_run` all is undone. Raises NotAResultFile.
    """
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    with transaction.atomic():
        SendingBank.objects.select_for_update().get(pk=bank.pk)  # one file at a time
        if known := taken_whole(digest):
            return known, True
        taken = _take(file, bank, actor, seen)
        check_ours(taken, name, f"a transfer of {bank}")
        kept = keep(name, digest, bank, taken, actor)
        transaction.set_rollback(dry_run)
    return kept, False


def taken_whole(digest: str) -> ResultFile | None:
    """The file of these bytes, if it was taken without a line that was refused."""
    return ResultFile.objects.filter(sha256=digest, refused=0).first()


def check_ours(taken: Taken, name: str, what: str) -> None:
    """Raise NotAResultFile for a file that says nothing of what was sent: it was given to the wrong bank, perhaps."""
    if not taken.ours:
        why = " ".join(f"Line {one.line}: {one.why}" for one in taken.problems[:3])
        raise NotAResultFile(f"{name} has no line of {what}, and nothing of it was kept. {why}".rstrip())


def _take(file: BufferedIOBase, bank: SendingBank, actor: str, seen: Seen) -> Taken:
    taken, now = Taken(), timezone.now()
    words = (word for one in read_file(cast("IO[bytes]", file)) if (word := _word(one, bank, taken)))
    while some := list(islice(words, AT_ONCE)):
        taken.lines += len(some)
        take_what_goes(some, bank, taken, at=now, actor=actor)
        seen(taken.lines, 0)
    return taken


def take_what_goes(words: Sequence[Word], bank: SendingBank | None, taken: Taken, *, at: datetime, actor: str) -> None:
    """`take_words`; one that cannot be kept, because a refund is settled otherwise, is told and stops no other."""
    found = Taken()
    try:
        with transaction.atomic():
            take_words(words, bank, found, at=at, actor=actor)
    except KanpuError as error:
        if len(words) == 1:
            taken.ours += 1
            taken.tell(Problem(words[0].line, error.code, str(error)))
            return
        half = len(words) // 2
        for some in (words[:half], words[half:]):
            take_what_goes(some, bank, taken, at=at, actor=actor)
        return
    taken.add(found)


def _word(found: Record | Problem, bank: SendingBank, taken: Taken) -> Word | None:
    if isinstance(found, Problem):
        taken.tell(found)
        return None
    values = found.values
    if found.kind == "1":
        if (values["sender_code"], values["bank"]) != (bank.sender_code.zfill(10), bank.bank):
            sender, code = values["sender_code"], values["bank"]
            raise NotAResultFile(
                f"Line {found.line}: the file is of the sender {sender} and bank {code}, not of {bank.sender_code} and"
                f" {bank.bank}. Nothing of it was kept: name its bank with --bank."
            )
        return None
    said = bank.result_codes.get(values["result"])
    if said not in outcomes.WORDS:
        taken.tell(Problem(found.line, "result_unknown", f"The bank has no result {values['result']!r}."))
        return None
    return Word(found.line, found.reference, int(values["amount"]), said, values["result"])


def take_words(words: Sequence[Word], bank: SendingBank | None, taken: Taken, *, at: datetime, actor: str) -> None:
    """Apply what a bank says in the caller's transaction: to attempts, obligations and the refunds' settlements.

    Without a bank they are words of Stripe's.
    """
    rows = Attempt.objects.filter(reference__in=[word.reference for word in words], batch__bank=bank)
    known = {one.reference: one for one in rows.select_for_update(of=("self",)).order_by("pk")}
    changed: list[tuple[Attempt, str]] = []
    for word in words:
        attempt = known.get(word.reference)
        if attempt is None:
            taken.tell(Problem(word.line, "foreign", f"No transfer has the reference {word.reference!r}."))
            continue
        taken.ours += 1
        if attempt.amount_minor != word.amount_minor:
            why = f"{word.reference} is a transfer of {attempt.amount_minor}, not of {word.amount_minor}."
            taken.tell(Problem(word.line, "other_amount", why))
        else:
            _apply(attempt, word, changed, taken, at)
    _write(changed, at=at, actor=actor)


def _apply(attempt: Attempt, word: Word, changed: list[tuple[Attempt, str]], taken: Taken, at: datetime) -> None:
    verdict = outcomes.judge(attempt.state, attempt.said, word.said)
    if verdict == Verdict.APPLIED:
        changed.append((attempt, attempt.said))
        attempt.state = attempt.said = word.said
        attempt.result_code, attempt.changed_at = word.code, at
    elif verdict == Verdict.NOT_SENT:
        taken.tell(Problem(word.line, "not_sent", f"{word.reference} was not sent: it is {attempt.state}."))
        if word.said == outcomes.PAID:  # money left that nobody sent, and will be sent once more
            detail: dict[str, object] = {"reference": word.reference, "state": attempt.state}
            raise_alarms([Cause("payout_not_sent", word.reference, detail)], at=at)
        return
    elif verdict == Verdict.CONTRADICTS:
        why = f"The bank said {attempt.said} of {word.reference} before, and {word.said} now: ask the bank."
        taken.tell(Problem(word.line, "contradiction", why))
        cause: dict[str, object] = {"reference": word.reference, "before": attempt.said, "now": word.said}
        raise_alarms([Cause("payout_contradiction", f"{word.reference}:{word.said}", cause)], at=at)
        return
    taken.verdicts[verdict] += 1


def _write(changed: Sequence[tuple[Attempt, str]], *, at: datetime, actor: str) -> None:
    """Keep what changed. A word may change twice in one file: what was said at first is what counts before."""
    before = {attempt.pk: said for attempt, said in reversed(changed)}
    attempts = list({attempt.pk: attempt for attempt, _ in changed}.values())
    Attempt.objects.bulk_update(attempts, ["state", "said", "result_code", "changed_at"], batch_size=1_000)
    note(attempts, at=at, actor=actor)
    for state in outcomes.WORDS:
        owed = [one.obligation_id for one in attempts if one.said == state]
        Obligation.objects.filter(pk__in=owed).update(state=state)
    paid = [one.obligation_id for one in attempts if one.said == outcomes.PAID]
    back = [one.obligation_id for one in attempts if before[one.pk] == outcomes.PAID]
    for (year, run), parts in own_parts(paid).items():
        record_payments(run_of(year, run), parts, at=at, actor=actor)
    for (year, run), parts in own_parts(back).items():
        take_back_payments(run_of(year, run), parts, actor=actor)
    for year, run in Obligation.objects.filter(pk__in=back).values_list("tax_year", "run").distinct():
        reopen_run(run_of(year, run), actor=actor)  # by now it may be closed, and this must be paid again
    tell_said(attempts, at=at)


def keep(name: str, digest: str, bank: SendingBank | None, taken: Taken, actor: str) -> ResultFile:
    """Keep that a file was taken and what it did the last time, in the caller's transaction."""
    found = {
        "bank": bank, "file_name": name[:120], "imported_at": timezone.now(), "imported_by": actor,
        "lines": taken.lines, "applied": taken.verdicts[Verdict.APPLIED], "same": taken.verdicts[Verdict.SAME],
        "older": taken.verdicts[Verdict.OLDER], "refused": taken.refused,
        "problems": [problem._asdict() for problem in taken.problems],
    }  # fmt: skip
    file, _ = ResultFile.objects.update_or_create(sha256=digest, defaults=found)
    detail = {"sha256": digest, "lines": file.lines, "applied": file.applied, "refused": file.refused}
    record_event(at=file.imported_at, actor=actor, action="payout.results", subject=f"results:{file.pk}", detail=detail)
    return file
