import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.simulator.stripe_api import Api, serve
from apps.simulator.stripe_ledger import Ledger, Rule


class Command(BaseCommand):
    help = "A simulated Stripe on 127.0.0.1, for KANPU_STRIPE_KEY and KANPU_STRIPE_WEBHOOK_SECRET."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, required=True)
        parser.add_argument("--own", type=Path, required=True, help="the folder of its ledger")
        parser.add_argument("--hook", default="", help="where its webhooks go")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--fail", type=int, default=20, help="of a thousand payouts (default: 20)")
        parser.add_argument("--come-back", type=int, default=10, help="of a thousand paid ones (default: 10)")
        parser.add_argument("--pace", type=float, default=0.2, help="seconds in each status (default: 0.2)")
        parser.add_argument("--faults", type=int, default=0, help="of a thousand requests; webhooks go astray too")
        parser.add_argument("--keys-for", type=float, default=24 * 3600, help="seconds (default: a day)")

    def handle(self, **options: Any) -> None:
        rule = Rule(options["seed"], options["fail"], options["come_back"], options["pace"], bool(options["faults"]))
        path = options["own"] / "stripe.sqlite3"
        ledger = Ledger(path, rule, options["keys_for"], hooks=bool(options["hook"]))
        api = Api(ledger, os.environ["KANPU_STRIPE_KEY"], options["faults"])
        secret = os.environ.get("KANPU_STRIPE_WEBHOOK_SECRET", "")
        serve(api, options["port"], hook=options["hook"], secret=secret)
