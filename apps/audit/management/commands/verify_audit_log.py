from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from apps.audit.commands import OperatorCommand, progress_bar
from apps.audit.queries.log import consistency, log_size
from apps.audit.queries.verifying import as_json, verify_log


class Command(OperatorCommand):
    help = "Check the audit log, its tree and its checkpoints, and name each edit, gap, reordering and cut tail."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--consistency", nargs=2, type=int, metavar=("OLD", "NEW"),
            help="instead: the hashes that show that the log of OLD entries is the beginning of that of NEW",
        )  # fmt: skip

    def run(self, **options: Any) -> dict[str, Any]:
        if options["consistency"]:
            old_size, size = options["consistency"]
            path = consistency(old_size=old_size, size=size)
            return {"old_size": old_size, "size": size, "path": [node.hex() for node in path]}
        with progress_bar() as bar:
            task = bar.add_task("audit log", total=log_size(), rate="")
            found = verify_log(settings.KANPU_AUDIT_LOG, seen=lambda done: bar.update(task, completed=done))
            bar.update(task, completed=found.entries)
        self.failed = bool(found.findings)
        return as_json(found)
