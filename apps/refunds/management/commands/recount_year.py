from typing import Any

from django.core.management.base import CommandParser

from apps.audit.commands import OperatorCommand, operator, progress_bar
from apps.refunds.operations.recounting import recount
from apps.schemes.queries import latest_version, tax_year


class Command(OperatorCommand):
    help = "Build all totals of a year from its entries, and say how many differ; counting waits meanwhile."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("year", type=int)
        parser.add_argument("--scheme", help="count under the latest version of this scheme; by default the year's own")
        parser.add_argument("--dry-run", action="store_true", help="change nothing")

    def run(self, **options: Any) -> dict[str, Any]:
        year, code = options["year"], options["scheme"]
        version = latest_version(code) if code else tax_year(year).scheme_version
        with progress_bar() as progress:
            task = progress.add_task("recounting", total=None, rate="")
            found = recount(
                year,
                version=version,
                actor=operator(),
                seen=lambda residents: progress.update(task, completed=residents),
                dry_run=options["dry_run"],
            )
        return {"year": year, "scheme": str(version), "dry_run": options["dry_run"], **found._asdict()}
