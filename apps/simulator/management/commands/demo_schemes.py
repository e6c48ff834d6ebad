from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from apps.audit.commands import OperatorCommand, progress_bar
from apps.schemes.operations import shipped_schemes
from apps.simulator.demo import Options, play_year

COLUMNS = (
    ("scheme", 14), ("currency", 9), ("residents", 10), ("refunded", 10), ("at_cap", 8), ("refund_minor", 15),
    ("from_totals_s", 14), ("from_archive_s", 15), ("agree", 6),
)  # fmt: skip


class Command(OperatorCommand):
    help = (
        "Play the demo year under every shipped scheme, from tills to refunds, each assessed twice. A yen of the data"
        " is taken as one minor unit of the scheme's currency."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--households", type=int, help="only the first so many households")
        parser.add_argument("--only", nargs="+", metavar="CODE", help="only these schemes")

    def run(self, **options: Any) -> dict[str, Any]:
        folder = Path(settings.BASE_DIR) / "var" / "demo"
        rows = []
        for scheme in (scheme for _, scheme in shipped_schemes()):
            if options["only"] and scheme.code not in options["only"]:
                continue
            with progress_bar() as progress:
                progress.console.print(f"\n{scheme.code}: {scheme.name.en}")
                played = play_year(Options(folder, scheme.code, households=options["households"]), progress)
            rows.append(_row(scheme.code, scheme.currency, played))
        return {"schemes": rows}

    def words(self, result: dict[str, Any]) -> str:
        rows = [{name: name.replace("_", " ") for name, _ in COLUMNS}, *result["schemes"]]
        return "\n".join("".join(_cell(row[name], width) for name, width in COLUMNS) for row in rows)


def _cell(value: object, width: int) -> str:
    if isinstance(value, bool):
        return f"{'yes' if value else 'NO':>{width}}"
    return f"{value:>{width},}" if isinstance(value, int | float) else f"{value!s:>{width}}"


def _row(code: str, currency: str, played: dict[str, Any]) -> dict[str, Any]:
    return {
        "scheme": code,
        "currency": currency,
        "residents": played["residents"],
        "refunded": played["refunded"],
        "at_cap": played["residents_at_the_cap"],
        "refund_minor": played["refund_minor"],
        "from_totals_s": played["assessed_from_totals_s"],
        "from_archive_s": played["assessed_from_archive_s"],
        "agree": played["assessments_agree"],
    }
