from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from apps.simulator.zengin_bank import Bank, Folders, Rule, serve


class Command(BaseCommand):
    help = "A simulated bank: pays the files of KANPU_PAYOUTS/outgoing and writes results to KANPU_PAYOUTS/incoming."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--own", type=Path, required=True, help="the folder of the bank's own ledger")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--fail", type=int, default=20, help="of a thousand transfers (default: 20)")
        parser.add_argument("--come-back", type=int, default=10, help="of a thousand paid ones (default: 10)")
        parser.add_argument("--faults", action="store_true", help="results twice, cut in half and in any order")

    def handle(self, **options: Any) -> None:
        folders = Folders(settings.KANPU_PAYOUTS / "outgoing", settings.KANPU_PAYOUTS / "incoming", options["own"])
        rule = Rule(options["seed"], options["fail"], options["come_back"], options["faults"])
        serve(Bank(folders, rule))
