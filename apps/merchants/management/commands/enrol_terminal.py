from decimal import Decimal
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator
from apps.merchants.operations import enrol_terminal
from apps.merchants.queries import find_merchant


class Command(OperatorCommand):
    help = "Enrol a terminal of a merchant (named by number or by name)."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("merchant")
        parser.add_argument("code", help="a-z, 0-9 and -, unique for ever")
        parser.add_argument("--store", default="", help="the store's name; the terminal's code by default")
        parser.add_argument("--region", default="", help="prefecture or municipality code")
        parser.add_argument("--lat", type=Decimal)
        parser.add_argument("--lon", type=Decimal)

    def run(self, **options: Any) -> dict[str, Any]:
        if (options["lat"] is None) != (options["lon"] is None):
            raise CommandError("Give --lat and --lon together.")
        terminal = enrol_terminal(
            find_merchant(options["merchant"]),
            options["code"],
            store_name=options["store"],
            region=options["region"],
            place=None if options["lat"] is None else (options["lat"], options["lon"]),
            at=timezone.now(),
            actor=operator(),
        )
        return {"terminal": terminal.code, "merchant": terminal.merchant.name, "store": terminal.store.name}
