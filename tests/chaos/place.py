"""Servers and processes of the harness's own, which it may kill: nothing of the checkout's is touched."""

import json
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from apps.simulator.processes import (
    Processes,
    beat_command,
    free_port,
    sequencer_command,
    sweep_command,
    web_command,
    worker_command,
)
from config.services.places import find_home
from config.services.postgres import Postgres
from config.services.redis import Redis
from config.services.server import Server
from config.services.sharing import Hold
from tests.chaos import proxy
from tests.chaos.proxy import COMMIT, Line

ROOT: Final = Path(__file__).resolve().parents[2]
WEB_SERVERS: Final = 2
STARTS_S: Final = 4.0  # a process this young has hardly begun
DISK: Final = "1500m"
BALLAST: Final = "ballast"


@dataclass(slots=True)
class Site:
    """All that runs. `kills` counts what was killed, by kind. `own_disk`: the servers have one that may be filled."""

    folder: Path
    own_disk: bool
    postgres: Server
    redis: Server
    to_web: Line
    to_postgres: Line
    to_redis: Line
    processes: Processes
    commands: dict[str, tuple[list[str], bool]] = field(default_factory=dict)
    started_s: dict[str, float] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)

    def start(self, name: str, command: list[str], *, with_keys: bool) -> None:
        """Start a process; `revive` starts it again whenever it is gone."""
        self.commands[name] = (command, with_keys)
        self.processes.start(name, command, with_keys=with_keys)
        self.started_s[name] = time.monotonic()

    def revive(self) -> None:
        """Start again what is not there, as systemd does."""
        for server in (self.postgres, self.redis):
            server.ensure()
        for name, (command, with_keys) in self.commands.items():
            running = self.processes.running.get(name)
            if running is None or running.poll() is not None:
                self.start(name, command, with_keys=with_keys)

    def at_work(self, prefix: str) -> list[str]:
        """The processes of that kind that have been up for a while."""
        now_s = time.monotonic()
        return [
            name
            for name, running in self.processes.running.items()
            if name.startswith(prefix) and running.poll() is None and now_s - self.started_s[name] > STARTS_S
        ]

    def kill(self, name: str) -> None:
        """SIGKILL a process with all its children."""
        self.processes.kill(name)
        self._count(name.partition("-")[0])

    def kill_child(self, name: str, chosen: float) -> bool:
        """SIGKILL one of a process's children; `chosen` is which, from 0 to 1. Returns whether there was one."""
        return self._kill_one_of(self.processes.running[name].pid, f"{name.partition('-')[0]} (one process)", chosen)

    def kill_server(self, server: Server) -> None:
        """SIGKILL PostgreSQL or Redis with all its processes."""
        kill_all_of(server)
        self._count(server.name)

    def kill_backend(self, chosen: float) -> bool:
        """SIGKILL one process of PostgreSQL, which then ends all sessions and recovers."""
        return self._kill_one_of(self.postgres.pid() or 0, "postgres (one process)", chosen)

    def _kill_one_of(self, pid: int, counted_as: str, chosen: float) -> bool:
        try:
            children = psutil.Process(pid).children() if pid else []
        except psutil.NoSuchProcess:
            children = []
        if not children:
            return False
        _kill(children[int(chosen * len(children))])
        self._count(counted_as)
        return True

    def _count(self, kind: str) -> None:
        self.kills[kind] = self.kills.get(kind, 0) + 1


