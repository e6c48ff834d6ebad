"""Files for the bank: outside the database, readable by their owner only, whole or not there."""

import hashlib
import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Final, TypeVar

from django.conf import settings

from apps.kernel.errors import KanpuError
from apps.payouts.letters.files import letters_sha256
from apps.payouts.models import LETTER, Batch
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


def to_post() -> Path:
    """The folder that the post office takes orders from, and the printer letters."""
    return _folder("to-post")


def from_post() -> Path:
    """The folder into which the post office puts its results."""
    return _folder("from-post")


def write_draft(batch: Batch, write: Callable[[IO[bytes]], Answer]) -> Answer:
    """Write a batch's file, in place of an earlier one; on disk when this returns."""
    return write_private_file(draft_of(batch), write)


def write_private_file(path: Path, write: Callable[[IO[bytes]], Answer]) -> Answer:
    """Write a file for its owner only, in place of an earlier one; on disk when this returns."""
    part = path.with_name(PART + path.name)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        answer = write(file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    synced_folder(path)
    return answer


def paper_of(batch: Batch) -> Path:
    """Where a batch's printed letters are until they are sent."""
    return draft_of(batch).with_suffix(".pdf")


def drafts_of(batch: Batch) -> tuple[Path, ...]:
    """All files of a batch, the one that is acted on last."""
    return (paper_of(batch), draft_of(batch)) if batch.rail == LETTER else (draft_of(batch),)


def check_draft(batch: Batch) -> None:
    """Raise FileChanged unless the file has the hash that the batch has, and letters that which their order has."""
    _check(batch, draft_of(batch), paper_of(batch) if batch.rail == LETTER else None)


def _check(batch: Batch, order: Path, paper: Path | None) -> None:
    try:
        is_same = sha256_of(order) == batch.sha256
        if is_same and paper:
            is_same = sha256_of(paper) == letters_sha256(order.read_text("ascii"))
    except FileNotFoundError:
        is_same = False
    if not is_same:
        raise FileChanged(f"The file of {batch} is not the one that was made: drop the batch and make it again.")


def lay_ready(batch: Batch) -> None:
    """Copy the files to where they are taken from, under names that the bank and the post office leave alone."""
    for path, part in zip(drafts_of(batch), _ready(batch), strict=True):
        with (
            path.open("rb") as draft,
            os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file,
        ):
            shutil.copyfileobj(draft, file, READ_AT_ONCE)
            file.flush()
            os.fsync(file.fileno())
        synced_folder(part)


def lies_ready(batch: Batch) -> bool:
    """Whether all files lie ready: then nobody has taken one of them."""
    return all(part.exists() for part in _ready(batch))


def hand_over(batch: Batch) -> None:
    """Give the files that lie ready their names, once; those that had them before may have been taken.

    They are read once more: what was changed since it was approved is not handed over. Raises FileChanged.
    """
    *papers, order = _ready(batch)
    if order.exists():
        _check(batch, order, papers[0] if papers and papers[0].exists() else None)
    for part in (*papers, order):
        with suppress(FileNotFoundError):
            part.rename(part.with_name(part.name.removeprefix(PART)))
            synced_folder(part)


def forget_ready(batch: Batch) -> None:
    """Delete the files that lie ready, of a batch that was given up."""
    for part in _ready(batch):
        part.unlink(missing_ok=True)


def _ready(batch: Batch) -> list[Path]:
    return [_out(batch) / (PART + path.name) for path in drafts_of(batch)]


def _out(batch: Batch) -> Path:
    return to_post() if batch.rail == LETTER else outgoing()


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _folder(name: str) -> Path:
    folder: Path = settings.KANPU_PAYOUTS / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
