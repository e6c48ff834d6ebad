from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from apps.audit.commands import OperatorCommand, operator
from apps.payouts.operations.banks import load_bank


class Command(OperatorCommand):
    help = "Set up the bank to pay from, or change it, from a YAML file (docs/payouts.md)."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def run(self, **options: Any) -> dict[str, Any]:
        if not options["file"].is_file():
            raise CommandError(f"There is no file {options['file']}. What it holds is in docs/payouts.md.")
        bank = load_bank(options["file"].read_text("utf-8"), actor=operator())
        return {"bank": bank.name, "of": f"{bank.bank}-{bank.branch}", "cutoff": f"{bank.cutoff_time:%H:%M}"}
