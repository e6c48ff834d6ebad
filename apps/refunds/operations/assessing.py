"""Assessing a run from totals: shards of residents, each in one transaction, by whoever is there to take one.

The command that starts it takes shards too, so a year is assessed without any worker, only slower.
"""

import time
from collections.abc import Iterable
from typing import Final, NamedTuple
from uuid import UUID

import psycopg
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum
from django.utils import timezone

from apps.accruals.queries import residents_about
from apps.kernel.progress import Seen, nothing_seen
from apps.purchases.doorbell import Doorbell
from apps.refunds.assessment import Assessment, NoRate, Person, assess_group
from apps.refunds.flat import assess_statement, is_flat
from apps.refunds.leaves import Statement, cuts_text, hmac_pads, leaf, lines_text
from apps.refunds.models import Run, RunState, Shard, StepName
from apps.refunds.operations.steps import Work, check_state, locked, record, working
from apps.refunds.queries.people import chunks_of_people
from apps.refunds.queries.runs import effective_before, latest_run, shards_done
from apps.refunds.rules import Rules, rules_of
from apps.schemes.queries import scheme_of

SHARD_RESIDENTS: Final = 12_000
SORTED_IN_MEMORY: Final = "64MB"
SHARDS_AT_LEAST: Final = 2
SHARDS_AT_MOST: Final = 4_096
WAIT_S: Final = 0.05
bell = Doorbell("refunds.assess")

COPY: Final = (
    "COPY refunds_refund (resident_ref, tax_year, run, scheme_version, entitled_minor, earlier_minor, due_minor,"
    " at_cap, spend_minor, bases_minor, cuts, leaf) FROM STDIN"
)
EARLIER: Final = """
SELECT DISTINCT ON (resident_ref) resident_ref, entitled_minor, spend_minor, bases_minor FROM refunds_refund
WHERE resident_ref = ANY(%s) AND tax_year = %s AND run < %s ORDER BY resident_ref, run DESC
"""


class Figures(NamedTuple):
    """What a shard found: counts, and sums in minor units (see Shard)."""

    residents: int
    refunded: int
    at_cap: int
    entitled_minor: int
    statements: int
    due_minor: int


class Found(NamedTuple):
    """A resident's assessment, with what the resident's last refund said, if there is one."""

    resident_ref: UUID
    assessment: Assessment
    earlier: tuple[int, list[int], list[int] | None] | None

    @property
    def is_new(self) -> bool:
        """Whether it differs from the last one, so that it becomes a refund of this run."""
        bases = None if self.assessment.bases_minor is None else list(self.assessment.bases_minor)
        return self.earlier != (self.assessment.refund_minor, list(self.assessment.spend_minor), bases)

    @property
    def earlier_minor(self) -> int:
        """What the resident was entitled to before."""
        return self.earlier[0] if self.earlier else 0


def assess_run(year: int, *, actor: str, seen: Seen = nothing_seen) -> Run:
    """Assess every resident of the frozen run from totals and write the refunds; what is done is not done again.

    `seen` is told how many shards are done, of how many. Raises WrongState, StepRunning, NoRate.
    """
    started_s = time.monotonic()
    with working(year, StepName.ASSESS, actor=actor, seen=seen) as work:
        check_state(latest_run(year), RunState.FROZEN)
        run = _with_shards(year)
        bell.ring()
        _assess_all(run, work)
        return _assessed(year, actor, time.monotonic() - started_s)


