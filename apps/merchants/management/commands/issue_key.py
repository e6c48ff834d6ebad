from datetime import datetime
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator
from apps.merchants.models import Mode, Scope
from apps.merchants.operations import Grant, IssuedKey, issue_key, issue_vendor_key
from apps.merchants.queries import find_merchant, find_stores, find_vendor


class Command(OperatorCommand):
    help = "Issue an API key of a merchant, or of a vendor (--vendor). It is shown once: keep it."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("merchant", nargs="?", help="number or name")
        parser.add_argument("--vendor", help="the name of a software maker instead of a merchant")
        parser.add_argument("--mode", choices=Mode.values, default=Mode.TEST, help="of a vendor's key; test by default")
        parser.add_argument("--name", required=True, help="what the key is for, to tell keys apart")
        parser.add_argument("--scope", action="append", choices=Scope.values, required=True, help="once for each scope")
        parser.add_argument("--store", action="append", default=[], help="limit the key to this store; may be repeated")
        parser.add_argument("--expires", type=datetime.fromisoformat, help="day or time at which the key ends")

    def run(self, **options: Any) -> dict[str, Any]:
        if (options["merchant"] is None) == (options["vendor"] is None):
            raise CommandError("Give a merchant or --vendor, one of them.")
        issued = self._of_vendor(options) if options["vendor"] else self._of_merchant(options)
        return {"key": issued.key_id, "scopes": ", ".join(options["scope"]), "api_key": issued.key}

    def _of_merchant(self, options: dict[str, Any]) -> IssuedKey:
        merchant = find_merchant(options["merchant"])
        grant = _grant(options, stores=find_stores(merchant, options["store"]))
        return issue_key(merchant, name=options["name"], grant=grant, at=timezone.now(), actor=operator())

    def _of_vendor(self, options: dict[str, Any]) -> IssuedKey:
        if options["store"]:
            raise CommandError("--store limits a merchant's key; for whom a vendor reports, authorise_vendor says.")
        return issue_vendor_key(
            find_vendor(options["vendor"]),
            mode=Mode(options["mode"]),
            name=options["name"],
            grant=_grant(options, stores=()),
            at=timezone.now(),
            actor=operator(),
        )


def _grant(options: dict[str, Any], *, stores: Any) -> Grant:
    expires_at = options["expires"]
    if expires_at and timezone.is_naive(expires_at):
        expires_at = timezone.make_aware(expires_at)
    return Grant(options["scope"], stores, expires_at)
