"""Files of secrets: new ones, for their owner only."""

from pathlib import Path

from apps.kernel.errors import KanpuError
from apps.residents.keyring import write_private


class FileExists(KanpuError):
    """A file of secrets is never written over."""

    code = "file_exists"


def write_once(path: Path, text: str) -> None:
    """Write a file that only its owner reads. Raises FileExists."""
    try:
        write_private(path, text)
    except FileExistsError:
        raise FileExists(f"{path} is there already and holds secrets: move it away or name another file.") from None
