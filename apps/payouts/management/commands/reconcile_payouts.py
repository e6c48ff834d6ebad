from typing import Any

from django.core.management.base import CommandParser

from apps.audit.commands import OperatorCommand, operator
from apps.payouts.operations.closing import close_paid_run
from apps.payouts.queries.reconciling import paying_run, reckoning, table
from apps.payouts.reckoned import in_words


class Command(OperatorCommand):
    help = "The table of a run's payments, which adds up to the yen: status 1 if it does not."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("year", type=int)
        parser.add_argument("--run", type=int, help="the run's number (default: the oldest that is being paid)")
        parser.add_argument("--close", action="store_true", help="close the run, if nothing of it is open any more")

    def run(self, **options: Any) -> dict[str, Any]:
        run = paying_run(options["year"], options["run"])
        if options["close"]:
            run = close_paid_run(run.tax_year_id, number=run.number, actor=operator())
        found = reckoning(run)
        self.failed = not found.adds_up
        return table(run, found)

    def words(self, result: dict[str, Any]) -> str:
        return in_words(result)
