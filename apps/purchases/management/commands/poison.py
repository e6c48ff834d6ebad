from typing import Any

from django.core.management.base import CommandParser

from apps.audit.commands import OperatorCommand, operator
from apps.purchases.operations import replay
from apps.purchases.queries import poison_seen


class Command(OperatorCommand):
    help = (
        "Show the work that was set aside because it fails whenever it is tried, and put it back on its queue. A batch"
        " that was acknowledged is never thrown away: mend the cause, then replay."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--replay", nargs="*", type=int, metavar="ID", help="put these back on their queue, or all")

    def run(self, **options: Any) -> dict[str, Any]:
        if options["replay"] is not None:
            return {"replayed": replay(options["replay"] or None, actor=operator())}
        seen = poison_seen()
        self.failed = bool(seen)
        return {"waiting": [poison._asdict() for poison in seen]}

    def words(self, result: dict[str, Any]) -> str:
        lines = [
            f"{one['id']}: {one['kind']} {one['number']} of {one['terminal']}, {one['records']} records,"
            f" failed {one['attempts']} times, at last {one['last_failed_at']:%Y-%m-%d %H:%M:%S}: {one['reason']}"
            for one in result.get("waiting", [])
        ]
        return "\n".join(lines) if lines else super().words(result)
