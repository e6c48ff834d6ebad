from decimal import Decimal
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator
from apps.merchants.enrolment import read_terminal
from apps.merchants.operations import Enrolling, MerchantInvalid, enrol_terminals, words
from apps.merchants.queries import find_merchant


class Command(OperatorCommand):
    help = "Enrol a terminal of a merchant (named by number or by name). Without a key it gets a one-time code."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("merchant")
        parser.add_argument("code", help="a-z, 0-9 and -, unique for ever")
        parser.add_argument("--store", default="", help="the store's name; the terminal's code by default")
        parser.add_argument("--region", default="", help="prefecture or municipality code")
        parser.add_argument("--lat", type=Decimal)
        parser.add_argument("--lon", type=Decimal)
        parser.add_argument("--public-key", default="", metavar="B64URL", help="32 bytes of Ed25519, base64url")
        parser.add_argument("--replaces", metavar="CODE", help="the terminal of the till that it succeeds")

    def run(self, **options: Any) -> dict[str, Any]:
        if (options["lat"] is None) != (options["lon"] is None):
            raise CommandError("Give --lat and --lon together.")
        merchant = find_merchant(options["merchant"])
        terminal = read_terminal(
            {
                "code": options["code"],
                "store": options["store"] or options["code"],
                "region": options["region"],
                "latitude": options["lat"],
                "longitude": options["lon"],
                "public_key": options["public_key"],
                "replaces": options["replaces"],
            }
        )
        done = enrol_terminals(Enrolling(merchant), [terminal], at=timezone.now(), actor=operator())[0]
        if done.defect:
            raise MerchantInvalid(words(done.defect))
        issued = done.issued._asdict() if done.issued else {}
        return {"terminal": done.code, "merchant": merchant.name, "status": done.status, **issued}
