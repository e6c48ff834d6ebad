import os
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apps.simulator.identity_provider import Provider, serve


class Command(BaseCommand):
    help = "A simulated identity provider on 127.0.0.1, for KANPU_OIDC_CLIENT_ID and KANPU_OIDC_CLIENT_SECRET."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, required=True)
        parser.add_argument("--asked", type=int, default=0, help="seconds since people were asked (default: 0)")

    def handle(self, **options: Any) -> None:
        issuer = f"http://127.0.0.1:{options['port']}"
        client_id, secret = os.environ["KANPU_OIDC_CLIENT_ID"], os.environ["KANPU_OIDC_CLIENT_SECRET"]
        serve(Provider(issuer, client_id, secret, options["asked"]), options["port"])
