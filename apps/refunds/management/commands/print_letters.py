from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator, progress_bar
from apps.refunds.models import Decision
from apps.refunds.operations.letters import print_letters


class Command(OperatorCommand):
    help = (
        "Write the letters of a year's decisions that were not sent yet, a PDF each, and record them as sent: the time"
        " to appeal runs from that day."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("year", type=int)
        parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the letters go")
        parser.add_argument("--sent-on", type=date.fromisoformat, help="the day they are posted (default: today)")
        parser.add_argument("--language", choices=["ja", "en"], default="ja")
        parser.add_argument("--dry-run", action="store_true", help="only say how many there are")

    def run(self, **options: Any) -> dict[str, Any]:
        year, day = options["year"], options["sent_on"] or timezone.localdate()
        if options["dry_run"]:
            waiting = Decision.objects.filter(tax_year=year, state=Decision.State.ISSUED).count()
            return {"year": year, "letters": waiting, "dry_run": True}
        with progress_bar() as progress:
            task = progress.add_task("printing", total=None, rate="")
            printed = print_letters(
                year,
                folder=options["out"],
                language=options["language"],
                sent_on=day,
                actor=operator(),
                seen=lambda done, total: progress.update(task, completed=done, total=total),
            )
        return {"year": year, **printed._asdict(), "sent_on": day.isoformat(), "folder": str(options["out"])}
