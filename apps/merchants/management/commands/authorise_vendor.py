from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator
from apps.merchants.operations import authorise_vendor, withdraw_authorisation
from apps.merchants.queries import find_merchant, find_vendor


class Command(OperatorCommand):
    help = "Let a software maker's key report for a merchant, or end that."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("vendor", help="the software maker's name")
        parser.add_argument("merchant", help="number or name")
        parser.add_argument("--withdraw", action="store_true", help="end the authorisation")

    def run(self, **options: Any) -> dict[str, Any]:
        change = withdraw_authorisation if options["withdraw"] else authorise_vendor
        vendor, merchant = find_vendor(options["vendor"]), find_merchant(options["merchant"])
        changed = change(vendor, merchant, at=timezone.now(), actor=operator())
        authorised = not options["withdraw"]
        return {"vendor": vendor.name, "merchant": merchant.name, "authorised": authorised, "changed_now": changed}
