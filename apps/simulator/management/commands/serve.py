import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from honcho.manager import Manager

from apps.simulator.cast import read_logins
from apps.simulator.processes import (
    beat_command,
    environment,
    sequencer_command,
    sweep_command,
    web_command,
    worker_command,
)

STOPPED = (128 + signal.SIGINT, 128 + signal.SIGTERM)


class Command(BaseCommand):
    help = "Keep the demo's web server, workers, sweep and clock running, until Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="the web server's port on 127.0.0.1 (default: 8000)")

    def handle(self, **options: Any) -> None:
        folder = Path(settings.BASE_DIR) / "var" / "demo"
        if not (folder / "accounts.json").exists():
            raise CommandError("There is nothing to serve yet: run `make demo` first.")
        self.stdout.write(f"http://127.0.0.1:{options['port']}/")
        for login in read_logins(folder / "accounts.json"):
            self.stdout.write(f"  {login.username} / {login.password} ({login.shows})")
        self.stdout.flush()
        manager = Manager()
        for name, command, with_keys in (
            ("web", web_command(options["port"]), False),
            ("worker", worker_command(), True),
            ("sweep", sweep_command(), True),
            ("audit-log", sequencer_command(), False),
            ("beat", beat_command(folder / "beat"), False),
        ):
            manager.add_process(name, "exec " + shlex.join(command), env=_env(with_keys=with_keys))
        manager.loop()
        sys.exit(0 if manager.returncode in STOPPED else manager.returncode)


def _env(*, with_keys: bool) -> dict[str, str]:
    return environment(with_keys=with_keys) | {"PYTHONUNBUFFERED": "1", "PWD": os.getcwd()}