def kill_all_of(server: Server) -> None:
    """SIGKILL all processes of a server, also of one that started on a full disk and could not note its number."""
    ours = [one for one in psutil.process_iter(["cwd"]) if (one.info["cwd"] or "").startswith(str(server.folder))]
    running = {process for main in ours for process in (main, *_children(main))}
    for process in running:
        _kill(process)
    psutil.wait_procs(running, timeout=10)


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _kill(process: psutil.Process) -> None:
    try:
        process.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        return


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """PostgreSQL and Redis in `folder`, behind proxies, and Django set up on them; all is stopped at the end.

    Before anything of Django's models is imported. `folder` must be reachable by whoever runs PostgreSQL.
    """
    own_disk = _mount(folder / "var")
    hold = Hold(find_home(folder))
    postgres, redis = Postgres(hold.home), Redis(hold.home)
    web_ports = [free_port() for _ in range(WEB_SERVERS)]
    to_web = Line(lambda: random.sample(web_ports, len(web_ports)))
    to_postgres = Line(lambda: [postgres.port() or 0], after=COMMIT)
    to_redis = Line(lambda: [redis.port() or 0])
    proxy.start([to_web, to_postgres, to_redis])
    processes = Processes(ROOT, folder / "logs")
    place = Site(folder, own_disk, postgres, redis, to_web, to_postgres, to_redis, processes)
    _set_up(place)
    try:
        for number, port in enumerate(web_ports):
            place.start(f"web-{number}", _web_command(port), with_keys=False)
        yield place
    finally:
        place.commands.clear()
        place.processes.stop()
        for server in (postgres, redis):
            if server.pid() is None:
                kill_all_of(server)
        hold.release()
        if own_disk:
            subprocess.run(["umount", str(folder / "var")], check=False)


def _mount(folder: Path) -> bool:
    """A small disk in memory, if we may have one: of the servers, so that filling it hurts nobody else."""
    folder.mkdir()
    if os.geteuid() != 0 or not sys.platform.startswith("linux"):
        return False
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0755", "tmpfs", str(folder)]
    return subprocess.run(mount, check=False, capture_output=True).returncode == 0


def fill_disk(place: Site) -> None:
    """From now on there is no room for PostgreSQL or Redis."""
    disk = place.folder / "var"
    with (disk / BALLAST).open("ab") as file:
        room = os.statvfs(disk)
        more = room.f_bavail * room.f_frsize
        while more >= room.f_frsize:
            try:
                os.posix_fallocate(file.fileno(), file.seek(0, os.SEEK_END), more)
            except OSError:  # somebody else took some of it
                more //= 2


def empty_disk(place: Site) -> None:
    """There is room again."""
    (place.folder / "var" / BALLAST).unlink(missing_ok=True)


def _web_command(port: int) -> list[str]:
    """Two web processes a server would be four on this machine: one each."""
    command = web_command(port)
    command[command.index("--workers") + 1] = "1"
    return command


def start_the_rest(place: Site) -> None:
    """Workers, sweep, clock and the audit log's sequencer; once there are keys."""
    place.start("worker", worker_command(), with_keys=True)
    place.start("sweep", sweep_command(), with_keys=True)
    place.start("beat", beat_command(place.folder / "beat"), with_keys=False)
    place.start("sequencer", sequencer_command(), with_keys=False)


def start_shop(place: Site, number: int, plan: dict[str, object]) -> None:
    """A process of tills, which works by this plan."""
    path = place.folder / f"shop-{number}.json"
    path.write_text(json.dumps(plan))
    place.start(f"shop-{number}", [sys.executable, "-m", "tests.chaos.shop", str(path)], with_keys=False)


def _set_up(place: Site) -> None:
    folder = place.folder
    for name, url, line in (
        ("DATABASE_URL", place.postgres.url(), place.to_postgres),
        ("REDIS_URL", place.redis.url(), place.to_redis),
    ):
        before, _, after = url.rpartition(":")
        os.environ[name] = f"{before}:{line.port}/{after.partition('/')[2]}"
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "KANPU_KEYRING": str(folder / "keyring.json"),
        "KANPU_VAULT_KEYS": str(folder / "vault.json"),
        "KANPU_ARCHIVE": str(folder / "archive"),
        "KANPU_AUDIT_LOG": str(folder / "audit"),
        "KANPU_AUDIT_KEY": str(folder / "audit.pem"),
        "KANPU_PAYOUTS": str(folder / "payouts"),
        "KANPU_SECRET_KEY": secrets.token_urlsafe(40),
        "PYTHONPATH": f"{ROOT}:{ROOT / 'sdk'}",
    }
    import django  # noqa: PLC0415 - its settings are read when the database's address is set

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    from config.celery import app  # noqa: PLC0415

    app.set_default()
    call_command("migrate", verbosity=0)
