"""Many processes, one pair of servers: who uses them, and who stops them.

Every user holds a shared ``flock`` on ``services.users``; starting and stopping happen under an exclusive
one on ``services.lock``, the gate.  Who leaves and can turn the shared lock into an exclusive one was the
last.  The kernel takes the locks of a killed process back, so nothing has to be cleaned up.
"""

import fcntl
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from config.services.places import Home, ServiceError
from config.services.postgres import Postgres
from config.services.redis import Redis
from config.services.server import Server


class Hold:
    """The claim of one process on the servers of a checkout."""

    def __init__(self, home: Home, left_alone: Collection[str] = ()) -> None:
        """Start or join the servers whose variable is not in ``left_alone``.

        Raises ServiceError when that fails; nothing stays claimed then.
        """
        self.home = home
        self.addresses: dict[str, str] = {}
        self._owner = os.getpid()
        try:
            home.make()
            with _gate(home):
                self._users = _take_part(home)
                try:
                    for server in servers(home):
                        if server.variable not in left_alone:
                            self.addresses[server.variable] = server.ensure()
                except BaseException as error:
                    self._leave(after=error)
                    raise
        except OSError as error:
            raise ServiceError(f"The servers of {home.path} could not be started: {error}") from error

    def release(self) -> None:
        """Give the claim up; the last one out stops the servers.  Without effect in a forked child.

        Raises ServiceError when a server does not stop.
        """
        if os.getpid() == self._owner:
            with _gate(self.home):
                self._leave()

    def _leave(self, after: BaseException | None = None) -> None:
        try:
            _rewrite(self._users, [user for user in users(self.home) if user[0] != os.getpid()])
            if _try_exclusive(self._users):
                _stop(self.home)
        except ServiceError as error:
            raise ServiceError(f"{after}\n{error}" if after else str(error)) from after
        finally:
            os.close(self._users)


def servers(home: Home) -> list[Server]:
    """Both servers of a checkout."""
    return [Postgres(home), Redis(home)]


def users(home: Home) -> list[tuple[int, str]]:
    """The processes that noted themselves as users and still exist: number and name."""
    try:
        text = _users_file(home).read_text(errors="replace")
    except FileNotFoundError:
        return []
    noted = [line.partition(" ") for line in text.splitlines()]
    return [(int(pid), name) for pid, _, name in noted if pid.isdigit() and _exists(int(pid))]


def stop_unused(home: Home) -> list[tuple[int, str]] | None:
    """Stop the servers unless somebody uses them; then return those users (None: all is stopped).

    Raises ServiceError when a server does not stop.
    """
    if not _users_file(home).exists():
        return None
    with _gate(home):
        descriptor = home.open(_users_file(home), os.O_RDWR)
        try:
            if not _try_exclusive(descriptor):
                return users(home)
            _stop(home)
        finally:
            os.close(descriptor)
    return None


@contextmanager
def _gate(home: Home) -> Iterator[None]:
    """Wait until nobody else starts or stops."""
    descriptor = home.open(home.path / "services.lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _take_part(home: Home) -> int:
    """Become a user.  Only for the holder of the gate, so the lock is free of exclusive holders."""
    descriptor = home.open(_users_file(home), os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    _rewrite(descriptor, [*users(home), (os.getpid(), " ".join(sys.argv[:2]))])
    return descriptor


def _try_exclusive(descriptor: int) -> bool:
    """Lock a file for oneself if nobody else has it.  If that fails one's shared lock is gone too."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stop(home: Home) -> None:
    """Stop both servers, the second even if the first does not stop.  Raises ServiceError."""
    problems = []
    for server in servers(home):
        try:
            server.stop()
        except ServiceError as error:
            problems.append(str(error))
    if problems:
        raise ServiceError("\n".join(problems))


def _rewrite(descriptor: int, entries: list[tuple[int, str]]) -> None:
    text = "".join(f"{pid} {' '.join(name.split())}\n" for pid, name in entries)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(errors="replace"), 0)


def _users_file(home: Home) -> Path:
    return home.path / "services.users"


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
