"""The year-end run, a step at a time: freeze, assess, verify. Each step has its guard and its event."""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
import psycopg
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from apps.accruals.operations.archiving import write_closed_parts
from apps.accruals.operations.years import freeze_run
from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.purchases.queries import uncounted
from apps.refunds.models import Refund, Run, RunState
from apps.refunds.queries import (
    AssessedResident,
    Result,
    archive_files,
    assessed_residents,
    earlier_entitlements,
    latest_run,
    lines_json,
    results_of_run,
    spend_text,
)
from apps.refunds.rules import Rules, rules_of
from apps.refunds.verification import SecondRefund, second_assessment
from apps.schemes.queries import tax_year

DRAIN_PAUSE_S: Final = 0.2
DIFFERENCES_KEPT: Final = 100
Seen = Callable[[int], None]
Item = TypeVar("Item")


class OutboxNotEmpty(KanpuError):
    """Accepted purchases wait to be counted and nobody counts them."""

    code = "outbox_not_empty"


class WrongState(KanpuError):
    """The run is not in the state that this step starts from."""

    code = "wrong_state"


class ArchiveDamaged(KanpuError):
    """A file of the archive is not the one that was written."""

    code = "archive_damaged"


class AssessmentsDiffer(KanpuError):
    """The two assessments do not agree: nobody is paid until it is known why."""

    code = "assessments_differ"


def nothing_seen(_count: int) -> None:
    """For callers that show no progress."""


def freeze(year: int, *, actor: str, drain_timeout_s: float = 600, waiting: Seen = nothing_seen) -> Run:
    """Wait until the outbox is empty, then close the year's open run: later purchases go to the next one.

    `waiting` is told how many records still wait. The run's entries are then written to the archive. Raises
    OutboxNotEmpty when the outbox does not empty in time, WrongState while an earlier run is unfinished.
    """
    tax_year(year)  # a year that was not started is said first
    _drain(drain_timeout_s, waiting)
    with transaction.atomic():
        now = timezone.now()
        number = freeze_run(year, now=now)
        unfinished = Run.objects.filter(tax_year_id=year).exclude(state=RunState.VERIFIED).first()
        if unfinished:
            raise WrongState(f"{unfinished} is {unfinished.state}: finish it before the next freeze.")
        run = Run.objects.create(tax_year_id=year, number=number, cutoff_at=now)
        _record(run, "run.freeze", actor, now, {"cutoff_at": now.isoformat()})
    write_closed_parts(year, now=timezone.now())
    return run


def _drain(timeout_s: float, waiting: Seen) -> None:
    """Wait for workers to count what was accepted until now; give up when none of it is counted for `timeout_s`."""
    until = timezone.now()
    left = uncounted(received_by=until)[1]
    moved_at = time.monotonic()
    while left:
        waiting(left)
        time.sleep(DRAIN_PAUSE_S)
        left_now = uncounted(received_by=until)[1]
        if left_now < left:
            left, moved_at = left_now, time.monotonic()
        elif time.monotonic() - moved_at > timeout_s:
            raise OutboxNotEmpty(
                f"{left} purchases wait and no worker counts them. Start one, or: sweep_outbox --once --retry-failed"
            )
    waiting(0)


def assess_run(year: int, *, actor: str, seen: Seen = nothing_seen) -> Run:
    """Assess every resident of the frozen run from totals and write the refunds; again replaces them.

    `seen` is told how many residents are done. Raises WrongState.
    """
    started = time.monotonic()
    with transaction.atomic():
        run = _locked(year, {RunState.FROZEN, RunState.ASSESSED})
        Refund.objects.filter(tax_year=year, run=run.number).delete()
        digest, earlier = hashlib.sha256(), earlier_entitlements(run)
        run.residents = run.refunded = run.at_cap = run.refund_minor = 0
        rules = rules_of(run.tax_year.scheme_version.scheme(), year)
        for shard in _chunks(assessed_residents(run), 10_000):
            _write_refunds(run, shard, earlier, rules)
            _add_figures(run, shard, rules, digest.update)
            seen(run.residents)
        run.assessed_digest = digest.hexdigest()
        run.state, run.assessed_at = RunState.ASSESSED, timezone.now()
        run.assess_s = time.monotonic() - started
        run.save()
        _record(run, "run.assess", actor, run.assessed_at, {"digest": run.assessed_digest})
    return run


def _write_refunds(run: Run, shard: list[AssessedResident], earlier: dict[UUID, int], rules: Rules) -> None:
    version = run.tax_year.scheme_version_id
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        statement = (
            "COPY refunds_refund (resident_ref, tax_year, run, scheme_version, entitled_minor, earlier_minor,"
            " due_minor, at_cap, lines) FROM STDIN"
        )
        with cursor.copy(statement) as copy:
            for ref, found in shard:
                before = earlier.get(ref, 0)
                lines = msgspec.json.encode(lines_json(found, rules)).decode()
                copy.write_row(
                    (ref, run.tax_year_id, run.number, version, found.refund_minor, before,
                     found.refund_minor - before, found.at_cap, lines)
                )  # fmt: skip


