from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator
from apps.inspections.operations.declaring import import_declarations


class Command(OperatorCommand):
    help = (
        "Import consumption-tax returns from a CSV file. Good rows are kept, bad ones listed; nothing is overwritten."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="change nothing")

    def run(self, **options: Any) -> dict[str, Any]:
        content, dry_run = options["file"].read_bytes(), options["dry_run"]
        done = import_declarations(content, dry_run=dry_run, at=timezone.now(), actor=operator())
        self.failed = bool(done.defects)
        defects = [f"line {line} {column}: {code}" for line, column, code in done.defects]
        return {"dry_run": dry_run, "new": done.new, "replaced": done.replaced, "unchanged": done.unchanged,
                "defects": defects}  # fmt: skip
