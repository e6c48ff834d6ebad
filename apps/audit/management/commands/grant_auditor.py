from typing import Any

from django.core.management.base import CommandParser

from apps.audit.commands import OperatorCommand
from apps.audit.operations.roles import grant_auditor


class Command(OperatorCommand):
    help = (
        "Let a role of PostgreSQL read the audit log, the schemes and the runs, and nothing else: for an auditor who"
        " checks with tools of their own. Run it as the owner of the tables, after each migration."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role", help="an existing role, which owns nothing")

    def run(self, **options: Any) -> dict[str, Any]:
        return {"readable": grant_auditor(options["role"])}
