"""Signed checkpoints as notes: text, an empty line, a signature line (C2SP signed-note and tlog-checkpoint). Pure.

kanpu/audit
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— kanpu/audit Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
"""

import base64
import binascii
import hashlib
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from apps.kernel.errors import KanpuError

ORIGIN: Final = "kanpu/audit"
ED25519: Final = b"\x01"
KEY_HASH_BYTES: Final = 4
DASH: Final = "\N{EM DASH}"


class NoteWrong(KanpuError):
    """A checkpoint's note is not in its form, or its signature is not the key's."""

    code = "note_wrong"


class Head(NamedTuple):
    """A log's size and the root of its tree."""

    size: int
    root: bytes


def signed_note(head: Head, key: Ed25519PrivateKey) -> str:
    """The checkpoint of a log, signed."""
    text = _text(head)
    signature = base64.b64encode(_key_hash(key.public_key()) + key.sign(text.encode())).decode()
    return f"{text}\n{DASH} {ORIGIN} {signature}\n"


def read_note(note: str, key: Ed25519PublicKey) -> Head:
    """What a checkpoint says, once its signature holds. Raises NoteWrong."""
    text, _, signature = note.partition("\n\n")
    try:
        origin, size, root = text.split("\n")
        dash, name, encoded = signature.strip().split(" ")
        head = Head(int(size), base64.b64decode(root, validate=True))
        signed = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise NoteWrong("The checkpoint is not in its form.") from error
    if (origin, dash, name) != (ORIGIN, DASH, ORIGIN) or _text(head) != text + "\n":
        raise NoteWrong("The checkpoint is not one of this log, or not in its form.")
    if signed[:KEY_HASH_BYTES] != _key_hash(key):
        raise NoteWrong("The checkpoint was signed with another key.")
    try:
        key.verify(signed[KEY_HASH_BYTES:], _text(head).encode())
    except InvalidSignature as error:
        raise NoteWrong("The checkpoint's signature is wrong.") from error
    return head


def _text(head: Head) -> str:
    return f"{ORIGIN}\n{head.size}\n{base64.b64encode(head.root).decode()}\n"


def _key_hash(key: Ed25519PublicKey) -> bytes:
    return hashlib.sha256(ORIGIN.encode() + b"\n" + ED25519 + key.public_bytes_raw()).digest()[:KEY_HASH_BYTES]
