"""A Merkle tree (RFC 9162, section 2.1) that is kept in tiles and only ever grows. Pure.

A leaf is SHA-256(0x00 ‖ data), a node SHA-256(0x01 ‖ left ‖ right). Tile (level, number) holds up to 256 consecutive
hashes, 32 bytes each, of the tree's height 8 × level: leaves at level 0, and at every other level the tops of the full
tiles below. Only the last tile of a level may be partial; a growing tree fills it up and changes nothing else. So the
tiles of today also give the roots and proofs of every earlier size.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

from apps.kernel.errors import KanpuError

HASH_BYTES: Final = 32
TILE_HEIGHT: Final = 8
TILE_HASHES: Final = 2**TILE_HEIGHT
EMPTY_ROOT: Final = hashlib.sha256().digest()

# Reads the hashes of tile (level, number); what it holds beyond the size asked about is left out here.
ReadTile: TypeAlias = Callable[[int, int], bytes]


class TileDamaged(KanpuError):
    """A kept tile holds fewer hashes than a tree of that size has there, or a new leaf hash is not 32 bytes."""

    code = "tile_damaged"


class NotInTree(KanpuError):
    """A proof was asked for of a leaf, or an earlier size, that the tree does not have."""

    code = "not_in_tree"


class Tile(NamedTuple):
    """A tile to keep, in place of what is kept of it: `hashes` is 1 to 256 hashes of 32 bytes, one after another."""

    level: int
    number: int
    hashes: bytes


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node with these two below it (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class _Edge:
    """The last tile of a level while the tree grows; empty when the tiles before it are full."""

    number: int
    hashes: bytearray
    is_changed: bool = False


@dataclass(slots=True, kw_only=True)
class Growth:
    """The tiles that new leaf hashes make or change: iterate once, and keep each tile as it comes.

    `size` is the number of leaves before, and after the iteration the number there is then. `leaves` are read as they
    are needed, so memory stays flat. The tree's own tiles, at most one a level, come from `read`; they may hold more
    than `size` says, so a growth that died midway is just done again. Raises TileDamaged.
    """

    size: int
    leaves: Iterable[bytes]
    read: ReadTile
    _edges: list[_Edge] = field(default_factory=list, init=False)

    def __iter__(self) -> Iterator[Tile]:
        """Yield every full tile when it is full, then the partial ones that changed, leaves first."""
        self._edges = _right_edge(self.size, self.read)
        leaves = iter(self.leaves)
        while new := tuple(islice(leaves, TILE_HASHES - self.size % TILE_HASHES)):
            hashes = b"".join(new)
            if len(hashes) != HASH_BYTES * len(new):
                raise TileDamaged("A leaf hash is not 32 bytes: give leaf_hash(data), not the data.")
            self.size += len(new)
            yield from self._extended(0, hashes)
        for level, edge in enumerate(self._edges):
            if edge.is_changed and edge.hashes:
                yield Tile(level, edge.number, bytes(edge.hashes))

    def _extended(self, level: int, hashes: bytes) -> Iterator[Tile]:
        if level == len(self._edges):
            self._edges.append(_Edge(0, bytearray()))
        edge = self._edges[level]
        edge.hashes += hashes
        edge.is_changed = True
        if len(edge.hashes) == HASH_BYTES * TILE_HASHES:
            full = Tile(level, edge.number, bytes(edge.hashes))
            self._edges[level] = _Edge(edge.number + 1, bytearray())
            yield full
            yield from self._extended(level + 1, _top(full.hashes))


def root(*, size: int, read: ReadTile) -> bytes:
    """The root of the tree of the first `size` leaves (RFC 9162, 2.1.1). Raises TileDamaged."""
    return _subtree(0, size, _once(read))


def inclusion_path(*, index: int, size: int, read: ReadTile) -> list[bytes]:
    """The hashes that lead from leaf `index` (from 0) to the root of the first `size` leaves, lowest first.

    RFC 9162, 2.1.3.1. Raises NotInTree, TileDamaged.
    """
    if not 0 <= index < size:
        raise NotInTree(f"A tree of {size} leaves has no leaf {index}: the first is 0, the last {size - 1}.")
    read = _once(read)
    path = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_subtree(middle, end, read))
            end = middle
        else:
            path.append(_subtree(begin, middle, read))
            begin = middle
    return path[::-1]


def consistency_path(*, old_size: int, size: int, read: ReadTile) -> list[bytes]:
    """The hashes that show that the first `old_size` of `size` leaves are as they were, lowest first.

    RFC 9162, 2.1.4.1; empty when the sizes are the same, or the old tree was empty. Raises NotInTree, TileDamaged.
    """
    if not 0 <= old_size <= size:
        raise NotInTree(f"A tree of {size} leaves had never {old_size}: give an earlier size, from 0 to {size}.")
    read = _once(read)
    path = []
    begin, end = 0, size
    while old_size not in (0, end):
        middle = begin + _split(end - begin)
        if old_size <= middle:
            path.append(_subtree(middle, end, read))
            end = middle
        else:
            path.append(_subtree(begin, middle, read))
            begin = middle
    if begin > 0:  # else it is the old root itself, which the verifier has
        path.append(_subtree(begin, end, read))
    return path[::-1]


def tops(*, size: int, read: ReadTile) -> list[bytes]:
    """The tops of the whole subtrees that the first `size` leaves are made of, largest first: one for each bit of size.

    With them a tree goes on growing without its leaves. Raises TileDamaged.
    """
    read, found, begin = _once(read), [], 0
    for height in reversed(range(size.bit_length())):
        if size >> height & 1:
            found.append(_node(height, begin >> height, read))
            begin += 1 << height
    return found


def _split(count: int) -> int:
    """The largest power of two below `count`: where the RFC splits that many leaves."""
    return 1 << ((count - 1).bit_length() - 1)


def _subtree(begin: int, end: int, read: ReadTile) -> bytes:
    """The RFC's MTH of leaves begin to end: whole subtrees of falling height, put together from the right."""
    top = None
    while end > begin:
        height = ((end - begin) & (begin - end)).bit_length() - 1
        node = _node(height, (end >> height) - 1, read)
        top = node if top is None else node_hash(node, top)
        end -= 1 << height
    return EMPTY_ROOT if top is None else top


