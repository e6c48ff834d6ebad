from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator
from apps.residents.operations import issue_cards


class Command(OperatorCommand):
    help = "Issue a card to every resident who has none and write the personalisation file."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="every resident without a card (the default)")
        parser.add_argument("--valid-from", type=date.fromisoformat, help="first day; by default that of residence")
        parser.add_argument("--out", type=Path, required=True, help="the new personalisation file: it holds card keys")

    def run(self, **options: Any) -> dict[str, Any]:
        count = issue_cards(options["out"], valid_from=options["valid_from"], at=timezone.now(), actor=operator())
        return {"cards": count, "file": options["out"]}
