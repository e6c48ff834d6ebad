import logging
import signal
import time
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser
from django.db import Error, connection
from django.utils import timezone

from apps.audit import outside
from apps.audit.commands import OperatorCommand
from apps.audit.operations.sequencing import sequence, write_checkpoint
from apps.kernel.logs import tell_what_is_done

logger = logging.getLogger(__name__)


class Command(OperatorCommand):
    help = (
        "Put events and accesses into the audit log's order and sign checkpoints, again and again: one process for all"
        " hosts, the only one that has the signing key."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="do it once and write a checkpoint, then stop")
        parser.add_argument("--make-key", action="store_true", help="first make the signing key, if there is none")
        parser.add_argument("--interval-s", type=float, default=1.0)
        parser.add_argument("--checkpoint-s", type=float, default=60.0, help="from one checkpoint to the next")

    def run(self, **options: Any) -> dict[str, Any]:
        if options["make_key"]:
            outside.make_key(settings.KANPU_AUDIT_KEY)
        if options["once"]:
            return {"added": sequence().added, "size": _checkpoint()}
        tell_what_is_done()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        added, next_s = 0, 0.0
        try:
            while True:
                try:
                    added += sequence().added
                    if time.monotonic() >= next_s:
                        _checkpoint()
                        next_s = time.monotonic() + options["checkpoint_s"]
                except Error:  # PostgreSQL away: the next round goes on
                    logger.warning("The log goes on later.", exc_info=True)
                    connection.close()
                time.sleep(options["interval_s"])
        except KeyboardInterrupt:
            return {"added": added}


def _checkpoint() -> int | None:
    head = write_checkpoint(settings.KANPU_AUDIT_LOG, settings.KANPU_AUDIT_KEY, at=timezone.now())
    return head.size if head else None
