"""What must hold of a statement: each check says whether it does, and what it looked at. Exact; nothing is rounded."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from kanpu_verify.merkle import EMPTY_ROOT, verify_consistency, verify_inclusion
from kanpu_verify.statement import Statement, Tree, leaf


@dataclass(frozen=True, slots=True)
class Finding:
    """One check by its name: `holds` is None when it is a note only. `values` go into its words."""

    name: str
    holds: bool | None
    values: Mapping[str, object] = field(default_factory=dict)


def findings(statement: Statement, root: bytes | None = None) -> list[Finding]:
    """Return every check of a statement; `root` is the published one, 32 bytes, when the user has it."""
    return [
        _due(statement),
        _arithmetic(statement),
        _inclusion(statement),
        *_earlier(statement),
        _root(statement, root),
        Finding("not_covered", None),
    ]


def _due(statement: Statement) -> Finding:
    holds = statement.due_minor == statement.entitled_minor - statement.earlier_minor
    values = {
        "entitled": statement.entitled_minor,
        "earlier": statement.earlier_minor,
        "due": statement.due_minor,
    }
    return Finding("due", holds, values)


def _arithmetic(statement: Statement) -> Finding:
    """The lines make the amount: checked where one cap of the year, for one person, is all that may have cut it."""
    cuts = statement.cuts
    if any(line.base_minor is not None for line in statement.lines) or len(cuts) > 1:
        return Finding("arithmetic_left_out", None)
    if not all(cut.is_of_one_person_and_year for cut in cuts):
        return Finding("arithmetic_left_out", None)
    total = sum((line.spend_minor * line.share for line in statement.lines), Fraction(0))
    values = {"total": total, "entitled": statement.entitled_minor}
    if not cuts:  # a refund is never below 0
        return Finding("arithmetic", _is_near(max(total, Fraction(0)), statement.entitled_minor), values)
    before, after = (Fraction(part, statement.denominator) for part in (cuts[0].before, cuts[0].after))
    holds = total == before and _is_near(after, statement.entitled_minor)
    return Finding("arithmetic_cut", holds, {**values, "before": before, "after": after})


def _is_near(exact: Fraction, amount_minor: int) -> bool:
    return abs(exact - amount_minor) <= 1  # the schemes' rounding rules differ, never by more


def _inclusion(statement: Statement) -> Finding:
    holds = verify_inclusion(
        leaf=leaf(statement),
        index=statement.leaf_index,
        size=statement.tree_size,
        path=statement.path,
        root=statement.root,
    )
    return Finding("inclusion", holds, {"number": statement.leaf_index + 1, "size": statement.tree_size})


def _earlier(statement: Statement) -> Iterator[Finding]:
    if statement.run > 1 or statement.earlier:
        yield Finding("order", _is_in_order(statement), {"run": statement.run})
    for tree in statement.earlier:
        values = {"run": tree.run, "old_size": tree.size, "size": statement.tree_size, "root": tree.root.hex()}
        yield Finding("consistency", _is_consistent(tree, statement), values)


def _is_in_order(statement: Statement) -> bool:
    """Runs are counted from 1, none left out before this one, and its leaves follow those of the run before."""
    trees = statement.earlier
    if [tree.run for tree in trees] != list(range(1, len(trees) + 1)) or len(trees) < statement.run - 1:
        return False
    if any(tree.size > after.size for tree, after in pairwise(trees)):
        return False
    return all((statement.leaf_index < tree.size) == (tree.run >= statement.run) for tree in trees)


def _is_consistent(tree: Tree, statement: Statement) -> bool:
    if tree.size == 0:
        return tree.root == EMPTY_ROOT and not tree.path
    return verify_consistency(
        old_size=tree.size,
        size=statement.tree_size,
        old_root=tree.root,
        root=statement.root,
        path=tree.path,
    )


def _root(statement: Statement, root: bytes | None) -> Finding:
    values = {"root": statement.root.hex(), "size": statement.tree_size, "year": statement.year}
    if root is None:
        return Finding("root_to_compare", None, values)
    return Finding("root", statement.root == root, {**values, "published": root.hex()})
