"""Files for the bank: outside the database, readable by their owner only, whole or not there."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import IO, Final, TypeVar

from django.conf import settings

from apps.kernel.errors import KanpuError
from apps.payouts.models import Batch
from apps.residents.operations.secret_files import synced_folder

PART: Final = "."  # in front of the name of a file that is not whole, or that the bank must not take yet
READ_AT_ONCE: Final = 1 << 20
Answer = TypeVar("Answer")


class FileChanged(KanpuError):
    """The file is not the one that was made and approved, or is gone."""

    code = "file_changed"


def draft_of(batch: Batch) -> Path:
    """Where a batch's file is until it is sent."""
    return _folder("drafts") / batch.file_name


def outgoing() -> Path:
    """The folder that the bank takes files from."""
    return _folder("outgoing")


def incoming() -> Path:
    """The folder into which the bank puts its results."""
    return _folder("incoming")


def write_draft(batch: Batch, write: Callable[[IO[bytes]], Answer]) -> Answer:
    """Write a batch's file, in place of an earlier one; on disk when this returns."""
    path = draft_of(batch)
    part = path.with_name(PART + path.name)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        answer = write(file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    synced_folder(path)
    return answer


def check_draft(batch: Batch) -> None:
    """Raise FileChanged unless the file is there and has the hash that the batch has."""
    try:
        found = sha256_of(draft_of(batch))
    except FileNotFoundError:
        found = "gone"
    if found != batch.sha256:
        raise FileChanged(f"The file of {batch} is not the one that was made: drop the batch and make it again.")


def lay_ready(batch: Batch) -> None:
    """Copy the file to where the bank takes files from, under a name that the bank leaves alone."""
    part = outgoing() / (PART + batch.file_name)
    with (
        draft_of(batch).open("rb") as draft,
        os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file,
    ):
        shutil.copyfileobj(draft, file, READ_AT_ONCE)
        file.flush()
        os.fsync(file.fileno())
    synced_folder(part)


def hand_over(batch: Batch) -> bool:
    """Give the file that lies ready its name, once; False when it had it before: the bank may have it."""
    part = outgoing() / (PART + batch.file_name)
    try:
        part.rename(outgoing() / batch.file_name)
    except FileNotFoundError:
        return False
    synced_folder(part)
    return True


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder(name: str) -> Path:
    folder: Path = settings.KANPU_PAYOUTS / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