def _node(height: int, index: int, read: ReadTile) -> bytes:
    """The top of a whole subtree of 2 ** height leaves, the `index`th from the left: all within one tile."""
    level, above = divmod(height, TILE_HEIGHT)
    number, first = divmod(index << above, TILE_HASHES)
    return _top(_held(read, level, number, first, first + (1 << above)))


def _held(read: ReadTile, level: int, number: int, first: int, end: int) -> bytes:
    hashes = read(level, number)[first * HASH_BYTES : end * HASH_BYTES]
    if len(hashes) != (end - first) * HASH_BYTES:
        raise TileDamaged(f"Tile {number} of level {level} does not hold its first {end} hashes: restore it.")
    return hashes


def _top(hashes: bytes) -> bytes:
    """The top of a subtree over 1, 2, 4 … 256 hashes."""
    sha256 = hashlib.sha256
    while len(hashes) > HASH_BYTES:
        pairs = range(0, len(hashes), 2 * HASH_BYTES)
        hashes = b"".join([sha256(b"\x01" + hashes[at : at + 2 * HASH_BYTES]).digest() for at in pairs])
    return hashes


def _right_edge(size: int, read: ReadTile) -> list[_Edge]:
    edges = []
    level = 0
    while count := size >> (TILE_HEIGHT * level):
        number, held = divmod(count, TILE_HASHES)
        edges.append(_Edge(number, bytearray(_held(read, level, number, 0, held) if held else b"")))
        level += 1
    return edges


def _once(read: ReadTile) -> ReadTile:
    """Read each tile once for the same proof: neighbouring nodes are in the same tiles."""
    tiles: dict[tuple[int, int], bytes] = {}

    def read_once(level: int, number: int) -> bytes:
        if (level, number) not in tiles:
            tiles[level, number] = read(level, number)
        return tiles[level, number]

    return read_once
