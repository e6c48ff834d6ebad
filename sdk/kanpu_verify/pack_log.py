"""What must hold of a pack's part of the audit log: each entry is in the log that the signed checkpoint is of."""

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from kanpu_verify.checks import Finding
from kanpu_verify.ed25519 import verify
from kanpu_verify.merkle import leaf_hash, verify_inclusion
from kanpu_verify.pack import Pack

ORIGIN: Final = "kanpu/audit"
DASH: Final = "\N{EM DASH}"
SPKI: Final = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: an Ed25519 key follows


class Checkpoint(NamedTuple):
    """The log's size and root, and the note that says so with its signature."""

    size: int
    root: bytes
    text: bytes
    key_hash: bytes
    signature: bytes


def log(pack: Pack) -> Iterator[Finding]:
    """The entries' proofs, the checkpoint's signature, and that the log has the digest that was signed."""
    rows = list(pack.rows("log/events.jsonl"))
    if "log/checkpoint.txt" not in pack.members:
        yield Finding("pack_log_unsigned", None, {"events": len(rows)})
        return
    checkpoint = _checkpoint(pack.data("log/checkpoint.txt"))
    placed = [row for row in rows if row["position"] is not None]
    wrong = [str(row["position"]) for row in placed if not _is_in(row, checkpoint)]
    yield Finding(
        "pack_log", not wrong, {"events": len(placed), "size": checkpoint.size, "wrong": ", ".join(wrong[:5])}
    )
    if len(placed) < len(rows):
        yield Finding("pack_log_later", None, {"events": len(rows) - len(placed)})
    yield _signed(pack, checkpoint)
    if pack.kind != "case" and (digests := _digests(placed)):
        digest = pack.document("run.json")["digest"]
        yield Finding("pack_log_digest", digests[-1] == digest, {"digest": digest})


def _is_in(row: Any, checkpoint: Checkpoint) -> bool:
    return verify_inclusion(
        leaf=leaf_hash(row["data"].encode()),
        index=row["position"],
        size=checkpoint.size,
        path=[bytes.fromhex(node) for node in row["inclusion"]],
        root=checkpoint.root,
    )


def _digests(rows: list[Any]) -> list[str]:
    """The digests that the log says were found by a verification, the last one last."""
    events = [json.loads(row["data"])[1] for row in rows]
    return [event["detail"]["digest"] for event in events if event["action"] == "run.verify"]


def _signed(pack: Pack, checkpoint: Checkpoint) -> Finding:
    if "log/key.pem" not in pack.members:
        return Finding("pack_checkpoint_unchecked", None)
    key = _key(pack.data("log/key.pem"))
    named = hashlib.sha256(ORIGIN.encode() + b"\n\x01" + key).digest()[:4] == checkpoint.key_hash
    holds = named and verify(public_key=key, signature=checkpoint.signature, message=checkpoint.text)
    return Finding("pack_checkpoint", holds, {"size": checkpoint.size, "key": key.hex()})


def _checkpoint(note: bytes) -> Checkpoint:
    """Read a signed note (C2SP). Raises ValueError."""
    text, _, line = note.decode().partition("\n\n")
    origin, size, root = text.split("\n")
    dash, name, encoded = line.strip().split(" ")
    signed = base64.b64decode(encoded, validate=True)
    if (origin, dash, name) != (ORIGIN, DASH, ORIGIN):
        raise ValueError("not a checkpoint of this log")
    return Checkpoint(int(size), base64.b64decode(root, validate=True), f"{text}\n".encode(), signed[:4], signed[4:])


def _key(pem: bytes) -> bytes:
    lines = pem.decode("ascii").strip().split("\n")
    der = base64.b64decode("".join(lines[1:-1]), validate=True)
    if lines[0] != "-----BEGIN PUBLIC KEY-----" or der[: len(SPKI)] != SPKI or len(der) != len(SPKI) + 32:
        raise ValueError("not an Ed25519 key")
    return der[len(SPKI) :]
