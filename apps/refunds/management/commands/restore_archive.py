from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.accruals.operations.restoring import restore_archive
from apps.audit.commands import OperatorCommand, operator
from apps.refunds.operations.register import restore_registers


class Command(OperatorCommand):
    help = "Write files of a year's archive that are missing or damaged anew, if they come out as they were listed."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("year", type=int)

    def run(self, **options: Any) -> dict[str, Any]:
        year, now, actor = options["year"], timezone.now(), operator()
        restored = restore_registers(year, now=now, actor=actor) + restore_archive(year, now=now, actor=actor)
        return {"restored": [file._asdict() for file in restored]}
