from datetime import date
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.accruals.operations.years import start_year
from apps.audit.commands import OperatorCommand, operator
from apps.schemes.queries import latest_version


class Command(OperatorCommand):
    help = "Start a tax year under the latest version of a scheme, with its partitions and the next year's."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("year", type=int)
        parser.add_argument("--scheme", required=True, help="the scheme's code; load it first")
        parser.add_argument("--deadline", type=date.fromisoformat, help="last day on which purchases are taken")

    def run(self, **options: Any) -> dict[str, Any]:
        year = start_year(
            options["year"],
            latest_version(options["scheme"]),
            deadline=options["deadline"],
            at=timezone.now(),
            actor=operator(),
        )
        return {
            "year": year.year,
            "scheme": str(year.scheme_version),
            "taken_until": timezone.localtime(year.deadline_at).isoformat(),
        }
