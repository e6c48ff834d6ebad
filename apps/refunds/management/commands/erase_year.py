from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator, progress_bar
from apps.refunds.operations.erasing import erase_year


class Command(OperatorCommand):
    help = (
        "Erase a year's purchases and entries, with shops and times, the archive's files included, from its retention"
        " date on. Totals, refunds, statements and proofs stay."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("year", type=int)
        parser.add_argument("--dry-run", action="store_true", help="only say what would be erased")

    def run(self, **options: Any) -> dict[str, Any]:
        year, today = options["year"], timezone.localdate()
        with progress_bar() as progress:
            task = progress.add_task("erasing", total=None, rate="")
            found = erase_year(
                year,
                today=today,
                actor=operator(),
                dry_run=options["dry_run"],
                seen=lambda done, total: progress.update(task, completed=done, total=total),
            )
        return {"year": year, "dry_run": options["dry_run"], **found._asdict()}
