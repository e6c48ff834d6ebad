"""The servers of a demo as processes of their own: web, workers, sweep. Stops what it started and nothing else."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from apps.kernel.errors import KanpuError
from apps.simulator.identity_provider import STRONG

START_TIMEOUT_S: Final = 60
STOP_TIMEOUT_S: Final = 20
WEB_KILL_TIMEOUT_S: Final = 15  # a web server's process that is still starting does not hear that it shall stop
TOKEN_KEYS: Final = ("KANPU_KEYRING",)
VAULT_KEYS: Final = ("KANPU_VAULT_KEYS", "KANPU_VAULT_KEYS_TEXT")
BIN: Final = Path(sys.executable).parent


class ProcessFailed(KanpuError):
    """A server of the demo did not start or died."""

    code = "process_failed"


def web_command(port: int, *, workers: int = 3, options: Sequence[str] = ()) -> list[str]:
    """The API and the pages, on loopback. Threads of one process would wait for each other's interpreter."""
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", str(workers), "--blocking-threads", "1", "--no-ws"]
    command += ["--workers-kill-timeout", str(WEB_KILL_TIMEOUT_S), *options]
    return [*command, "--log-config", "config/granian-log.json", "config.wsgi:application"]


def worker_command() -> list[str]:
    """Two worker processes. They need to know nothing of other workers, and so do not wait to hear of them."""
    alone = ["--without-mingle", "--without-gossip"]
    return [str(BIN / "celery"), "--quiet", "-A", "config.celery", "worker", "--concurrency", "2", *alone]


def beat_command(schedule: Path) -> list[str]:
    """The clock of periodic tasks."""
    return [str(BIN / "celery"), "--quiet", "-A", "config.celery", "beat", "--schedule", str(schedule)]


def sweep_command() -> list[str]:
    """The sweep of this host."""
    return [sys.executable, "manage.py", "sweep_outbox"]


def identity_command(port: int) -> list[str]:
    """The simulated identity provider, on loopback."""
    return [sys.executable, "manage.py", "identity_provider", "--port", str(port)]


def identity_settings(port: int) -> dict[str, str]:
    """The environment that it shares with the web server."""
    return {
        "KANPU_OIDC_ISSUER": f"http://127.0.0.1:{port}",
        "KANPU_OIDC_CLIENT_ID": "kanpu",
        "KANPU_OIDC_CLIENT_SECRET": secrets.token_urlsafe(24),
        "KANPU_OIDC_ACR": STRONG,
    }


def mail_command() -> list[str]:
    """The sender of residents' e-mail, on the portal's side: it has the vault's keys."""
    return [sys.executable, "manage.py", "send_mail"]


def sequencer_command() -> list[str]:
    """What puts the audit log into its order: one for all hosts."""
    return [sys.executable, "manage.py", "sequence_audit_log", "--make-key"]


def environment(*, with_keys: bool) -> dict[str, str]:
    """This process's environment: what opens tokens does not get the vault's keys, and the other way round."""
    kept_from = VAULT_KEYS if with_keys else TOKEN_KEYS
    return {name: value for name, value in os.environ.items() if name not in kept_from}


def bank_command(own: Path, *, seed: int, options: Sequence[str] = ()) -> list[str]:
    """The simulated bank, with the folder of its own ledger."""
    return [sys.executable, "manage.py", "zengin_bank", "--own", str(own), "--seed", str(seed), *options]


def stripe_command(own: Path, port: int, *, seed: int, options: Sequence[str] = ()) -> list[str]:
    """The simulated Stripe on loopback, with the folder of its ledger."""
    named = ["--own", str(own), "--port", str(port), "--seed", str(seed)]
    return [sys.executable, "manage.py", "stripe_api", *named, *options]


def stripe_settings(port: int) -> dict[str, str]:
    """The environment that it shares with the office, workers and the web server."""
    return {
        "KANPU_STRIPE_KEY": "sk_test_simulated",
        "KANPU_STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(16)}",
        "KANPU_STRIPE_URL": f"http://127.0.0.1:{port}",
    }


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Processes:
    """Named child processes, each in its own session with its own log."""

    root: Path
    logs: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, command: list[str], *, with_keys: bool) -> None:
        """Start a process; its output goes to `<name>.log`."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.logs / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                command,
                cwd=self.root,
                env=environment(with_keys=with_keys),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise ProcessFailed when one of them has died."""
        for name, process in list(self.running.items()):
            if process.poll() is not None:
                log = self.logs / f"{name}.log"
                raise ProcessFailed(f"{name} ended with status {process.returncode}: {_last_lines(log)}")

    def wait_for(self, url: str) -> None:
        """Wait until `url` answers. Raises ProcessFailed."""
        end = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < end:
            self.check()
            try:
                with urllib.request.urlopen(url, timeout=2):  # noqa: S310 - our own address  # nosec B310
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.1)
        raise ProcessFailed(f"{url} did not answer within {START_TIMEOUT_S} s: see {self.logs}")

    def kill(self, name: str) -> None:
        """SIGKILL a process and all its children, as a power cut would."""
        process = self.running.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """Ask all to end, then make them."""
        for process in self.running.values():
            if process.poll() is None:
                process.terminate()
        for process in self.running.values():
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        self.running.clear()


def _last_lines(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-5:])
