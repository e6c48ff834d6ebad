"""`merkle.json`: trees of RFC 9162 with their roots, inclusion paths and consistency paths.

Made here as the RFC defines them, by recursion over all the leaves: slow, and nothing to get wrong.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

# The inputs of the eight-leaf tree on which implementations of RFC 6962 and 9162 test themselves.
EIGHT_LEAVES: Final = tuple(
    bytes.fromhex(data)
    for data in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
)  # fmt: skip
LARGE_SIZE: Final = 300
LARGE_SIZES: Final = (1, 128, 255, 256, 257, 299, 300)
LARGE_INDICES: Final = (0, 127, 254, 255, 256, 298, 299)


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\x00" + data).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return MTH of these leaves' data (2.1.1)."""
    if len(leaves) < 2:
        return leaf_hash(leaves[0]) if leaves else hashlib.sha256().digest()
    k = _split(len(leaves))
    return hashlib.sha256(b"\x01" + root(leaves[:k]) + root(leaves[k:])).digest()


def inclusion(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Return PATH(m, D_n) (2.1.3.1)."""
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if m < k:
        return [*inclusion(m, leaves[:k]), root(leaves[k:])]
    return [*inclusion(m - k, leaves[k:]), root(leaves[:k])]


def consistency(m: int, leaves: Sequence[bytes], *, known: bool = True) -> list[bytes]:
    """Return PROOF(m, D_n), that is SUBPROOF(m, D_n, true) (2.1.4.1)."""
    if m == len(leaves):
        return [] if known else [root(leaves)]
    k = _split(len(leaves))
    if m <= k:
        return [*consistency(m, leaves[:k], known=known), root(leaves[k:])]
    return [*consistency(m - k, leaves[k:], known=False), root(leaves[:k])]


def merkle_document() -> dict[str, Any]:
    """Return `merkle.json`."""
    large = [number.to_bytes(2, "big") for number in range(LARGE_SIZE)]
    return {
        "about": "Merkle trees of RFC 9162 with SHA-256, all bytes in hex. `roots` are those of the first `size` "
        "leaves. `inclusion` is the path from leaf `index` (from 0) to the root of `size` leaves, `consistency` the "
        "one from the root of `old_size` leaves. In the second tree, leaf n is the number n in two bytes, high one "
        "first.",
        "trees": [
            {"leaves": _hex(EIGHT_LEAVES), **_tree(EIGHT_LEAVES, sizes=range(9), indices=range(8))},
            _tree(large, sizes=LARGE_SIZES, indices=LARGE_INDICES),
        ],
    }


def _tree(leaves: Sequence[bytes], *, sizes: Sequence[int], indices: Sequence[int]) -> dict[str, Any]:
    return {
        "roots": [{"size": size, "root": root(leaves[:size]).hex()} for size in sizes],
        "inclusion": [
            {"index": index, "size": size, "path": _hex(inclusion(index, leaves[:size]))}
            for size in sizes
            for index in indices
            if index < size
        ],
        "consistency": [
            {"old_size": old_size, "size": size, "path": _hex(consistency(old_size, leaves[:size]))}
            for size in sizes
            for old_size in sizes
            if 0 < old_size <= size
        ],
    }


def _hex(hashes: Sequence[bytes]) -> list[str]:
    return [data.hex() for data in hashes]


def _split(n: int) -> int:
    """Return k, the largest power of two below n."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k
