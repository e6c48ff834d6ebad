"""Files of secrets: new ones for their owner only, changed ones whole or not at all."""

import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from apps.kernel.errors import KanpuError
from apps.residents.key_documents import Document
from apps.residents.keyring import write_private

PART: Final = ".part"  # of a file's name until it is whole


class FileExists(KanpuError):
    """A file of secrets is never written over."""

    code = "file_exists"


class KeyFileFixed(KanpuError):
    """The key file cannot be changed from here."""

    code = "key_file_fixed"


def write_once(path: Path, text: str) -> None:
    """Write a file that only its owner reads. Raises FileExists."""
    try:
        write_private(path, text)
    except FileExistsError:
        raise FileExists(f"{path} is there already and holds secrets: move it away or name another file.") from None


def write_whole(path: Path, content: bytes) -> None:
    """Put a file in its place that only its owner reads: whole and on disk, or not at all. Raises FileExists.

    Whoever calls sees to it that nobody else writes this file.
    """
    part = path.with_name(path.name + PART)
    if path.exists():
        raise FileExists(f"{path} is there already: name another folder.")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    synced_folder(path)


def change_key_file(path: Path, change: Callable[[Document], None]) -> None:
    """Change a key file at once: whoever reads it finds the old one or the new one, whatever dies.

    Owner, rights and all else in it stay as they are. Raises KeyFileFixed.
    """
    target = path.resolve()  # behind a link, the file itself
    try:
        text = target.read_text()
        document = json.loads(text)
        change(document)
        _replace(target, json.dumps(document, indent=_indent_of(text)) + ("\n" if text.endswith("\n") else ""))
    except OSError as error:
        raise KeyFileFixed(
            f"The key file {path} cannot be changed here: {error.strerror}. Change it where it is kept, then go on"
            " with --use."
        ) from error


def _replace(target: Path, text: str) -> None:
    """Write beside the file, for the same owner and with its rights, then take its name."""
    new = target.with_name(f".{target.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    was = target.stat()
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            if (was.st_uid, was.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), was.st_uid, was.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(was.st_mode))
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(target)
    finally:
        new.unlink(missing_ok=True)
    synced_folder(target)


def synced_folder(path: Path) -> None:
    """Have the name of a file on the disk as well, not its content only."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _indent_of(text: str) -> int | None:
    found = re.match(r"\{\n( +)", text)
    return len(found[1]) if found else None
