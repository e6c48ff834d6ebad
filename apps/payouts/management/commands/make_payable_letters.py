from datetime import timedelta
from typing import Any

from django.core.management.base import CommandParser

from apps.audit.commands import OperatorCommand, operator
from apps.payouts.operations.letters import AFTER, make_letters, would_make_letters
from apps.payouts.operations.paying import manifest_of


class Command(OperatorCommand):
    help = "Make letters that the post office pays, for whoever has named no account for long, in batches to approve."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("year", type=int)
        parser.add_argument("--run", type=int, help="the run's number (default: the oldest that is being paid)")
        parser.add_argument(
            "--after-days", type=int, default=AFTER.days, help=f"how long they had none (default: {AFTER.days})"
        )
        parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")

    def run(self, **options: Any) -> dict[str, Any]:
        year, number, after = options["year"], options["run"], timedelta(days=options["after_days"])
        if options["dry_run"]:
            letters, amount_minor = would_make_letters(year, number=number, after=after)
            return {"year": year, "dry_run": True, "letters": letters, "amount_minor": amount_minor}
        batches = []
        while batch := make_letters(year, number=number, after=after, actor=operator()):
            batches.append(manifest_of(batch))
        return {"year": year, "batches": batches}
