"""Verifying a run: every refund again from the archive, by other code, and the two compared to the yen."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.accruals.operations.archiving import copy_out, file_digest, write_closed_parts
from apps.kernel.errors import KanpuError
from apps.kernel.progress import Seen, nothing_seen
from apps.refunds.models import Run, RunState, StepName
from apps.refunds.operations.proving import forget_tree, grow_tree
from apps.refunds.operations.register import write_register
from apps.refunds.operations.steps import Work, check_state, locked, record, working
from apps.refunds.proofs import RunFigures, evidence_sha256, run_digest
from apps.refunds.queries.runs import effective_before, evidence_of, latest_run
from apps.refunds.queries.statistics import statistics_of
from apps.refunds.rules import rules_of
from apps.refunds.statistics import as_json
from apps.refunds.verification import second_assessment
from apps.schemes.queries import scheme_of

DIFFERENCES_KEPT: Final = 100
STAGES: Final = 4  # the files' hashes, the second assessment, the comparison, the tree

# Each resident's last refund of the year up to the run, as the second assessment is compared with it.
FIRST = """
COPY (SELECT resident_ref, entitled_minor, array_to_string(ARRAY(
        SELECT tier || '=' || sum(spend) FROM unnest(spend_minor, %s::text[]) AS l (spend, tier)
        GROUP BY tier HAVING sum(spend) <> 0 ORDER BY tier COLLATE "C"), ',')
      FROM (SELECT DISTINCT ON (resident_ref) resident_ref, entitled_minor, spend_minor FROM refunds_refund
            WHERE tax_year = %s AND run <= %s ORDER BY resident_ref, run DESC) r) TO STDOUT (FORMAT csv)
"""


class ArchiveDamaged(KanpuError):
    """A file of the archive is not the one that was written."""

    code = "archive_damaged"


class AssessmentsDiffer(KanpuError):
    """The two assessments do not agree: nobody is paid until it is known why."""

    code = "assessments_differ"


class DuesDiffer(KanpuError):
    """What all runs give together is not what residents are entitled to."""

    code = "dues_differ"


@dataclass(frozen=True, slots=True)
class Second:
    """What the second assessment found, in minor units, and on how many residents the two disagree."""

    entries: int
    residents: int
    refund_minor: int
    differing: int
    differences: list[dict[str, Any]]


def verify_run(year: int, *, actor: str, seen: Seen = nothing_seen) -> Run:
    """Assess the run again from the archive and compare, resident by resident: refund and spend per tier, to the yen.

    When all agree, the refunds become leaves of the year's tree and the run gets the digest that auditors sign. Raises
    ArchiveDamaged when a file's SHA-256 is not the manifest's, AssessmentsDiffer with the first differences kept in
    the run, DuesDiffer, WrongState, StepRunning.
    """
    started_s = time.monotonic()
    with working(year, StepName.VERIFY, actor=actor, seen=seen) as work:
        run = latest_run(year)
        check_state(run, RunState.ASSESSED, RunState.VERIFIED)
        write_closed_parts(year, now=timezone.now())  # what a freeze that died left unwritten
        write_register(run)
        try:
            files = checked_files(evidence_of(run))
        except ArchiveDamaged as error:
            record(run, "run.archive_damaged", actor, {"error": str(error)})
            raise
        work.show(1, STAGES)
        second = _compare(run, files, work)
        run = _verified(year, actor, second, started_s)
        work.show(STAGES, STAGES)
    if second.differing:
        raise AssessmentsDiffer(
            f"{second.differing} residents differ, the first: {second.differences[:3]}. All: year_end {year} status"
        )
    return run


def _compare(run: Run, files: list[Path], work: Work) -> Second:
    scheme = scheme_of(run.tax_year.scheme_version_id)
    register = settings.KANPU_ARCHIVE / run.register_file["path"] if run.register_file else None
    entries = [file for file in files if file != register]
    with (
        TemporaryDirectory() as scratch,
        second_assessment(entries, scheme, run.tax_year_id, register=register) as second,
    ):
        work.show(2, STAGES)
        first = Path(scratch) / "first.csv"
        _export_first(run, first)
        differing, differences = second.differences(first, limit=DIFFERENCES_KEPT)
        work.show(3, STAGES)
        return Second(second.entries, second.residents, second.refund_minor, differing, differences)


def _export_first(run: Run, path: Path) -> None:
    rules = rules_of(scheme_of(run.tax_year.scheme_version_id), run.tax_year_id)
    values = ([line.tier for line in rules.lines], run.tax_year_id, run.number)
    copy_out(FIRST, path, values)


@transaction.atomic
def _verified(year: int, actor: str, second: Second, started_s: float) -> Run:
    run = locked(year, RunState.ASSESSED, RunState.VERIFIED)
    signed = run.digest
    run.verified_entries, run.verified_residents = second.entries, second.residents
    run.verified_minor, run.differing, run.differences = second.refund_minor, second.differing, second.differences
    if second.differing:
        forget_tree(run)
        run.state, run.digest, run.root, run.tree_size = RunState.ASSESSED, "", "", 0
        run.statistics = None
    else:
        _check_dues(run)
        run.tree_size, root = grow_tree(run)
        run.root, run.state = root.hex(), RunState.VERIFIED
        run.digest = run_digest(figures_of(run))
        run.statistics = as_json(statistics_of(run))
    if run.digest != signed:
        run.signed_1_by, run.signed_1_at = "", None
    run.verified_at, run.verify_s = timezone.now(), time.monotonic() - started_s
    run.save()
    action = "run.differ" if second.differing else "run.verify"
    record(run, action, actor, {"digest": run.digest, "root": run.root, "differing": second.differing})
    return run


def _check_dues(run: Run) -> None:
    """Whether this run and the approved ones before it give in all what residents are entitled to."""
    given_minor = sum(earlier.due_minor for earlier in effective_before(run))
    if given_minor + run.due_minor != run.entitled_minor:
        raise DuesDiffer(
            f"{run} gives {run.due_minor} and the runs before it {given_minor}, but residents are entitled to"
            f" {run.entitled_minor} minor units in all. Undo the assessment and assess again."
        )


def figures_of(run: Run) -> RunFigures:
    """What the run's digest is made of."""
    return RunFigures(
        year=run.tax_year_id,
        run=run.number,
        scheme_sha256=run.tax_year.scheme_version.sha256,
        residents=run.residents,
        refunded=run.refunded,
        entitled_minor=run.entitled_minor,
        due_minor=run.due_minor,
        statements=run.statements,
        tree_size=run.tree_size,
        root=run.root,
        evidence_sha256=evidence_sha256(evidence_of(run)),
    )


def checked_files(files: dict[str, str]) -> list[Path]:
    """The archive's files, each with the SHA-256 it was written with. Raises ArchiveDamaged."""
    with ThreadPoolExecutor(2) as threads:
        return list(threads.map(_checked, files, files.values()))


def _checked(name: str, sha256: str) -> Path:
    path: Path = settings.KANPU_ARCHIVE / name
    try:
        found = file_digest(path)
    except OSError as error:
        raise ArchiveDamaged(f"{path} cannot be read: {error.strerror}. Write it anew: restore_archive YEAR") from error
    if found != sha256:
        raise ArchiveDamaged(f"{path} is not the file that was written. Write it anew: restore_archive YEAR")
    return path
