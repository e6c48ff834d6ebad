from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator
from apps.residents.operations.erasing import erase_resident


class Command(OperatorCommand):
    help = "Empty what the vault holds of a resident, for good. Purchases, totals and refunds stay."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("resident_ref", type=UUID)
        parser.add_argument("--reason", required=True, help="goes to the trail: name the file, not the person")

    def run(self, **options: Any) -> dict[str, Any]:
        ref = options["resident_ref"]
        erase_resident(ref, reason=options["reason"], at=timezone.now(), actor=operator())
        return {"erased": ref}
