"""A made-up checkout, processes that use its servers, and what to ask of them."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from config.services.places import Account, Home, find_home
from config.services.postgres import Postgres
from config.services.redis import Redis
from config.services.sharing import stop_unused

CHECKOUT = Path(__file__).resolve().parents[3]
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="shows what root does")
# A shell's background job ignores SIGINT and hands that on: a holder is to behave as at a terminal.
HOLDER = """
import signal
import sys
from pathlib import Path
from config import services
signal.signal(signal.SIGINT, signal.default_int_handler)
print(*services.ensure(Path(sys.argv[1])), flush=True)
exec(sys.argv[2])
sys.stdin.read()
"""


def environment(**more: str) -> dict[str, str]:
    """Only what is said: the session running these tests has servers of its own."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT), **more}


class Holder:
    """A process that called ensure() and lives until told to leave."""

    def __init__(self, root: Path, then: str = "", **more: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, root, then],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(**more),
            text=True,
            start_new_session=True,
        )

    def addresses(self) -> tuple[str, str]:
        assert self.process.stdout
        words = self.process.stdout.readline().split()
        if len(words) != 2:
            pytest.fail(self.process.communicate(timeout=30)[1])
        return words[0], words[1]

    def leave(self) -> None:
        _, errors = self.process.communicate("", timeout=90)
        assert (self.process.returncode, errors) == (0, "")

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=30)


class Project:
    """A made-up checkout, and the holders the test started in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.holders: list[Holder] = []

    @property
    def home(self) -> Home:
        return find_home(self.root)

    @property
    def postgres(self) -> Postgres:
        return Postgres(self.home)

    def hold(self, then: str = "", **more: str) -> Holder:
        self.holders.append(Holder(self.root, then, **more))
        return self.holders[-1]

    def command(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", "config.services", "--root", str(self.root), *words]
        return subprocess.run(line, check=False, env=environment(**more), capture_output=True, text=True, timeout=90)

    def running(self) -> list[bool]:
        return [self.postgres.alive(), Redis(self.home).alive()]

    def clean(self) -> None:
        for holder in self.holders:
            if holder.process.poll() is None:
                holder.kill()
        home = self.home
        stop_unused(home)
        shutil.rmtree(self.root)
        if home.private and home.path.is_symlink():
            home.path.unlink()
        elif home.private:
            shutil.rmtree(home.path, ignore_errors=True)


@contextmanager
def made_up_project() -> Iterator[Project]:
    # Not tmp_path: only root gets into the folders above it.
    project = Project(Path(tempfile.mkdtemp(prefix="kanpu-test-", dir="/var/tmp")))
    project.root.chmod(0o755)
    try:
        yield project
    finally:
        project.clean()


def sql(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def run_as(user: Account, line: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        line,
        check=False,
        env=variables,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=90,
        **user.options(),
    )


def owner_name(pid: int) -> str:
    done = subprocess.run(["ps", "-o", "user=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return done.stdout.strip()
