from typing import Any

from apps.audit.commands import OperatorCommand
from apps.upkeep.queries.diagnosis import findings


class Command(OperatorCommand):
    help = (
        "Say what is wrong with this installation, and what to do, as seen by a process with these settings: run it"
        " with those of a worker, and with those of a web server. Status 0: all is well; 1: something is wrong."
    )

    def run(self, **_options: Any) -> dict[str, Any]:
        found = findings()
        self.failed = bool(found)
        return {"well": not found, "findings": [finding._asdict() for finding in found]}

    def words(self, result: dict[str, Any]) -> str:
        lines = [f"{one['part']}: {one['problem']}\n    {one['remedy']}" for one in result["findings"]]
        return "\n".join(lines) or "All is well."
