import logging
import signal
import time
from typing import Any

from django.core.management.base import CommandParser
from django.db import connection
from django.utils import timezone

from apps.audit.commands import OperatorCommand
from apps.kernel.logs import tell_what_is_done
from apps.portal.operations.mail import Sent, send_due
from apps.residents.operations.mail_outbox import retry_given_up, waiting

logger = logging.getLogger(__name__)


class Command(OperatorCommand):
    help = (
        "Send residents' e-mail, by a host that has the vault's keys (KANPU_VAULT_KEYS): beside the portal's web"
        " servers. EMAIL_URL says by which mail server. Any number may run."
    )

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="send what is due now, then stop")
        parser.add_argument("--retry-failed", action="store_true", help="first take up what had been given up")
        parser.add_argument("--interval-s", type=float, default=5.0)

    def run(self, **options: Any) -> dict[str, Any]:
        if options["retry_failed"]:
            self.stderr.write(f"{retry_given_up(now=timezone.now())} mails that had been given up are taken up again")
        if options["once"]:
            return {**send_due(clock=timezone.now)._asdict(), **waiting()}
        tell_what_is_done()
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        total = 0
        try:
            while True:
                total += self._send().sent
                time.sleep(options["interval_s"])
        except KeyboardInterrupt:
            return {"sent": total}

    def _send(self) -> Sent:
        try:
            return send_due(clock=timezone.now)
        except Exception:  # PostgreSQL away, keys out of date: the next round finds the work
            logger.warning("Mail is tried again.", exc_info=True)
            connection.close()
            return Sent()
