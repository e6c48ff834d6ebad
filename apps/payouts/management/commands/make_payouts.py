from datetime import date
from typing import Any

from django.core.management.base import CommandParser

from apps.audit.commands import OperatorCommand, bars, operator
from apps.payouts.operations.paying import make_payouts, would_make


class Command(OperatorCommand):
    help = "Make what a run that is being paid owes, and batches of what can be paid now, each with its file."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("year", type=int)
        parser.add_argument("--run", type=int, help="the run's number (default: the oldest that is being paid)")
        parser.add_argument("--rail", choices=["zengin", "stripe"], default="zengin", help="how (default: zengin)")
        parser.add_argument("--bank", default="", help="the bank to pay from (default: the only one)")
        parser.add_argument("--on", type=date.fromisoformat, help="day of the transfers (default: the first possible)")
        parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")

    def run(self, **options: Any) -> dict[str, Any]:
        year, number, bank = options["year"], options["run"], options["bank"]
        rail, on = options["rail"], options["on"]
        if options["dry_run"]:
            return would_make(year, number=number, rail=rail, actor=operator())
        with bars("owed", "opened for a file") as (owing, writing):
            return make_payouts(
                year, number=number, bank=bank, on=on, rail=rail, actor=operator(), owing=owing, writing=writing
            )
