"""Reading runs and refunds."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Case, Count, F, When

from apps.accruals.queries import MonthSpend, archive_parts, spend_of_resident, spend_of_year
from apps.kernel.errors import KanpuError
from apps.refunds.assessment import Assessment, Person, assess
from apps.refunds.models import Refund, Run
from apps.refunds.rules import Rules, rules_of
from apps.schemes.models import TaxYear


class RunMissing(KanpuError):
    """The year has no run yet."""

    code = "run_missing"


class Result(NamedTuple):
    """What an assessment found for a resident: the refund in minor units, the spend as `tier=amount,…` by tier."""

    resident_ref: str
    refund_minor: int
    spend: str


class AssessedResident(NamedTuple):
    """A resident and what the first assessment found."""

    resident_ref: UUID
    assessment: Assessment


def latest_run(year: int) -> Run:
    """The year's newest run. Raises RunMissing."""
    run = Run.objects.filter(tax_year_id=year).select_related("tax_year__scheme_version").order_by("-number").first()
    if run is None:
        raise RunMissing(f"The year {year} has no run yet. Freeze it: manage.py year_end {year} freeze")
    return run


def runs_of(year: int) -> list[Run]:
    """The year's runs, the newest first."""
    return list(Run.objects.filter(tax_year_id=year).order_by("-number"))


def run_of(year: int, number: int) -> Run:
    """One run with its year and scheme version. Raises RunMissing."""
    runs = Run.objects.select_related("tax_year__scheme_version")
    run = runs.filter(tax_year_id=year, number=number).first()
    if run is None:
        raise RunMissing(f"The year {year} has no run {number}.")
    return run


def all_runs() -> list[Run]:
    """The runs of all years, the newest first, without their lists of differences: one query."""
    return list(Run.objects.defer("differences").order_by("-tax_year", "-number"))


def refunds_by_step(run: Run, cap_minor: int) -> dict[int, int]:
    """How many residents' refunds lie in each tenth of the cap: one query.

    The key is -1 for a refund of 0, else the whole tenths reached: 0 for under 10 %, 10 for the cap.
    """
    step = Case(When(entitled_minor=0, then=-1), default=F("entitled_minor") * 10 / cap_minor)
    rows = Refund.objects.filter(tax_year=run.tax_year_id, run=run.number).values_list(step).order_by()
    return dict(rows.annotate(residents=Count("*")))


def assessed_residents(run: Run) -> Iterator[AssessedResident]:
    """Every resident with spend in the run, assessed from totals, by reference; flat in memory."""
    rules = rules_of(run.tax_year.scheme_version.scheme(), run.tax_year_id)
    rows = spend_of_year(run.tax_year_id, up_to_run=run.number)
    for resident_ref, group in groupby(rows, key=lambda row: row.resident_ref):
        yield AssessedResident(resident_ref, assess(person_of(resident_ref, group), rules))


def person_of(resident_ref: UUID, rows: Iterable[MonthSpend]) -> Person:
    """A resident's year as the assessment takes it."""
    spend: dict[str, list[int]] = defaultdict(lambda: [0] * 12)
    for row in rows:
        spend[row.tier][row.month - 1] += row.amount_minor
    return Person(resident_ref, spend)


def lines_json(found: Assessment, rules: Rules) -> dict[str, Any]:
    """An assessment's lines as they are kept: integers and decimal strings only."""
    return {
        "lines": [
            {
                "tier": line.tier,
                "first_month": line.first_month,
                "last_month": line.last_month,
                "collected": str(line.collected),
                "rate": str(line.rate),
                "spend_minor": spend_minor,
                "exact": [(line.share * spend_minor).numerator, (line.share * spend_minor).denominator],
            }
            for line, spend_minor in zip(rules.lines, found.spend_minor, strict=True)
            if spend_minor
        ],
        "exact": [found.brought, rules.denominator],
    }


def refund_so_far(resident_ref: UUID, year: TaxYear) -> Assessment:
    """What the resident would get back if the year ended now."""
    rules = rules_of(year.scheme_version.scheme(), year.year)
    rows = spend_of_resident(resident_ref, year.year)
    return assess(person_of(resident_ref, rows), rules)


def earlier_entitlements(run: Run) -> dict[UUID, int]:
    """What each resident was due in earlier runs of the year, in minor units."""
    earlier: dict[UUID, int] = {}
    if run.number > 1:
        rows = Refund.objects.filter(tax_year=run.tax_year_id, run__lt=run.number).order_by("run")
        earlier.update(rows.values_list("resident_ref", "entitled_minor").iterator())
    return earlier


def refund_of(resident_ref: UUID, year: int) -> Refund | None:
    """The resident's refund in the newest run that has one."""
    return Refund.objects.filter(resident_ref=resident_ref, tax_year=year).order_by("-run").first()


def results_of_run(run: Run) -> Iterator[Result]:
    """What the first assessment found for each resident of a run, by reference."""
    rows = Refund.objects.filter(tax_year=run.tax_year_id, run=run.number).order_by("resident_ref")
    kept = rows.values_list("resident_ref", "entitled_minor", "lines").iterator()
    return (Result(str(ref), refund_minor, spend_text(lines)) for ref, refund_minor, lines in kept)


def spend_text(lines: dict[str, Any]) -> str:
    """The spend per tier in kept lines, as `tier=amount` by tier, joined by commas, without tiers at 0."""
    spend: dict[str, int] = defaultdict(int)
    for line in lines["lines"]:
        spend[line["tier"]] += line["spend_minor"]
    return ",".join(f"{tier}={spend[tier]}" for tier in sorted(spend) if spend[tier])


def archive_files(run: Run) -> list[dict[str, str]]:
    """The manifest's files that a run reads: path below the archive and SHA-256."""
    return [file for part in archive_parts(run.tax_year_id, up_to_run=run.number) for file in part.files]
