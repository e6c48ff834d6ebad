import gc
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator, progress_bar
from apps.residents.operations.importing import Report, Table, import_table
from apps.residents.register.rows import Defect
from apps.residents.register.table import scan


class Command(OperatorCommand):
    help = (
        "Bring the register up to a municipality's CSV file in UTF-8 or CP932; docs/register.md has the columns. A bad "
        "row is reported and costs no other: mend it and run the same again. Killed midway, it is run again as well."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="say what would happen, and change nothing")
        parser.add_argument("--as-of", type=date.fromisoformat, help="the day that the file shows; by default today")
        parser.add_argument("--municipality", default="", metavar="CODE", help="全国地方公共団体コード, 6 digits")
        parser.add_argument(
            "--rejects", type=Path, metavar="FILE", help="a new file for all that is wrong: line, column, code, reason"
        )

    def handle(self, **options: Any) -> None:
        self.rejected = 0
        gc.disable()  # rows have no cycles, and looking for some takes a tenth of the time
        try:
            super().handle(**options)
        finally:
            gc.enable()
        if self.rejected:
            raise CommandError(f"{self.rejected} rows were not taken: see above [rows_rejected]")

    def run(self, **options: Any) -> dict[str, Any]:
        now = timezone.now()
        table = Table(options["file"], options["rejects"], dry_run=options["dry_run"])
        scanned = scan(table.path)
        with progress_bar() as bar:
            tasks = {name: bar.add_task(name, total=scanned.lines, rate="") for name in ("residents", "households")}
            report = import_table(
                table,
                scanned,
                municipality=options["municipality"],
                as_of=options["as_of"] or timezone.localdate(now),
                at=now,
                actor=operator(),
                seen=lambda name, line: bar.update(tasks[name], completed=line),
            )
        self.rejected = report.rejected
        return {"dry_run": table.dry_run, "encoding": scanned.encoding, **_counts(report)}


def _counts(report: Report) -> dict[str, Any]:
    """What people and scripts read: never what stands in a row."""
    return {
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "household_stays": report.homes,
        "rejected": report.rejected,
        "warnings": report.warned,
        "ignored_columns": report.ignored_columns,
        "first_defects": [_said(defect) for defect in report.shown],
    }


def _said(defect: Defect) -> str:
    column = f" ({defect.column})" if defect.column else ""
    return f"line {defect.line}{column}: {defect.reason} [{defect.code}]"
