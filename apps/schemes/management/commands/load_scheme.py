from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator
from apps.schemes.operations import load_scheme


class Command(OperatorCommand):
    help = "Load a scheme file (YAML) as a new immutable version; the same content again changes nothing."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def run(self, **options: Any) -> dict[str, Any]:
        version, is_new = load_scheme(options["file"], at=timezone.now(), actor=operator())
        return {"scheme": version.code, "version": version.version, "sha256": version.sha256, "new": is_new}
