from typing import Any

from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator
from apps.inspections.operations.alarm_rules import load_rules


class Command(OperatorCommand):
    help = "Load the rules of alarms that come with the program; what auditors set stays."

    def run(self, **_options: Any) -> dict[str, Any]:
        return {"new_versions": [str(row) for row in load_rules(at=timezone.now(), actor=operator())]}
