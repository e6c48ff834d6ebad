import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from honcho.manager import Manager

from apps.kernel.errors import KanpuError
from apps.simulator.management.commands.serve import STOPPED
from apps.simulator.production import Installation, prepare, processes


class Command(BaseCommand):
    help = (
        "Run everything as in production on this machine, until Ctrl-C: production settings, TLS with a certificate"
        " made here, PostgreSQL with roles of least rights, each process with its own keys only."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--folder", type=Path, default=Path(settings.BASE_DIR) / "var" / "production")
        parser.add_argument("--api-port", type=int, default=8443)
        parser.add_argument("--portal-port", type=int, default=8444)

    def handle(self, **options: Any) -> None:
        server = os.environ["DATABASE_URL"].rpartition("/")[0]
        installation = Installation(
            options["folder"].resolve(), Path(settings.BASE_DIR), server, os.environ["REDIS_URL"]
        )
        try:
            prepare(installation)
        except KanpuError as error:
            raise CommandError(f"{error} [{error.code}]") from error
        self.stdout.write(f"API     https://localhost:{options['api_port']}/")
        self.stdout.write(f"portal  https://localhost:{options['portal_port']}/")
        self.stdout.write(f"certificate to trust: {installation.file('tls.pem')}")
        self.stdout.flush()
        shutil.rmtree(installation.file("metrics"), ignore_errors=True)
        manager = Manager()
        ports = {"api_port": options["api_port"], "portal_port": options["portal_port"]}
        for name, (command, keys) in processes(installation, **ports).items():
            environment = installation.environment(keys) | {"PWD": os.getcwd()}
            manager.add_process(name, "exec " + shlex.join(command), env=environment)
        manager.loop()
        sys.exit(0 if manager.returncode in STOPPED else manager.returncode)
