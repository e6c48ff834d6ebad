from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator, progress_bar
from apps.merchants.enrolment import COLUMNS
from apps.merchants.operations import Enrolling, Table, enrol_table
from apps.merchants.queries import find_merchant


class Command(OperatorCommand):
    help = (
        f"Enrol a merchant's terminals from a CSV file in UTF-8 with the columns {', '.join(COLUMNS)} (code and store "
        "are required). A bad row is reported and costs no other: mend it and run the same again."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("merchant")
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, and enrol nothing")
        parser.add_argument(
            "--codes-out",
            type=Path,
            metavar="FILE",
            help="a new file for the one-time codes of terminals without a key; without it, they get none yet",
        )

    def handle(self, **options: Any) -> None:
        self.rejected = 0
        super().handle(**options)
        if self.rejected:
            raise CommandError(f"{self.rejected} rows were not enrolled: see above [terminal_invalid]")

    def run(self, **options: Any) -> dict[str, Any]:
        enrolling = Enrolling(find_merchant(options["merchant"]))
        table = Table(options["file"], options["codes_out"], dry_run=options["dry_run"])
        with progress_bar() as bar, table.path.open("rb") as lines:
            task = bar.add_task("enrolling", total=sum(1 for _ in lines), rate="")
            report = enrol_table(
                enrolling,
                table,
                at=timezone.now(),
                actor=operator(),
                seen=lambda line: bar.update(task, completed=line),
            )
        self.rejected = len(report.rejected)
        counts = {"enrolled": report.enrolled, "exists": report.exists}
        return {"dry_run": table.dry_run, **counts, "rejected": report.rejected}
