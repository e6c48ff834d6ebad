import signal
import time
from typing import Any

from django.core.management.base import CommandParser
from django.db import DatabaseError, connection
from django.utils import timezone

from apps.accruals.operations.counting import count_all
from apps.audit.commands import OperatorCommand


class Command(OperatorCommand):
    help = "Count what waits in the outbox, without Redis: every worker host runs one beside its workers."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="count what waits now, then stop")
        parser.add_argument("--interval-s", type=float, default=2.0)

    def run(self, **options: Any) -> dict[str, Any]:
        if options["once"]:
            return {"counted": count_all(now=timezone.now())}
        signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
        total = 0
        try:
            while True:
                time.sleep(options["interval_s"])
                total += self._sweep()
        except KeyboardInterrupt:
            return {"counted": total}

    def _sweep(self) -> int:
        try:
            return count_all(now=timezone.now())
        except DatabaseError as error:  # a restart of PostgreSQL: the next round finds the work
            self.stderr.write(f"The sweep waits for PostgreSQL: {error}")
            connection.close()
            return 0
