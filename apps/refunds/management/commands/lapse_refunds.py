from datetime import date
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator
from apps.refunds.operations.lapsing import lapse_refunds


class Command(OperatorCommand):
    help = "Warn of refunds that nobody claims, twelve, three and one months ahead; let those lapse whose time is over."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--on", type=date.fromisoformat, help="the day to look at (default: today); a later one only with --dry-run"
        )
        parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")

    def run(self, **options: Any) -> dict[str, Any]:
        today = options["on"] or timezone.localdate()
        if today > timezone.localdate() and not options["dry_run"]:
            raise CommandError(f"{today} is yet to come. What will lapse by then can only be counted: --dry-run")
        found = lapse_refunds(today=today, actor=operator(), dry_run=options["dry_run"])
        return {"on": today.isoformat(), "dry_run": options["dry_run"], **found._asdict()}
