from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator, progress_bar
from apps.inspections.operations.alarms import find_alarms


class Command(OperatorCommand):
    help = "Look for alarms among a year's purchases: by all rules that are on, over what was counted since."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--year", type=int, required=True, help="the tax year")
        parser.add_argument("--rule", action="append", default=[], help="by this rule only; may be given several times")
        parser.add_argument("--dry-run", action="store_true", help="look at the whole year and write nothing")

    def run(self, **options: Any) -> dict[str, Any]:
        with progress_bar() as progress:
            bar = progress.add_task("rules", total=None, rate="")
            looked = find_alarms(
                options["year"], codes=options["rule"], dry_run=options["dry_run"], at=timezone.now(),
                actor=operator(), seen=lambda done, total: progress.update(bar, completed=done, total=total),
            )  # fmt: skip
        return {
            "year": options["year"],
            "dry_run": options["dry_run"],
            "raised": {rule.code: rule.raised for rule in looked},
            "left_for_the_next_look": {rule.code: rule.more for rule in looked if rule.more},
        }
