"""The two proofs of a Merkle tree (RFC 9162), from the verifier's side. Hashes are 32 bytes."""

import hashlib
from collections.abc import Sequence
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256().digest()


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf (2.1.1)."""
    return hashlib.sha256(b"\x00" + data).digest()


def verify_inclusion(*, leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Return whether the leaf with this hash is number `index`, from 0, of the `size` leaves under `root` (2.1.3.2)."""
    if not 0 <= index < size or not _are_hashes([leaf, *path]):
        return False
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def verify_consistency(*, old_size: int, size: int, old_root: bytes, root: bytes, path: Sequence[bytes]) -> bool:
    """Return whether the leaves under `old_root` are the first `old_size` of those under `root` (2.1.4.2).

    Of an empty old tree nothing can be said, so that is false.
    """
    if not 0 < old_size <= size or not _are_hashes(path):
        return False
    if old_size == size:
        return not path and old_root == root
    hashes = list(path) if old_size & (old_size - 1) else [old_root, *path]
    if not path:
        return False
    fn, sn = old_size - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = hashes[0]
    for c in hashes[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == old_root and sr == root


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node with these two below it (2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def _are_hashes(hashes: Sequence[bytes]) -> bool:
    return all(len(data) == HASH_BYTES for data in hashes)
