from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.audit.commands import OperatorCommand, bars, operator
from apps.payouts.operations.batches import sending_bank
from apps.payouts.operations.results import import_results


class Command(OperatorCommand):
    help = "Take a bank's result or return file: each once; lines that cannot be taken are told, and the status is 1."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--bank", default="", help="the bank that it is of (default: the only one)")
        parser.add_argument("--dry-run", action="store_true", help="say what it would do, and change nothing")

    def run(self, **options: Any) -> dict[str, Any]:
        path, dry_run = options["file"], options["dry_run"]
        if not path.is_file():
            raise CommandError(f"There is no file {path}.")
        bank = sending_bank(options["bank"])
        with bars("lines") as (seen,):
            found, was_known = import_results(path, bank=bank, actor=operator(), dry_run=dry_run, seen=seen)
        self.failed = bool(found.refused) and not was_known
        counts = {name: getattr(found, name) for name in ("lines", "applied", "same", "older", "refused")}
        return {"file": path.name, "dry_run": dry_run, "taken_before": was_known, **counts, "problems": found.problems}
