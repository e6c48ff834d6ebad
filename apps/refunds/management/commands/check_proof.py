from typing import Any

from django.core.management.base import CommandParser

from apps.audit.commands import OperatorCommand, progress_bar
from apps.refunds.operations.checking import check_proof


class Command(OperatorCommand):
    help = (
        "For auditors: make every leaf of a year's tree again from the refunds that are kept, add them up, and compare"
        " with the roots, sums and digests of its runs. Exit status 1 when something differs."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("year", type=int)

    def run(self, **options: Any) -> dict[str, Any]:
        with progress_bar() as progress:
            task = progress.add_task("checking", total=None, rate="")
            found = check_proof(options["year"], seen=lambda done: progress.update(task, completed=done))
        self.failed = any(run.wrong for run in found)
        return {"year": options["year"], "runs": [run._asdict() for run in found]}
