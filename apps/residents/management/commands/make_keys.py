from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator
from apps.residents.operations import make_keys


class Command(OperatorCommand):
    help = "Make the sealing and issuer keys: a private key file for workers, public halves in the database."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--out", type=Path, required=True, help="the new key file; give it to workers only")
        parser.add_argument("--seal-days", type=int, default=730, help="how long readers may seal to the new keys")

    def run(self, **options: Any) -> dict[str, Any]:
        now = timezone.now()
        until = now + timedelta(days=options["seal_days"])
        keys = make_keys(options["out"], seal_until=until, at=now, actor=operator())
        return {
            "file": options["out"],
            "sealing_keys": [key.pk for key in keys],
            "seal_until": until.isoformat(),
        }
