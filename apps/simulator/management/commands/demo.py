from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from apps.audit.commands import OperatorCommand, progress_bar
from apps.payouts.reckoned import in_words
from apps.simulator.demo import Options, play_year


class Command(OperatorCommand):
    help = "Play the demo year: real purchases of a year from virtual tills to verified refunds."

    def arguments(self, parser: CommandParser) -> None:
        default = Path(settings.BASE_DIR) / "var" / "demo"
        parser.add_argument(
            "--folder", type=Path, default=default, help="where the demo keeps its files; it is emptied"
        )
        parser.add_argument("--households", type=int, help="only the first so many households")
        parser.add_argument("--twice", action="store_true", help="send the whole year again: all must be duplicates")
        parser.add_argument(
            "--faults", action="store_true", help="kill the workers and empty Redis in the middle of counting"
        )
        parser.add_argument("--rotate", action="store_true", help="rotate every kind of key while tills sell")

    def run(self, **options: Any) -> dict[str, Any]:
        with progress_bar() as progress:
            chosen = {name: options[name] for name in ("households", "twice", "faults", "rotate")}
            return play_year(Options(options["folder"], **chosen), progress)

    def words(self, result: dict[str, Any]) -> str:
        payments = result.pop("payments")
        played = {name: payments[name] for name in ("files_sent", "paid_to_heads", "letters_paid")}
        return "\n".join([in_words(payments), "", super().words(result | played)])