def _add_figures(run: Run, shard: list[AssessedResident], rules: Rules, add: Callable[[bytes], None]) -> None:
    for ref, found in shard:
        run.residents += 1
        run.refunded += found.refund_minor > 0
        run.at_cap += found.at_cap
        run.refund_minor += found.refund_minor
        add(_digest_line(Result(str(ref), found.refund_minor, spend_text(lines_json(found, rules)))))


def _digest_line(result: Result) -> bytes:
    return f"{result.resident_ref} {result.refund_minor} {result.spend}\n".encode()


def verify_run(year: int, *, actor: str) -> Run:
    """Assess the run again from the archive and compare, resident by resident: refund and spend per tier, to the yen.

    Raises ArchiveDamaged when a file's SHA-256 is not the manifest's, AssessmentsDiffer with the first differences
    kept in the run, WrongState.
    """
    started = time.monotonic()
    write_closed_parts(year, now=timezone.now())  # what a freeze that died left unwritten
    try:
        with transaction.atomic():
            run = _verify(_locked(year, {RunState.ASSESSED, RunState.VERIFIED}), started, actor)
    except ArchiveDamaged as error:
        _record(latest_run(year), "run.archive_damaged", actor, timezone.now(), {"error": str(error)})
        raise
    if run.state != RunState.VERIFIED:
        raise AssessmentsDiffer(f"{len(run.differences)} residents differ, the first: {run.differences[:3]}")
    return run


def _verify(run: Run, started: float, actor: str) -> Run:
    files = [_checked(settings.KANPU_ARCHIVE, file) for file in archive_files(run)]
    digest = hashlib.sha256()
    with second_assessment(files, run.tax_year.scheme_version.scheme(), run.tax_year_id) as assessment:
        second = _summed(run, assessment.refunds(), digest.update)
        differences = list(islice(_differences(results_of_run(run), second), DIFFERENCES_KEPT))
        for _ in second:
            """What is left after the differences kept still belongs to the sum."""
        run.verified_entries = assessment.entries
    run.verified_digest, run.differences = digest.hexdigest(), differences
    run.verified_at, run.verify_s = timezone.now(), time.monotonic() - started
    agreed = not differences and run.verified_digest == run.assessed_digest
    run.state = RunState.VERIFIED if agreed else RunState.ASSESSED
    run.save()
    action = "run.verify" if agreed else "run.differ"
    _record(run, action, actor, run.verified_at, {"digest": run.verified_digest, "differences": len(differences)})
    return run


def _summed(run: Run, refunds: Iterable[SecondRefund], add: Callable[[bytes], None]) -> Iterator[Result]:
    run.verified_refund_minor = 0
    for ref, refund_minor, spend in refunds:
        run.verified_refund_minor += refund_minor
        result = Result(ref, refund_minor, spend)
        add(_digest_line(result))
        yield result


def _differences(first: Iterator[Result], second: Iterator[Result]) -> Iterator[dict[str, Any]]:
    """Residents on which two lists sorted by reference do not agree; None where one list lacks the resident."""
    one, two = next(first, None), next(second, None)
    while one or two:
        if one and (two is None or one.resident_ref < two.resident_ref):
            yield _difference(one, None)
            one = next(first, None)
        elif two and (one is None or two.resident_ref < one.resident_ref):
            yield _difference(None, two)
            two = next(second, None)
        else:
            if one != two:
                yield _difference(one, two)
            one, two = next(first, None), next(second, None)


def _difference(one: Result | None, two: Result | None) -> dict[str, Any]:
    either = one or two
    return {
        "resident_ref": either.resident_ref if either else "",
        "from_totals": one and one.refund_minor,
        "from_archive": two and two.refund_minor,
        "spend_from_totals": one and one.spend,
        "spend_from_archive": two and two.spend,
    }


def _checked(archive: Path, file: dict[str, str]) -> Path:
    path = archive / file["path"]
    try:
        with path.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise ArchiveDamaged(f"{path} cannot be read: {error.strerror}. Restore it from the back-up.") from error
    if sha256 != file["sha256"]:
        raise ArchiveDamaged(f"{path} is not the file that was written. Restore it from the back-up.")
    return path


def _locked(year: int, states: set[RunState]) -> Run:
    """The newest run, locked, in one of the states. Raises WrongState."""
    found = latest_run(year)
    run = Run.objects.select_related("tax_year__scheme_version").select_for_update(of=("self",)).get(pk=found.pk)
    if run.state not in states:
        raise WrongState(f"{run} is {run.state}; this step needs {' or '.join(sorted(states))}.")
    return run


def _record(run: Run, action: str, actor: str, at: datetime, detail: dict[str, object]) -> None:
    record_event(at=at, actor=actor, action=action, subject=f"run:{run.tax_year_id}/{run.number}", detail=detail)


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    for first in iterator:
        yield list(chain([first], islice(iterator, size - 1)))
