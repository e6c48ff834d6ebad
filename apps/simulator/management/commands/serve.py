import os
import shlex
import shutil
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
    free_port,
    identity_command,
    identity_settings,
    mail_command,
    sequencer_command,
    sweep_command,
    web_command,
    worker_command,
)

STOPPED = (128 + signal.SIGINT, 128 + signal.SIGTERM)


class Command(BaseCommand):
    help = "Keep the demo's web server, workers, sweep, clock and mail running, until Ctrl-C."

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
        identity_port = free_port()
        self.identity = identity_settings(identity_port)
        shutil.rmtree(folder / "metrics", ignore_errors=True)
        os.environ["KANPU_METRICS"] = str(folder / "metrics")
        os.environ.setdefault("KANPU_PORTAL_URL", f"http://127.0.0.1:{options['port']}")
        manager = Manager()
        for name, command, with_keys in (
            ("web", web_command(options["port"]), False),
            ("identity", identity_command(identity_port), False),
            ("worker", worker_command(), True),
            ("sweep", sweep_command(), True),
            ("audit-log", sequencer_command(), False),
            ("beat", beat_command(folder / "beat"), False),
            ("mail", mail_command(), False),
        ):
            manager.add_process(name, "exec " + shlex.join(command), env=self._env(with_keys=with_keys))
        manager.loop()
        sys.exit(0 if manager.returncode in STOPPED else manager.returncode)

    def _env(self, *, with_keys: bool) -> dict[str, str]:
        return environment(with_keys=with_keys) | self.identity | {"PYTHONUNBUFFERED": "1", "PWD": os.getcwd()}
