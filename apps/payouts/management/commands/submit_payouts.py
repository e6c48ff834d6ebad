from typing import Any

from django.core.management.base import CommandParser

from apps.audit.commands import OperatorCommand, bars, operator
from apps.payouts.operations.batches import submit_batch
from apps.payouts.operations.paying import manifest_of


class Command(OperatorCommand):
    help = "Hand an approved batch to the bank or to Stripe, once; again finishes what died on the way."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("batch", type=int)

    def run(self, **options: Any) -> dict[str, Any]:
        with bars("steps at Stripe") as (seen,):
            batch, moved = submit_batch(options["batch"], actor=operator(), seen=seen)
        return manifest_of(batch) | {"accounts_changed_since": moved}
