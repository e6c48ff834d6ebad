from typing import Any

from django.core.management.base import CommandParser
from django.utils.timezone import localdate

from apps.audit.commands import OperatorCommand
from apps.schemes.outline import outline
from apps.schemes.queries import latest_version, loaded_version
from apps.schemes.reading import read_scheme


class Command(OperatorCommand):
    help = "Show a loaded scheme: tiers and rates, how a refund is computed, limits, sources; with --json its document."

    def create_parser(self, prog_name: str, subcommand: str, **more: Any) -> CommandParser:
        """With a --version of its own, in the place of Django's."""
        return super().create_parser(prog_name, subcommand, conflict_handler="resolve", **more)

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("code")
        parser.add_argument("--version", type=int, help="by default the latest")

    def run(self, **options: Any) -> dict[str, Any]:
        code, number = options["code"], options["version"]
        row = latest_version(code) if number is None else loaded_version(code, number)
        return {"version": row.version, "sha256": row.sha256, "loaded_at": row.loaded_at, "document": row.document}

    def words(self, result: dict[str, Any]) -> str:
        scheme = read_scheme(result["document"])
        first = f"{scheme.code} v{result['version']}, loaded {localdate(result['loaded_at'])}, {result['sha256']}"
        return "\n".join([first, *outline(scheme)])
