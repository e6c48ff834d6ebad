from typing import Any

from django.core.management.base import CommandParser

from apps.audit.commands import OperatorCommand, operator, progress_bar
from apps.refunds.models import Run
from apps.refunds.operations import assess_run, freeze, verify_run
from apps.refunds.queries import latest_run


class Command(OperatorCommand):
    help = "The year-end run, a step at a time: freeze, assess, verify; status tells how far it is."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("year", type=int)
        parser.add_argument("step", choices=["freeze", "assess", "verify", "status"])
        parser.add_argument("--drain-timeout-s", type=float, default=600, help="how long a freeze waits for workers")

    def run(self, **options: Any) -> dict[str, Any]:
        year, step = options["year"], options["step"]
        if step == "status":
            return run_json(latest_run(year))
        with progress_bar() as progress:
            task = progress.add_task(step, total=None, rate="")

            def seen(count: int) -> None:
                progress.update(task, completed=count)

            if step == "freeze":
                run = freeze(year, actor=operator(), drain_timeout_s=options["drain_timeout_s"], waiting=seen)
            elif step == "assess":
                run = assess_run(year, actor=operator(), seen=seen)
            else:
                run = verify_run(year, actor=operator())
        return run_json(run)


def run_json(run: Run) -> dict[str, Any]:
    """A run's counts, sums and digests."""
    return {
        "year": run.tax_year_id,
        "run": run.number,
        "state": run.state,
        "cutoff_at": run.cutoff_at.isoformat(),
        "residents": run.residents,
        "refunded": run.refunded,
        "at_cap": run.at_cap,
        "refund_minor": run.refund_minor,
        "assessed_digest": run.assessed_digest,
        "assess_s": round(run.assess_s, 3),
        "entries": run.verified_entries,
        "verified_refund_minor": run.verified_refund_minor,
        "verified_digest": run.verified_digest,
        "verify_s": round(run.verify_s, 3),
        "differences": len(run.differences),
    }
