from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandParser

from apps.audit.commands import OperatorCommand, progress_bar
from apps.inspections.queries.alarm_rules import shipped_rules
from apps.simulator.frauds.playing import HOUSEHOLDS, play_frauds, table

BEGIN: Final = "<!-- made by make demo-fraud: begin -->"
END: Final = "<!-- end -->"


class Command(OperatorCommand):
    help = (
        "Play a year with planted frauds through the real API and workers, look for alarms, and say how many of them"
        " were found and what else was raised."
    )

    def arguments(self, parser: CommandParser) -> None:
        default = Path(settings.BASE_DIR) / "var" / "demo"
        parser.add_argument(
            "--folder", type=Path, default=default, help="where the play keeps its files; it is emptied"
        )
        parser.add_argument("--households", type=int, default=HOUSEHOLDS, help="how many households shop")
        parser.add_argument("--write", type=Path, metavar="FILE", help="write the table between its marks in this file")

    def run(self, **options: Any) -> dict[str, Any]:
        with progress_bar() as progress:
            played = play_frauds(options["folder"], progress, shoppers=options["households"])
        words = {rule.code: rule.title.en for rule in shipped_rules()}
        played["scores"] = table(played["scores"], words)
        if options["write"]:
            _write(options["write"], played["scores"])
        return played


def _write(path: Path, text: str) -> None:
    before, _, rest = path.read_text("utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", "utf-8")
