from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator
from apps.merchants.operations import create_vendor


class Command(OperatorCommand):
    help = "Enter a maker of till software, whose key may report for the merchants that authorise it."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument(
            "--without-conformance", action="store_true", help="live keys need no conformance report of its software"
        )

    def run(self, **options: Any) -> dict[str, Any]:
        required = not options["without_conformance"]
        vendor = create_vendor(options["name"], conformance_required=required, at=timezone.now(), actor=operator())
        return {"vendor": vendor.name, "conformance_required": required}
