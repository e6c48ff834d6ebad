from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.audit.commands import OperatorCommand, operator
from apps.payouts.operations.letters import import_letter_results


class Command(OperatorCommand):
    help = "Take the post office's results of letters: each once; lines that cannot be taken are told, the status is 1."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--dry-run", action="store_true", help="say what it would do, and change nothing")

    def run(self, **options: Any) -> dict[str, Any]:
        path, dry_run = options["file"], options["dry_run"]
        if not path.is_file():
            raise CommandError(f"There is no file {path}.")
        found, was_known = import_letter_results(path, actor=operator(), dry_run=dry_run)
        self.failed = bool(found.refused) and not was_known
        counts = {name: getattr(found, name) for name in ("lines", "applied", "same", "older", "refused")}
        return {"file": path.name, "dry_run": dry_run, "taken_before": was_known, **counts, "problems": found.problems}
