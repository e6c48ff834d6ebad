from typing import Any

from apps.audit.commands import OperatorCommand
from apps.residents.queries.key_status import key_statuses


class Command(OperatorCommand):
    help = "Show every key: whether it is in use, whether this process has it, and how many rows stand under it."

    def run(self, **_options: Any) -> dict[str, Any]:
        statuses = key_statuses()
        self.failed = any(status.in_use and status.here == "another" for status in statuses)
        return {"keys": [status._asdict() for status in statuses]}

    def words(self, result: dict[str, Any]) -> str:
        return "\n".join(map(_line, result["keys"]))


def _line(key: dict[str, Any]) -> str:
    use = "newest" if key["newest"] else "in use" if key["in_use"] else "not in use"
    rows = "" if key["rows"] is None else f"{key['rows']:,} rows"
    until = f"readers seal until {key['seal_until']:%Y-%m-%d}" if key["seal_until"] else ""
    return f"{key['name']:<18}{use:<12}here: {key['here']:<11}{rows}{until}"
