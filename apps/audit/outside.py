"""What of the log is kept outside the database: its checkpoints and its leaves, in a folder that only ever grows.

`checkpoints` has the signed notes, one after another, `leaves` the leaves' hashes, 32 bytes each. Whoever can write the
database cannot write here: put the folder on another host, or on a medium that is written once.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from apps.audit.merkle import HASH_BYTES
from apps.audit.notes import DASH, ORIGIN
from apps.kernel.errors import KanpuError

CHECKPOINTS: Final = "checkpoints"
LEAVES: Final = "leaves"
PUBLIC_KEY: Final = "public.pem"
TAIL_BYTES: Final = 4_096  # more than a few notes
SIGNATURE_LINE: Final = re.compile(f"{DASH} {ORIGIN} [A-Za-z0-9+/]+=*\n\n".encode())


class KeyMissing(KanpuError):
    """There is no key to sign or to check checkpoints with."""

    code = "audit_key_missing"


class OutsideCut(KanpuError):
    """The folder has fewer leaves than the log: it was cut, or is another log's."""

    code = "audit_files_cut"


def signing_key(path: Path) -> Ed25519PrivateKey:
    """The key that signs checkpoints, from its PEM file. Raises KeyMissing."""
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError as error:
        raise KeyMissing(f"There is no key at {path}: `manage.py sequence_audit_log --make-key` makes one.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyMissing(f"{path} is no Ed25519 key.")
    return key


def make_key(path: Path) -> None:
    """A new signing key at `path`, readable by its owner alone, if there is none."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)


def public_key(folder: Path) -> Ed25519PublicKey:
    """The key that checks the folder's checkpoints. Raises KeyMissing."""
    try:
        key = load_pem_public_key((folder / PUBLIC_KEY).read_bytes())
    except FileNotFoundError as error:
        raise KeyMissing(f"There is no {PUBLIC_KEY} in {folder}: no checkpoint was written yet.") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyMissing(f"{folder / PUBLIC_KEY} is no Ed25519 key.")
    return key


def public_pem(key: Ed25519PublicKey) -> str:
    """The key as PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def keep_public_key(folder: Path, key: Ed25519PrivateKey) -> None:
    """Put the public key beside what it checks."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder / PUBLIC_KEY).exists():
        (folder / PUBLIC_KEY).write_text(public_pem(key.public_key()))


def kept_leaves(folder: Path) -> int:
    """How many leaves are kept whole."""
    path = folder / LEAVES
    return path.stat().st_size // HASH_BYTES if path.exists() else 0


def append_leaves(folder: Path, first: int, leaves: bytes) -> None:
    """Keep leaves from position `first` on, on the disk when it returns; those kept before stay. Raises OutsideCut."""
    kept = kept_leaves(folder)
    if kept < first:
        raise OutsideCut(f"{folder / LEAVES} has {kept} leaves where the log has {first}: restore it before going on.")
    new = leaves[(kept - first) * HASH_BYTES :]
    with (folder / LEAVES).open("ab") as file:
        file.truncate(kept * HASH_BYTES)  # what a death left half written
        file.write(new)
        os.fsync(file.fileno())


def append_checkpoint(folder: Path, note: str) -> None:
    """Keep a checkpoint, on the disk when it returns, in place of what a death left half written."""
    with (folder / CHECKPOINTS).open("ab") as file:
        file.truncate(_end_of_whole_notes(folder))
        file.write(f"{note}\n".encode())
        file.flush()
        os.fsync(file.fileno())


def last_note(folder: Path) -> str | None:
    """The last checkpoint that was kept whole."""
    end = _end_of_whole_notes(folder)
    if end == 0:
        return None
    with (folder / CHECKPOINTS).open("rb") as file:
        file.seek(max(0, end - TAIL_BYTES))
        tail = file.read(end - file.tell()).decode(errors="replace")
    return tail[tail.rindex(f"{ORIGIN}\n") :].rstrip("\n") + "\n"


def _end_of_whole_notes(folder: Path) -> int:
    path = folder / CHECKPOINTS
    if not path.exists():
        return 0
    start = max(0, path.stat().st_size - TAIL_BYTES)
    with path.open("rb") as file:
        file.seek(start)
        ends = [found.end() for found in SIGNATURE_LINE.finditer(file.read())]
    return start + ends[-1] if ends else start


def kept_notes(folder: Path) -> Iterator[str]:
    """The checkpoints in the order in which they were kept; what a death left half written is left out."""
    path = folder / CHECKPOINTS
    lines: list[str] = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
        if line == "" and lines and lines[-1].startswith(DASH):
            yield "\n".join(lines) + "\n"
            lines = []
        else:
            lines.append(line)


def read_leaves(folder: Path, first: int, count: int) -> list[bytes]:
    """Kept leaves from position `first` on, at most `count`."""
    path = folder / LEAVES
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(first * HASH_BYTES)
        data = file.read(count * HASH_BYTES)
    return [data[at : at + HASH_BYTES] for at in range(0, len(data) - HASH_BYTES + 1, HASH_BYTES)]
