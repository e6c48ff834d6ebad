from typing import Any

from django.core.management.base import CommandParser

from apps.audit.commands import OperatorCommand, progress_bar
from apps.refunds.distribution import LOCAL
from apps.refunds.operations.distributing import Placed, distribute, is_coordinator, plan


class Command(OperatorCommand):
    help = (
        "Spread the big tables over a Citus cluster, from its coordinator, and copy the small ones to each machine."
        " After migrate, before the first purchase. Again is harmless: only what is new is spread."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what goes where; needs no cluster")
        parser.add_argument(
            "--if-available", action="store_true", help="do nothing, successfully, where PostgreSQL has no Citus"
        )

    def run(self, **options: Any) -> dict[str, Any]:
        if options["dry_run"]:
            return {"dry_run": True, **_listed(plan()), "local": [table for rest in LOCAL for table in rest.tables]}
        if options["if_available"] and not is_coordinator():
            return {"dry_run": False, **_listed([])}
        with progress_bar() as progress:
            task = progress.add_task("distributing", total=None, rate="")
            done = distribute(seen=lambda done, total: progress.update(task, completed=done, total=total))
        return {"dry_run": False, **_listed(done)}


def _listed(placed: list[Placed]) -> dict[str, list[Any]]:
    return {
        "distributed": [{"table": p.table, "column": p.column, "beside": p.beside} for p in placed if p.column],
        "reference": [p.table for p in placed if not p.column],
    }
