"""Growing a year's Merkle tree by the refunds of a run, in the order of residents' references."""

from collections.abc import Iterator
from itertools import islice
from typing import Final
from uuid import UUID

from django.db import connection

from apps.audit import merkle
from apps.refunds.models import Refund, Run, Tile
from apps.refunds.queries.proofs import tile_reader, tree_size_before

TILES_AT_ONCE: Final = 1_000


def grow_tree(run: Run) -> tuple[int, bytes]:
    """Add a run's leaves to the year's tree, inside the caller's transaction. Returns the tree's size and root.

    Done again, it makes the same tiles.
    """
    forget_tree(run)  # the leaves may be others than last time, and so the tiles' first residents
    refs: dict[int, UUID] = {}
    growth = merkle.Growth(
        size=tree_size_before(run), leaves=_leaves(run, tree_size_before(run), refs), read=tile_reader(run.tax_year_id)
    )
    tiles = iter(growth)
    while some := list(islice(tiles, TILES_AT_ONCE)):
        _keep(run, some, refs)
    return growth.size, merkle.root(size=growth.size, read=tile_reader(run.tax_year_id))


def forget_tree(run: Run) -> None:
    """Take away the tiles that a run began. What it added to others lies beyond the tree's size and is not read."""
    Tile.objects.filter(tax_year=run.tax_year_id, run=run.number).delete()


def _leaves(run: Run, size: int, refs: dict[int, UUID]) -> Iterator[bytes]:
    """The run's leaves; `refs` gets the resident whose leaf is the run's first in each tile of leaves."""
    rows = Refund.objects.filter(tax_year=run.tax_year_id, run=run.number).order_by("resident_ref")
    for index, (ref, leaf) in enumerate(rows.values_list("resident_ref", "leaf").iterator(chunk_size=10_000), size):
        if index == size or index % merkle.TILE_HASHES == 0:
            refs[index // merkle.TILE_HASHES] = ref
        yield bytes(leaf)


def _keep(run: Run, tiles: list[merkle.Tile], refs: dict[int, UUID]) -> None:
    """Write tiles, in place of what there is of them. A tile that an earlier run began keeps its first resident."""
    rows = [
        (run.tax_year_id, t.level, t.number, t.hashes, run.number, refs.pop(t.number, None) if t.level == 0 else None)
        for t in tiles
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO refunds_tile (tax_year, level, number, hashes, run, first_ref) VALUES (%s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (tax_year, level, number) DO UPDATE SET hashes = excluded.hashes",
            rows,
        )
