"""Reading runs and their steps."""

from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Max, Q, Sum

from apps.accruals.queries import archive_parts
from apps.kernel.errors import KanpuError
from apps.refunds.models import EFFECTIVE, Run, RunState, Shard, Step


class RunMissing(KanpuError):
    """The year has no run yet."""

    code = "run_missing"


class Progress(NamedTuple):
    """A step at work: how much is done, of how many (0: nobody knows)."""

    name: str
    actor: str
    done: int
    total: int


def latest_run(year: int) -> Run:
    """The year's newest run that was not withdrawn. Raises RunMissing."""
    runs = Run.objects.filter(tax_year_id=year).exclude(state=RunState.WITHDRAWN)
    run = runs.select_related("tax_year__scheme_version").order_by("-number").first()
    if run is None:
        raise RunMissing(f"The year {year} has no run yet. Freeze it: manage.py year_end {year} freeze")
    return run


def newest_number(year: int) -> int:
    """The number of the year's newest run that was not withdrawn, 0 without one: one query."""
    runs = Run.objects.filter(tax_year_id=year).exclude(state=RunState.WITHDRAWN)
    return runs.aggregate(newest=Max("number"))["newest"] or 0


def run_of(year: int, number: int) -> Run:
    """One run with its year and scheme version. Raises RunMissing."""
    runs = Run.objects.select_related("tax_year__scheme_version")
    run = runs.filter(tax_year_id=year, number=number).first()
    if run is None:
        raise RunMissing(f"The year {year} has no run {number}.")
    return run


def all_runs() -> list[Run]:
    """The runs of all years, the newest first, without their lists of differences: one query."""
    return list(Run.objects.defer("differences", "statistics").order_by("-tax_year", "-number"))


def effective_before(run: Run) -> list[Run]:
    """The earlier runs of the year that were approved, in order."""
    earlier = Run.objects.filter(tax_year_id=run.tax_year_id, number__lt=run.number, state__in=EFFECTIVE)
    return list(earlier.order_by("number"))


def same_run_before(run: Run) -> Run | None:
    """The approved run of the same number of the year before, or None: one query."""
    runs = Run.objects.filter(tax_year_id=run.tax_year_id - 1, number=run.number, state__in=EFFECTIVE)
    return runs.select_related("tax_year__scheme_version").defer("differences").first()


def step_at_work(year: int) -> Progress | None:
    """The step of a year that was asked for and is not done, or None: one query."""
    row = Step.objects.filter(tax_year_id=year, finished_at=None).values_list("name", "actor", "done", "total").first()
    return Progress(*row) if row else None


def newest_steps() -> dict[int, Step]:
    """The newest step of each year, at work or done: one query."""
    return {step.tax_year_id: step for step in Step.objects.order_by("tax_year", "-pk").distinct("tax_year")}


class PublishedRun(NamedTuple):
    """What everybody may see of an approved run; hashes in hex."""

    year: int
    run: int
    tree_size: int
    root: str
    digest: str
    approved_at: datetime | None


def published_runs() -> list[PublishedRun]:
    """All approved runs, the newest first: one query."""
    runs = Run.objects.filter(state__in=EFFECTIVE).order_by("-tax_year", "-number")
    rows = runs.values_list("tax_year", "number", "tree_size", "root", "digest", "signed_2_at")
    return [PublishedRun(*row) for row in rows]


class StepError(NamedTuple):
    """Why a step stopped: the error's code and text, both empty when it did not."""

    code: str
    text: str


def last_error(year: int) -> StepError:
    """Why the year's last step stopped: one query."""
    steps = Step.objects.filter(tax_year_id=year).exclude(finished_at=None).order_by("-pk")
    row = steps.values_list("error_code", "error").first()
    return StepError(*row) if row else StepError("", "")


def shards_done(run: Run) -> tuple[int, int, int]:
    """How many shards of a run are assessed, of how many, and how many residents that is: one query."""
    found = Shard.objects.filter(run=run).aggregate(
        done=Count("pk", filter=Q(done_at__isnull=False)), total=Count("pk"), residents=Sum("residents")
    )
    return found["done"], found["total"], found["residents"] or 0


def evidence_of(run: Run) -> dict[str, str]:
    """The files that a run's second assessment reads: path below the archive to SHA-256."""
    parts = archive_parts(run.tax_year_id, up_to_run=run.number)
    files = {file["path"]: file["sha256"] for part in parts for file in part.files}
    if run.register_file:
        files[run.register_file["path"]] = run.register_file["sha256"]
    return files
