from collections.abc import Callable
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser

from apps.audit.commands import OperatorCommand, bars, operator
from apps.refunds.models import Run
from apps.refunds.operations.approving import approve_run, close_run, pay_run, undo_step
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.verifying import verify_run
from apps.refunds.queries.runs import Progress, RunMissing, latest_run, run_of, step_at_work
from apps.refunds.queries.settlements import unsettled
from apps.schemes.queries import tax_year

LONG: Final[dict[str, Callable[..., Run]]] = {"freeze": freeze, "assess": assess_run, "verify": verify_run}
SHORT: Final[dict[str, Callable[..., Run]]] = {"pay": pay_run, "close": close_run}


class Command(OperatorCommand):
    help = (
        "The year-end run, a step at a time: freeze, assess, verify, approve (twice, by two auditors), pay, close."
        " undo takes the last step back, before approval; status tells how far the run is."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("year", type=int)
        parser.add_argument("step", choices=["status", *LONG, "approve", *SHORT, "undo"])
        parser.add_argument("--by", metavar="USER", help="approve: the auditor who signs")
        parser.add_argument("--digest", help="approve: the digest that the auditor read; another is refused")
        parser.add_argument(
            "--run",
            type=int,
            dest="number",
            help="status: which run (default: the newest); pay, close: which run (default: the oldest that can)",
        )
        parser.add_argument("--drain-timeout-s", type=float, default=600, help="how long a freeze waits for workers")

    def run(self, **options: Any) -> dict[str, Any]:
        year, step = options["year"], options["step"]
        if step == "status":
            return _status(year, options["number"])
        if step == "approve":
            if not options["by"]:
                raise CommandError("approve needs --by USER: the auditor who signs.")
            return run_json(approve_run(year, by=options["by"], actor=operator(), digest=options["digest"]))
        if step == "undo":
            return run_json(undo_step(year, actor=operator()))
        if step in SHORT:
            return run_json(SHORT[step](year, actor=operator(), number=options["number"]))
        more = {"drain_timeout_s": options["drain_timeout_s"]} if step == "freeze" else {}
        return run_json(_with_bar(LONG[step], step, year, more))


def _status(year: int, number: int | None) -> dict[str, Any]:
    tax_year(year)
    at_work = step_at_work(year)
    if number is not None:
        return run_json(run_of(year, number), at_work)
    try:
        return run_json(latest_run(year), at_work)
    except RunMissing:
        return {"year": year, "run": None, "state": "open", "at_work": at_work and at_work._asdict()}


def _with_bar(work: Callable[..., Run], step: str, year: int, more: dict[str, Any]) -> Run:
    with bars(step) as (seen,):
        return work(year, actor=operator(), seen=seen, **more)


def run_json(run: Run, at_work: Progress | None = None) -> dict[str, Any]:
    """A run's counts, sums and digests; sums are in minor units."""
    left = unsettled(run) if run.signed_2_by else None
    return {
        "year": run.tax_year_id,
        "run": run.number,
        "state": run.state,
        "scheme": str(run.tax_year.scheme_version),
        "cutoff_at": run.cutoff_at.isoformat(),
        "residents": run.residents,
        "refunded": run.refunded,
        "at_cap": run.at_cap,
        "refund_minor": run.entitled_minor,
        "due_minor": run.due_minor,
        "statements": run.statements,
        "assess_s": round(run.assess_s, 3),
        "verified_entries": run.verified_entries,
        "verified_residents": run.verified_residents,
        "verified_refund_minor": run.verified_minor,
        "verify_s": round(run.verify_s, 3),
        "differing": run.differing,
        "differences": run.differences,
        "tree_size": run.tree_size,
        "root": run.root,
        "digest": run.digest,
        "signed_by": [name for name in (run.signed_1_by, run.signed_2_by) if name],
        "unsettled_refunds": left and left.refunds,
        "unsettled_minor": left and left.amount_minor,
        "at_work": at_work and at_work._asdict(),
    }
