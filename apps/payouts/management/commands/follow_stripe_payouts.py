from typing import Any

from apps.audit.commands import OperatorCommand, operator
from apps.payouts.operations.stripe_payments import follow_payments
from apps.payouts.queries.at_stripe import at_stripe


class Command(OperatorCommand):
    help = "Go on with payments at Stripe, and ask what became of them: workers do it each minute, this does it now."

    def run(self, **_options: Any) -> dict[str, Any]:
        return {"steps_taken": follow_payments(actor=operator()), **at_stripe()}