@transaction.atomic
def _with_shards(year: int) -> Run:
    run = locked(year, RunState.FROZEN)
    if not run.shards.exists():
        count = min(residents_about(year) // SHARD_RESIDENTS + SHARDS_AT_LEAST, SHARDS_AT_MOST)
        edges = [2**128 * n // count for n in range(count + 1)]
        Shard.objects.bulk_create(
            Shard(run=run, number=n, first_ref=UUID(int=edges[n]), last_ref=UUID(int=edges[n + 1] - 1))
            for n in range(count)
        )
    return run


def _assess_all(run: Run, work: Work) -> None:
    """Take shards until all are done, by whomever. A worker that dies leaves its shard to be taken again."""
    done, total, _ = shards_done(run)
    while done < total:
        work.show(done, total)
        if not assess_shard(run):
            time.sleep(WAIT_S)
        done, total, _ = shards_done(run)
    work.show(done, total)


def assess_waiting() -> int:
    """Assess shards until none waits, calling the next worker first. Returns how many."""
    if not Shard.objects.filter(done_at=None, run__state=RunState.FROZEN).exists():
        return 0
    bell.ring()
    done = 0
    while assess_shard():
        done += 1
    return done


@transaction.atomic
def assess_shard(of_run: Run | None = None) -> bool:
    """Assess one shard that nobody has, of this or of any frozen run. Returns whether there was one. Raises NoRate."""
    waiting = Shard.objects.filter(done_at=None, run__state=RunState.FROZEN).order_by("run_id", "number")
    waiting = waiting.filter(run=of_run) if of_run else waiting
    shard = waiting.select_for_update(skip_locked=True, of=("self",)).first()
    if shard is None:
        return False
    run = Run.objects.select_related("tax_year__scheme_version").get(pk=shard.run_id)
    rules = rules_of(scheme_of(run.tax_year.scheme_version_id), run.tax_year_id)
    figures = _assess_flat(run, shard, rules) if is_flat(rules) else _assess_by_group(run, shard, rules)
    Shard.objects.filter(pk=shard.pk).update(done_at=timezone.now(), **figures._asdict())
    return True


def _assess_flat(run: Run, shard: Shard, rules: Rules) -> Figures:
    version, year = run.tax_year.scheme_version, run.tax_year_id
    is_first = not effective_before(run)
    inner, outer = hmac_pads(bytes(run.secret))
    statement = assess_statement(rules, scheme_sha256=version.sha256, year=year, run=run.number, is_first=is_first)
    values = {
        "year": year, "run": run.number, "first": shard.first_ref, "last": shard.last_ref,
        "version": version.pk, "leaf": b"\0", "inner": inner, "outer": outer,
    }  # fmt: skip
    try:
        with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
            cursor.execute(f"SET LOCAL work_mem = '{SORTED_IN_MEMORY}'")
            row = cursor.execute(statement, values).fetchone()
    except IntegrityError as error:
        raise NoRate(f"Residents bought in tiers that {version} has no rate for: see the totals of {year}.") from error
    return Figures(*map(int, row or ()))


def _assess_by_group(run: Run, shard: Shard, rules: Rules) -> Figures:
    """The same, group by group, for schemes that need more than the year's sums."""
    sums = [0] * len(Figures._fields)
    for people in chunks_of_people(run, shard.first_ref, shard.last_ref):
        found = _found(run, people, rules)
        new = [one for one in found if one.is_new]
        _write(run, new, rules)
        of_chunk = (
            len(found),
            sum(one.assessment.refund_minor > 0 for one in found),
            sum(one.assessment.at_cap for one in found),
            sum(one.assessment.refund_minor for one in found),
            len(new),
            sum(one.assessment.refund_minor - one.earlier_minor for one in new),
        )
        sums = [one + other for one, other in zip(sums, of_chunk, strict=True)]
    return Figures(*sums)


def _found(run: Run, groups: list[list[Person]], rules: Rules) -> list[Found]:
    """The assessments of all who bought anything."""
    buyers = [person.ref for group in groups for person in group if person.spend]
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        rows = cursor.execute(EARLIER, (buyers, run.tax_year_id, run.number)).fetchall() if run.number > 1 else []
    earlier = {ref: (entitled, spend, bases) for ref, entitled, spend, bases in rows}
    return [
        Found(person.ref, assessment, earlier.get(person.ref))
        for group in groups
        for person, assessment in zip(group, assess_group(group, rules), strict=True)
        if person.spend
    ]


def _write(run: Run, found: Iterable[Found], rules: Rules) -> None:
    version, secret = run.tax_year.scheme_version, bytes(run.secret)
    with psycopg.Cursor(connection.connection) as cursor, cursor.copy(COPY) as copy:
        for one in found:
            done, due = one.assessment, one.assessment.refund_minor - one.earlier_minor
            lines = lines_text(rules.lines, done.spend_minor, done.bases_minor)
            statement = Statement(
                run.tax_year_id, run.number, version.sha256, one.resident_ref,
                done.refund_minor, one.earlier_minor, due, lines, cuts_text(done.cuts),
            )  # fmt: skip
            copy.write_row(
                (one.resident_ref, run.tax_year_id, run.number, version.pk, done.refund_minor, one.earlier_minor, due,
                 done.at_cap, list(done.spend_minor), done.bases_minor and list(done.bases_minor),
                 [number for cut in done.cuts for number in cut], leaf(secret, statement))
            )  # fmt: skip


@transaction.atomic
def _assessed(year: int, actor: str, took_s: float) -> Run:
    run = locked(year, RunState.FROZEN)
    sums = run.shards.aggregate(**{name: Sum(name) for name in Figures._fields})
    for name, value in sums.items():
        setattr(run, name, value or 0)
    run.state, run.assessed_at, run.assessed_by, run.assess_s = RunState.ASSESSED, timezone.now(), actor, took_s
    run.save()
    record(run, "run.assess", actor, {name: int(sums[name] or 0) for name in Figures._fields})
    return run
