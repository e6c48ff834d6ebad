from typing import Any

from django.core.management.base import CommandParser

from apps.audit.commands import OperatorCommand
from apps.audit.operations.roles import grant_application


class Command(OperatorCommand):
    help = (
        "Give a role of PostgreSQL what web servers and workers need, and no more: of the trail it can only read and"
        " add rows. Run it as the owner of the tables, after each migration."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role", help="an existing role, which owns nothing")

    def run(self, **options: Any) -> dict[str, Any]:
        return {"append_only": grant_application(options["role"])}
