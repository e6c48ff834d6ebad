from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.audit.commands import OperatorCommand, operator
from apps.payouts.queries.reconciling import paying_run, reckoning, table
from apps.payouts.reckoned import in_words
from apps.simulator.payday import play_at_stripe, play_to_the_end


class Command(OperatorCommand):
    help = "Play the office on pay day, a simulated bank beside it, until a run is paid. It may be killed any time."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("year", type=int)
        parser.add_argument("--auditors", nargs=2, required=True, metavar="USER", help="who approves the files")
        parser.add_argument("--rail", choices=["zengin", "stripe"], default="zengin", help="how (default: zengin)")

    def run(self, **options: Any) -> dict[str, Any]:
        run = paying_run(options["year"], None)
        first, second = options["auditors"]
        play = play_at_stripe if options["rail"] == "stripe" else play_to_the_end
        if not play(run, auditors=(first, second), actor=operator()):
            raise CommandError(f"{run} was not paid in time: see manage.py reconcile_payouts {run.tax_year_id}")
        return table(run, reckoning(run))

    def words(self, result: dict[str, Any]) -> str:
        return in_words(result)
