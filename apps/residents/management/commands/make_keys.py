from datetime import timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator
from apps.residents.operations import make_keys


class Command(OperatorCommand):
    help = "Make all keys: a key file for workers and card issuing, one for the vault, public halves in the database."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--out", type=Path, required=True, help="the new key file; give it to workers only")
        parser.add_argument(
            "--vault-out",
            type=Path,
            help="the new file of the vault's keys; by default vault.json beside",
        )
        parser.add_argument("--seal-days", type=int, default=730, help="how long readers may seal to the new keys")

    def run(self, **options: Any) -> dict[str, Any]:
        now = timezone.now()
        until = now + timedelta(days=options["seal_days"])
        out, vault_out = options["out"], options["vault_out"] or options["out"].with_name("vault.json")
        keys = make_keys(out, vault_path=vault_out, seal_until=until, at=now, actor=operator())
        return {
            "file": out,
            "vault_file": vault_out,
            "sealing_keys": [key.pk for key in keys],
            "seal_until": until.isoformat(),
        }
