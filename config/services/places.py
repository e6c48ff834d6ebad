"""Where the servers keep their files, which account they run as, and which programs they run."""

import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PRIVATE_BASE = Path("/var/tmp")  # noqa: S108 - what is found there is checked before use  # nosec B108


class ServiceError(Exception):
    """A server could not be started, joined or stopped; the message says why and what to do."""


@dataclass(frozen=True)
class Account:
    """The user the servers run as; ``switch`` says that we are root and have to become that user."""

    uid: int
    gid: int
    switch: bool

    def options(self) -> dict[str, Any]:
        """Arguments for ``subprocess`` that make a child run as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    def try_run(self, command: Sequence[str | Path]) -> bool:
        """Run a command as this user, silently, and tell whether it succeeded."""
        try:
            done = subprocess.run(command, check=False, cwd="/", capture_output=True, **self.options())
        except PermissionError:
            return False
        return done.returncode == 0

    def can_enter(self, folder: Path) -> bool:
        """Tell whether this user gets into a folder, all the folders above it included."""
        return not self.switch or self.try_run(["/bin/sh", "-c", 'cd "$1"', "sh", folder])

    def own(self, path: Path) -> None:
        """Hand a file, folder or link that root has just made to this user."""
        if self.switch:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


@dataclass(frozen=True)
class Home:
    """The state folder of one checkout."""

    path: Path
    account: Account
    private: bool  # below /var/tmp, where others could have planted something under our name

    def make(self) -> None:
        """Create the state folder.  Raises ServiceError when something else is in its place."""
        if self.private:
            self.make_private_folder(self.path)
        elif not self.path.exists():
            self.path.mkdir()
            self.path.chmod(0o755)
            if _project_account(self.path.parent) == self.account:
                self.account.own(self.path)

    def make_private_folder(self, path: Path) -> None:
        """Create a folder for the account only; one that is already there must be exactly that.

        Raises ServiceError for a link, a file, another owner, or access for others.
        """
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
        found = path.lstat()
        if self.account.switch and found.st_uid == 0 and stat.S_ISDIR(found.st_mode):
            self.account.own(path)  # made just now, or by a start that died at this point
            found = path.lstat()
        problem = _objection(found, self.account.uid)
        if problem:
            raise ServiceError(
                f"{path} {problem}, so it is not used. Look at who made it; "
                "then move it away (or run as that user) and start again."
            )

    def open(self, path: Path, flags: int) -> int:
        """Open (and create) a file readable by the account only; a link in its place is refused.

        The descriptor is not inherited by programs.  Raises OSError.
        """
        descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        if self.account.switch:
            os.fchown(descriptor, self.account.uid, self.account.gid)
        return descriptor

    def write(self, path: Path, text: str) -> None:
        """Write a whole file that only the account may read."""
        with open(self.open(path, os.O_WRONLY | os.O_TRUNC), "w", encoding="utf-8") as file:
            file.write(text)

    def program(self, package: str, pattern: str) -> Path | None:
        """Find a program inside an installed package, in a copy where the account cannot run the original.

        Returns None when the package is not installed or has no such program.
        """
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            return None
        installed = Path(spec.origin).parent.parent
        found = next(iter(sorted(installed.glob(f"{package}/{pattern}"))), None)
        if found is None or not self.account.switch or self.account.try_run([found, "--version"]):
            return found
        return self._copy_of(package, installed) / found.relative_to(installed)

    def _copy_of(self, package: str, installed: Path) -> Path:
        """Copy a package and its shared libraries into the state folder, once per version."""
        copy = self.path / f"{package}-{importlib.metadata.version(package)}"
        if copy.is_dir():
            return copy
        unfinished = copy.with_name(f"{copy.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        self.make_private_folder(unfinished)
        for source in (installed / package, installed / f"{package}.libs"):
            if source.is_dir():
                shutil.copytree(source, unfinished / source.name, symlinks=True)
        for folder, folders, files in os.walk(unfinished):
            for name in (*folders, *files):
                self.account.own(Path(folder, name))
        return unfinished.rename(copy)


def find_home(root: Path) -> Home:
    """Tell where the state of the checkout ``root`` lives and who runs its servers; creates nothing.

    It is ``var/`` in the checkout.  PostgreSQL refuses to run as root, so root lets the owner of the
    checkout (or else ``nobody``) run it; where that user cannot reach ``var/``, the state is in a
    private folder below /var/tmp, because no right of a folder above the checkout is ever changed.

    Raises ServiceError when root finds no such user.
    """
    root = root.resolve()
    account = _project_account(root) or _nobody()
    var = root / "var"
    if account.can_enter(var if var.exists() else root):
        return Home(var, account, private=False)
    name = hashlib.sha256(os.fsencode(root)).hexdigest()[:16]
    return Home(PRIVATE_BASE / f"kanpu-{name}", account, private=True)


def server_environment() -> Mapping[str, str]:
    """The environment of the servers: nothing of ours, as PGDATA or PGPORT would change what they do."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _project_account(root: Path) -> Account | None:
    """Oneself, or for root the owner of the checkout; None where root owns it too."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    try:
        owner = pwd.getpwuid(root.stat().st_uid)
    except KeyError:  # initdb insists on an account with a name
        return None
    return Account(owner.pw_uid, owner.pw_gid, switch=True) if owner.pw_uid else None


def _nobody() -> Account:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise ServiceError(
            "PostgreSQL does not run as root and this machine has no user 'nobody' to run it as. "
            "Start as an ordinary user, or set DATABASE_URL and REDIS_URL to servers of your own."
        ) from None
    return Account(entry.pw_uid, entry.pw_gid, switch=True)


def _objection(found: os.stat_result, uid: int) -> str:
    """Say what speaks against using a folder as a private one; empty when nothing does."""
    if stat.S_ISLNK(found.st_mode):
        return "is a symbolic link"
    if not stat.S_ISDIR(found.st_mode):
        return "is not a folder"
    if found.st_uid != uid:
        return f"belongs to user {found.st_uid}, not to user {uid}"
    if found.st_mode & 0o077:
        return f"is open to other users (mode {found.st_mode & 0o777:04o} instead of 0700)"
    return ""
