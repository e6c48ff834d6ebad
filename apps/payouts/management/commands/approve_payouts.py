from typing import Any

from django.core.management.base import CommandParser

from apps.audit.commands import OperatorCommand, operator
from apps.payouts.operations.batches import approve_batch, drop_batch
from apps.payouts.operations.paying import manifest_of


class Command(OperatorCommand):
    help = "Approve a batch's file by its SHA-256, as an auditor; the second one must be another. Or give the batch up."

    def arguments(self, parser: CommandParser) -> None:
        parser.add_argument("batch", type=int)
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--by", metavar="USER", help="the auditor who approves")
        what.add_argument("--drop", action="store_true", help="give up a batch that is not with the bank")
        parser.add_argument("--sha256", metavar="HEX", default="", help="the SHA-256 of the file that was read")

    def run(self, **options: Any) -> dict[str, Any]:
        if options["drop"]:
            return manifest_of(drop_batch(options["batch"], actor=operator()))
        batch = approve_batch(options["batch"], by=options["by"], sha256=options["sha256"], actor=operator())
        return manifest_of(batch) | {
            "approved_by": [name for name in (batch.approved_1_by, batch.approved_2_by) if name]
        }
