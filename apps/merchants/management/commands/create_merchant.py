from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator
from apps.merchants.models import Mode
from apps.merchants.operations import create_merchant


class Command(OperatorCommand):
    help = "Create a merchant and its first API key. The key is shown once: keep it."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--registration-number", default="", help="T and 13 digits")
        parser.add_argument("--trade", default="", help="code of the trade")
        parser.add_argument("--test", action="store_true", help="a merchant of test mode")

    def run(self, **options: Any) -> dict[str, Any]:
        merchant, key = create_merchant(
            options["name"],
            registration_number=options["registration_number"],
            trade=options["trade"],
            mode=Mode.TEST if options["test"] else Mode.LIVE,
            at=timezone.now(),
            actor=operator(),
        )
        return {"merchant": merchant.pk, "name": merchant.name, "mode": merchant.mode, "api_key": key}
