from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.accruals.operations.restoring import restore_archive
from apps.audit.commands import OperatorCommand, operator


class Command(OperatorCommand):
    help = "Write files of a year's archive that are missing or damaged anew, if they come out as they were listed."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("year", type=int)

    def run(self, **options: Any) -> dict[str, Any]:
        restored = restore_archive(options["year"], now=timezone.now(), actor=operator())
        return {"restored": [file._asdict() for file in restored]}
