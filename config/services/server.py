"""A server of a checkout: how it is set up, started, recognised and stopped.

A running server is recognised by a lock, not by a process number, which may since belong to another
process: the server inherits an exclusive ``flock`` on ``alive.lock`` in its folder, and the kernel lets
go of it when the last process of that server is gone, however it ended.

Which process to stop is what the server noted, or what was noted in that file by who started it: on a full disk a
server runs that could note nothing. The file has its length before, so that needs no more room.
"""

import fcntl
import os
import secrets
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from config.services.places import Home, ServiceError, server_environment

HOST = "127.0.0.1"
START_SECONDS = 120.0  # recovery after a crash may have gigabytes to replay
STOP_SECONDS = 60.0
PORT_ATTEMPTS = 5  # another program may take the free port before the server does

# Kept so that a server left running for others is not reported as a forgotten child.
_children: list[subprocess.Popen[bytes]] = []


class Server(ABC):
    """One server of a checkout.  Start and stop only while holding the gate of ``sharing``."""

    name: str
    variable: str
    stop_signal: signal.Signals

    def __init__(self, home: Home) -> None:
        self.home = home
        self.folder = home.path / self.name
        self.log = self.folder / "log"
        self._last_refusal = ""

    @abstractmethod
    def prepare(self, port: int) -> list[str | Path]:
        """Get the files ready and return the command that runs the server.  Raises ServiceError."""

    @abstractmethod
    def pid(self) -> int | None:
        """The process number the server noted, if it has got that far."""

    @abstractmethod
    def port(self) -> int | None:
        """The port the server noted, if it has got that far."""

    @abstractmethod
    def login(self, port: int) -> None:
        """Log in with our password.  Raises OSError or psycopg.Error when that does not work."""

    @abstractmethod
    def url(self) -> str:
        """The address, password included."""

    def password(self) -> str:
        """Raises OSError when there is none yet."""
        return (self.folder / "password").read_text(encoding="ascii").strip()

    def alive(self) -> bool:
        """Tell whether any process of this server exists."""
        try:
            descriptor = os.open(self.folder / "alive.lock", os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def ensure(self) -> str:
        """Join the running server or start it, and return its address.

        Raises ServiceError when it ends at once or does not answer in time, OSError when its files
        cannot be written.
        """
        self.home.make_private_folder(self.folder)
        if self._comes_up():
            return self.url()
        for _ in range(PORT_ATTEMPTS):
            self._launch()
            if self._comes_up():
                return self.url()
            if "Address already in use" not in self.log.read_text(errors="replace"):
                break
        raise self.failure("ended instead of starting")

    def stop(self) -> None:
        """Stop the server in an orderly way, if it runs.  Raises ServiceError when it does not end."""
        deadline = time.monotonic() + STOP_SECONDS
        signalled = False
        while self.alive():
            pid = self.pid() or self._started()
            if pid and not signalled:
                # Sent as the server's own user: a wrong number can hit nothing of root's.
                kill = ["/bin/sh", "-c", 'kill "-$1" "$2"', "sh", self.stop_signal.name[3:], str(pid)]
                signalled = self.home.account.try_run(kill)
            if time.monotonic() > deadline:
                raise self.failure(
                    f"has not stopped {STOP_SECONDS:.0f} seconds after being asked to",
                    f"Wait until process {pid} has ended, or see what keeps it; "
                    "'python -m config.services stop' asks it again.",
                )
            time.sleep(0.02)
        _children[:] = [child for child in _children if child.poll() is None]

    def describe(self) -> str:
        """The state in one line."""
        if not self.alive():
            return f"{self.name:<9} stopped            {self.folder}"
        if self.port() is None:
            return f"{self.name:<9} starting           {self.folder}"
        return f"{self.name:<9} running  port {self.port()}  pid {self.pid()}  {self.folder}"

    def failure(self, what: str, advice: str = "") -> ServiceError:
        """An error with the last lines the server logged and what can be done."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        answer = f"Last answer to our login: {self._last_refusal}\n" if self._last_refusal else ""
        return ServiceError(
            f"The {self.name} server of {self.folder} {what}.\n{answer}"
            f"Last lines of {self.log}:\n  "
            + "\n  ".join(lines[-15:] or ["(empty)"])
            + "\n"
            + (advice or f"Remove the cause and start again, or set {self.variable} to a server of your own.")
        )

    def new_password(self) -> None:
        """Draw the password, once."""
        path = self.folder / "password"
        if not path.exists():
            unfinished = path.with_name("password.unfinished")
            self.home.write(unfinished, secrets.token_hex(24) + "\n")
            unfinished.rename(path)

    @contextmanager
    def output(self) -> Iterator[tuple[int, int]]:
        """The two descriptors a process of this server gets: its log, and the lock that tells it lives."""
        log = self.home.open(self.log, os.O_WRONLY | os.O_APPEND)
        alive = self.home.open(self.folder / "alive.lock", os.O_RDWR)
        try:
            fcntl.flock(alive, fcntl.LOCK_EX)
            _note(alive, 0)
            yield log, alive
        finally:
            os.close(alive)
            os.close(log)

    def _comes_up(self) -> bool:
        """Wait until the server answers; False as soon as no process of it exists."""
        deadline = time.monotonic() + START_SECONDS
        while self.alive():
            port = self.port()
            try:
                if port is not None:
                    self.login(port)
                    return True
            except (OSError, psycopg.Error) as error:
                self._last_refusal = str(error)
            if time.monotonic() > deadline:
                raise self.failure(f"does not answer after {START_SECONDS:.0f} seconds")
            time.sleep(0.02)
        return False

    def _launch(self) -> None:
        """Start the server process."""
        command = self.prepare(_free_port())
        if self.log.exists():
            self.log.replace(self.folder / "log.old")
        with self.output() as (log, alive):
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=server_environment(),
                umask=0o077,
                pass_fds=[alive],
                start_new_session=True,  # Ctrl-C in a terminal must not reach it
                **self.home.account.options(),
            )
            _note(alive, child.pid)
        _children.append(child)

    def _started(self) -> int | None:
        """The process that was started as the server that is alive; 0 or None if none is known."""
        return number((self.folder / "alive.lock").read_text())


def _note(alive: int, pid: int) -> None:
    """Write down the process in the file of the lock, over what stands there."""
    os.pwrite(alive, f"{pid:>10}\n".encode(), 0)


def number(text: str) -> int | None:
    """Read a number from a file of a server; None when there is none (yet)."""
    try:
        return int(text)
    except ValueError:
        return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port
