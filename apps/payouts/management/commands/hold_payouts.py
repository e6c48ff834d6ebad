from typing import Any
from uuid import UUID

from django.core.management.base import CommandParser
from django.utils import timezone

from apps.audit.commands import OperatorCommand, operator
from apps.payouts.models import PaymentHold
from apps.payouts.operations.owing import hold_payments, lift_hold
from apps.payouts.queries.readiness import batches_with


class Command(OperatorCommand):
    help = "Pay nothing to a resident for now, or go on. What is with the bank already is not called back."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("resident", type=UUID)
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--reason", choices=PaymentHold.Reason.values)
        what.add_argument("--lift", action="store_true")

    def run(self, **options: Any) -> dict[str, Any]:
        ref, now = options["resident"], timezone.now()
        if options["lift"]:
            lift_hold(ref, at=now, actor=operator())
        else:
            hold_payments(ref, reason=options["reason"], at=now, actor=operator())
        return {"resident": str(ref), "held": not options["lift"], "in_batches": batches_with(ref)}
