"""The tree in tiles against the RFC's own recursive definition, and against the public known answers."""

import hashlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.audit.merkle import (
    Growth,
    NotInTree,
    Tile,
    TileDamaged,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    root,
)
from tests.unit.sdk.vectors import document

EIGHT, LARGE = document("merkle.json")["trees"]
LEAVES_OF_EIGHT = [bytes.fromhex(data) for data in EIGHT["leaves"]]
LEAVES = [number.to_bytes(2, "big") for number in range(600)]
HASHES = [leaf_hash(data) for data in LEAVES]

# The inputs and roots on which implementations of RFC 6962 and 9162 test themselves (sizes 1 to 8).
KNOWN_LEAVES = [
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
]  # fmt: skip
KNOWN_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


class Store:
    """Tiles as an archive keeps them: a later one in place of what was there."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.reads: list[tuple[int, int]] = []
        self.size = 0

    def read(self, level: int, number: int) -> bytes:
        self.reads.append((level, number))
        return self.tiles[level, number]

    def grow(self, leaves: Iterable[bytes]) -> list[Tile]:
        growth = Growth(size=self.size, leaves=leaves, read=self.read)
        made = list(growth)
        self.tiles |= {(tile.level, tile.number): tile.hashes for tile in made}
        self.size = growth.size
        return made


def grown(leaves: Iterable[bytes]) -> Store:
    store = Store()
    store.grow(leaves)
    return store


ALL = grown(HASHES)


def mth(hashes: Sequence[bytes]) -> bytes:
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = split(len(hashes))
    return hashlib.sha256(b"\x01" + mth(hashes[:k]) + mth(hashes[k:])).digest()


def path(m: int, hashes: Sequence[bytes]) -> list[bytes]:
    if len(hashes) == 1:
        return []
    k = split(len(hashes))
    return [*path(m, hashes[:k]), mth(hashes[k:])] if m < k else [*path(m - k, hashes[k:]), mth(hashes[:k])]


def subproof(m: int, hashes: Sequence[bytes], *, complete: bool) -> list[bytes]:
    if m == len(hashes):
        return [] if complete else [mth(hashes)]
    k = split(len(hashes))
    if m <= k:
        return [*subproof(m, hashes[:k], complete=complete), mth(hashes[k:])]
    return [*subproof(m - k, hashes[k:], complete=False), mth(hashes[:k])]


def split(n: int) -> int:
    return max(1 << power for power in range(10) if 1 << power < n)


sizes = st.integers(0, 600) | st.sampled_from([0, 1, 2, 255, 256, 257, 511, 512, 513])


def test_leaves_and_nodes_are_told_apart_by_their_first_byte() -> None:
    assert leaf_hash(b"abc") == hashlib.sha256(b"\x00abc").digest()
    assert node_hash(b"l" * 32, b"r" * 32) == hashlib.sha256(b"\x01" + b"l" * 32 + b"r" * 32).digest()


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert root(size=0, read=Store().read).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert Store().grow([]) == []


def test_the_eight_leaf_tree_has_the_roots_all_implementations_know() -> None:
    assert EIGHT["leaves"] == KNOWN_LEAVES
    store = grown(leaf_hash(data) for data in LEAVES_OF_EIGHT)
    assert [root(size=size, read=store.read).hex() for size in range(1, 9)] == KNOWN_ROOTS
    assert [row["root"] for row in EIGHT["roots"]][1:] == KNOWN_ROOTS


def test_known_paths_of_the_eight_leaf_tree() -> None:
    """The cases that transparency logs publish, spelt with the hashes of the tree's own leaves and roots."""
    store = grown(leaf_hash(data) for data in LEAVES_OF_EIGHT)
    leaf = [leaf_hash(data) for data in LEAVES_OF_EIGHT]
    four = bytes.fromhex(KNOWN_ROOTS[3])
    assert [h.hex() for h in inclusion_path(index=0, size=8, read=store.read)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    assert inclusion_path(index=5, size=8, read=store.read) == [leaf[4], node_hash(leaf[6], leaf[7]), four]
    assert inclusion_path(index=2, size=3, read=store.read) == [node_hash(leaf[0], leaf[1])]
    assert inclusion_path(index=1, size=5, read=store.read) == [leaf[0], node_hash(leaf[2], leaf[3]), leaf[4]]
    assert consistency_path(old_size=2, size=5, read=store.read) == [node_hash(leaf[2], leaf[3]), leaf[4]]
    assert consistency_path(old_size=6, size=8, read=store.read) == [
        node_hash(leaf[4], leaf[5]),
        node_hash(leaf[6], leaf[7]),
        four,
    ]


@pytest.mark.parametrize(("tree", "leaves"), [(EIGHT, LEAVES_OF_EIGHT), (LARGE, LEAVES[:300])], ids=["8", "300"])
def test_the_published_vectors_come_out(tree: dict[str, Any], leaves: list[bytes]) -> None:
    read = grown(map(leaf_hash, leaves)).read
    for row in tree["roots"]:
        assert root(size=row["size"], read=read).hex() == row["root"]
    for row in tree["inclusion"]:
        found = inclusion_path(index=row["index"], size=row["size"], read=read)
        assert [h.hex() for h in found] == row["path"]
    for row in tree["consistency"]:
        found = consistency_path(old_size=row["old_size"], size=row["size"], read=read)
        assert [h.hex() for h in found] == row["path"]


def test_every_size_has_the_root_of_the_definition_also_when_more_leaves_came() -> None:
    for size in range(601):
        assert root(size=size, read=ALL.read) == mth(HASHES[:size])


@given(st.data(), sizes.filter(bool))
def test_inclusion_paths_are_those_of_the_definition(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    assert inclusion_path(index=index, size=size, read=ALL.read) == path(index, HASHES[:size])


@given(st.data(), sizes.filter(bool))
def test_consistency_paths_are_those_of_the_definition(data: st.DataObject, size: int) -> None:
    old_size = data.draw(st.integers(1, size))
    expected = subproof(old_size, HASHES[:size], complete=True)
    assert consistency_path(old_size=old_size, size=size, read=ALL.read) == expected


@given(st.lists(sizes, max_size=6))
def test_growing_in_pieces_ends_with_the_same_tiles_as_at_once(ends: list[int]) -> None:
    store = Store()
    for begin, end in pairwise([0, *sorted(ends)]):
        before = dict(store.tiles)
        made = store.grow(iter(HASHES[begin:end]))
        assert store.size == end
        assert all(before.get(tile[:2]) != tile.hashes for tile in made), "only what is new or changed"
        assert all(store.tiles[at].startswith(hashes) for at, hashes in before.items()), "tiles only grow"
    assert store.tiles == grown(HASHES[: store.size]).tiles


@settings(deadline=None, max_examples=5)
@given(st.integers(65_300, 66_100))
def test_a_third_level_comes_at_65536_leaves(size: int) -> None:
    """The hash of one repeated leaf makes whole subtrees equal, so the definition is quick to follow here, too."""
    leaf = HASHES[0]
    store = grown(leaf for _ in range(size))
    assert {level for level, _ in store.tiles} == ({0, 1, 2} if size >= 65_536 else {0, 1})
    tops = [leaf]
    for _ in range(16):
        tops.append(node_hash(tops[-1], tops[-1]))
    expected: bytes | None = None
    for height in (height for height in range(17) if size >> height & 1):
        expected = tops[height] if expected is None else node_hash(tops[height], expected)
    assert root(size=size, read=store.read) == expected


def test_a_growth_that_died_midway_is_done_again_from_the_old_size() -> None:
    store = grown(HASHES[:300])
    dying = iter(Growth(size=300, leaves=HASHES[300:], read=store.read))
    tile = next(dying)
    store.tiles[tile.level, tile.number] = tile.hashes
    store.grow(HASHES[300:])
    assert store.tiles == ALL.tiles


def test_a_proof_reads_a_few_tiles_only() -> None:
    store = grown(HASHES[0] for _ in range(66_000))
    store.reads.clear()
    inclusion_path(index=1000, size=66_000, read=store.read)
    assert len(store.reads) <= 2 * 3
    store.reads.clear()
    consistency_path(old_size=40_001, size=66_000, read=store.read)
    assert len(store.reads) <= 2 * 3


def test_leaves_are_taken_as_tiles_fill_never_all_at_once() -> None:
    taken = 0

    def leaves() -> Iterable[bytes]:
        nonlocal taken
        for leaf in HASHES:
            taken += 1
            yield leaf

    next(iter(Growth(size=0, leaves=leaves(), read=Store().read)))
    assert taken == 256


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_a_leaf_that_is_not_there_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(NotInTree, match="has no leaf"):
        inclusion_path(index=index, size=size, read=ALL.read)


def test_a_later_size_is_no_earlier_one() -> None:
    with pytest.raises(NotInTree, match="had never 6"):
        consistency_path(old_size=6, size=5, read=ALL.read)


def test_every_size_is_consistent_with_itself_and_with_the_empty_tree_without_a_word() -> None:
    assert consistency_path(old_size=600, size=600, read=ALL.read) == []
    assert consistency_path(old_size=0, size=600, read=ALL.read) == []


def test_a_tile_cut_short_is_found_by_whoever_needs_the_missing_part() -> None:
    store = grown(HASHES[:300])
    store.tiles[0, 1] = store.tiles[0, 1][:-1]
    with pytest.raises(TileDamaged, match="Tile 1 of level 0"):
        root(size=300, read=store.read)
    with pytest.raises(TileDamaged, match="Tile 1 of level 0"):
        store.grow(HASHES[300:])
    assert root(size=256, read=store.read) == mth(HASHES[:256])


def test_data_given_for_hashes_is_refused() -> None:
    with pytest.raises(TileDamaged, match="leaf_hash"):
        grown([b"not a hash"])
