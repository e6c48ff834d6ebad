"""Files of secrets: new ones, for their owner only."""

import os
from pathlib import Path
from typing import Final

from apps.kernel.errors import KanpuError
from apps.residents.keyring import write_private

PART: Final = ".part"  # of a file's name until it is whole


class FileExists(KanpuError):
    """A file of secrets is never written over."""

    code = "file_exists"


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
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
