from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator
from apps.merchants.operations import revoke_key
from apps.merchants.queries import find_key


class Command(OperatorCommand):
    help = "Revoke an API key: from now on every request with it is refused."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("key", help="the key's number, or its hint (the first 12 characters)")

    def run(self, **options: Any) -> dict[str, Any]:
        key = find_key(options["key"])
        revoked = revoke_key(key.pk, at=timezone.now(), actor=operator())
        return {"key": key.pk, "of": str(key.merchant or key.vendor), "name": key.name, "revoked_now": revoked}
