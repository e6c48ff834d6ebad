"""Reading a year's Merkle tree: tiles, a refund's place, and the proofs that go with a statement."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Max

from apps.audit import merkle
from apps.refunds.leaves import salt
from apps.refunds.models import EFFECTIVE, Refund, Run, Tile
from apps.refunds.queries.runs import effective_before


def tile_reader(year: int) -> merkle.ReadTile:
    """Reads a year's tiles, one query each."""

    def read(level: int, number: int) -> bytes:
        found = Tile.objects.filter(tax_year=year, level=level, number=number).values_list("hashes", flat=True).first()
        return bytes(found or b"")

    return read


def tree_size_before(run: Run) -> int:
    """How many leaves the year's approved earlier runs have: one query."""
    earlier = Run.objects.filter(tax_year_id=run.tax_year_id, number__lt=run.number, state__in=EFFECTIVE)
    return earlier.aggregate(size=Max("tree_size"))["size"] or 0


def leaf_index(run: Run, resident_ref: UUID) -> int:
    """The place, from 0, of a resident's leaf of this run in the year's tree: two queries, at most a tile's rows."""
    first = run.tree_size - run.statements
    refunds = Refund.objects.filter(tax_year=run.tax_year_id, run=run.number)
    tile = (
        Tile.objects.filter(tax_year=run.tax_year_id, level=0, run=run.number, first_ref__lte=resident_ref)
        .order_by("-number")
        .values_list("number", "first_ref")
        .first()
    )
    if tile is None:  # the run's first leaves fill up a tile that an earlier run began
        return first + refunds.filter(resident_ref__lt=resident_ref).count()
    number, first_ref = tile
    before = refunds.filter(resident_ref__gte=first_ref, resident_ref__lt=resident_ref).count()
    return max(first, number * merkle.TILE_HASHES) + before


def proof_of(run: Run, resident_ref: UUID) -> Mapping[str, Any]:
    """What shows that a refund is in the run's tree, and that the tree holds the earlier runs' as they were."""
    read = tile_reader(run.tax_year_id)
    index = leaf_index(run, resident_ref)
    return {
        "salt": salt(bytes(run.secret), resident_ref).hex(),
        "leaf_index": index,
        "tree_size": run.tree_size,
        "root": run.root,
        "path": _hex(merkle.inclusion_path(index=index, size=run.tree_size, read=read)),
        "earlier": [_consistency(run, tree, read) for tree in trees_before(run)],
    }


class Tree(NamedTuple):
    """The year's tree as a run left it; `root` in hex."""

    run: int
    size: int
    root: str


def trees_before(run: Run) -> list[Tree]:
    """The tree after every earlier run of the year: one query. A withdrawn run left it as it was."""
    approved = {earlier.number: earlier for earlier in effective_before(run)}
    trees: list[Tree] = []
    size, root = 0, merkle.EMPTY_ROOT.hex()
    for number in range(1, run.number):
        if number in approved:
            size, root = approved[number].tree_size, approved[number].root
        trees.append(Tree(number, size, root))
    return trees


def _consistency(run: Run, tree: Tree, read: merkle.ReadTile) -> Mapping[str, Any]:
    path = merkle.consistency_path(old_size=tree.size, size=run.tree_size, read=read)
    return {"run": tree.run, "tree_size": tree.size, "root": tree.root, "path": _hex(path)}


def _hex(path: list[bytes]) -> list[str]:
    return [node.hex() for node in path]
