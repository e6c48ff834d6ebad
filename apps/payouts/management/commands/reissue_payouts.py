from typing import Any

from django.core.management.base import CommandParser

from apps.audit.commands import OperatorCommand, operator
from apps.payouts.operations.reissuing import reissue_run


class Command(OperatorCommand):
    help = "Let failed and returned payments of a run be made again, where the payee named another account since."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("year", type=int)
        parser.add_argument("--run", type=int, help="the run's number (default: the oldest that is being paid)")
        parser.add_argument(
            "--same-account", action="store_true", help="the others as well: the failure was the bank's"
        )

    def run(self, **options: Any) -> dict[str, Any]:
        run, failed, again = reissue_run(
            options["year"], number=options["run"], to_same_account=options["same_account"], actor=operator()
        )
        return {
            "year": run.tax_year_id,
            "run": run.number,
            "failed": failed,
            "due_again": again,
            "waiting_for_another_account": failed - again,
        }
