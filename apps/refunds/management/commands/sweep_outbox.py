import logging
import signal
import time
from typing import Any
from uuid import uuid4

from django.core.management.base import CommandParser
from django.db import connection
from django.utils import timezone

from apps.accruals.operations.counting import count_all
from apps.audit.commands import OperatorCommand
from apps.kernel.logs import tell_what_is_done
from apps.kernel.request_ids import done_for
from apps.purchases.poison import take_up_again, take_up_due
from apps.refunds.operations.assessing import assess_waiting
from apps.refunds.operations.requesting import SWEPT, run_requested

logger = logging.getLogger(__name__)


class Command(OperatorCommand):
    help = (
        "Count what waits in the outbox, and go on with runs that were asked for, without Redis: every worker host runs"
        " one beside its workers."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="count what waits now, then stop")
        parser.add_argument("--retry-failed", action="store_true", help="first take up what had been set aside")
        parser.add_argument("--interval-s", type=float, default=2.0)

    def run(self, **options: Any) -> dict[str, Any]:
        if options["retry_failed"]:
            self.stderr.write(f"{take_up_again()} of what had been set aside is taken up again")
        if options["once"]:
            return {"counted": count_all()}
        tell_what_is_done()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        total = 0
        try:
            while True:
                time.sleep(options["interval_s"])
                total += self._sweep()
        except KeyboardInterrupt:
            return {"counted": total}

    def _sweep(self) -> int:
        try:
            with done_for(uuid4()):  # each round by a number of its own
                return _work()
        except Exception:  # PostgreSQL away, keys out of date: the next round finds the work
            logger.warning("The sweep tries again.", exc_info=True)
            connection.close()
            return 0


def _work() -> int:
    take_up_due(now=timezone.now())
    counted = count_all()
    run_requested()
    assess_waiting()
    for work in SWEPT:
        work()
    return counted
