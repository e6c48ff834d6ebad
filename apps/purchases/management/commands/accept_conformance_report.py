from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator
from apps.purchases.conformance import accept_report


class Command(OperatorCommand):
    help = "Check a vendor's conformance report against the records, and keep it: live keys may then be issued."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the file that `kanpu-pos conformance` wrote")
        parser.add_argument(
            "--vendor", default="", help="the vendor's name on record; by default the one in the report"
        )

    def run(self, **options: Any) -> dict[str, Any]:
        try:
            text = options["file"].read_text(encoding="utf-8")
        except (OSError, UnicodeError) as error:
            raise CommandError(f"{options['file']} cannot be read: {error}") from error
        report = accept_report(text, vendor_name=options["vendor"], at=timezone.now(), actor=operator())
        return {"vendor": report.vendor.name, "product": report.product, "version": report.version}
