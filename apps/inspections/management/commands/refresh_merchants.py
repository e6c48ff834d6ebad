from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand
from apps.inspections.operations.refreshing import refresh_year


class Command(OperatorCommand):
    help = "Count anew what merchants sent of a year, for the console's pages and for GET /v1/completeness."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("year", type=int)

    def run(self, **options: Any) -> dict[str, Any]:
        return {"year": options["year"], **refresh_year(options["year"], now=timezone.now())._asdict()}
