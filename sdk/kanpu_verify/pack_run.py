"""What must hold of a run in a pack: the digest that was signed, the rules, and every refund of the run's own pack."""

import hashlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any, Final

from kanpu_verify.checks import Finding
from kanpu_verify.merkle import EMPTY_ROOT, node_hash
from kanpu_verify.pack import Pack
from kanpu_verify.rules import Line, refund_of, share_on, yearly_cap

DIGESTED: Final = (
    "year", "run", "scheme_sha256", "residents", "refunded", "entitled_minor", "due_minor", "statements", "tree_size",
    "root", "evidence_sha256",
)  # fmt: skip
MOST_NAMED: Final = 5


def figures(pack: Pack, root: bytes | None) -> Iterator[Finding]:
    """The signed digest, the files that were read, the scheme file and its rates."""
    run = pack.document("run.json")
    known = run["figures"]
    lines = "".join(f"{name} {known[name]}\n" for name in DIGESTED)
    digest = hashlib.sha256(f"kanpu run v1\n{lines}".encode()).hexdigest()
    yield Finding("pack_digest", digest == run["digest"] and len(known) == len(DIGESTED), {"digest": digest})
    names = [signature["by"] for signature in run["signatures"]]
    yield Finding("pack_signatures", True if len(set(names)) > 1 else None, {"names": ", ".join(names) or "-"})
    yield _evidence(pack, known)
    yield Finding("pack_rules", pack.sha256("rules/scheme.json") == known["scheme_sha256"])
    yield _shares(pack, run)
    values = {"root": known["root"], "size": known["tree_size"], "year": known["year"]}
    if root is None:
        yield Finding("root_to_compare", None, values)
    else:
        yield Finding("root", known["root"] == root.hex(), {**values, "published": root.hex()})


def lines_of(run: Any) -> tuple[Line, ...]:
    """Return the lines of a run's rules."""
    return tuple(
        Line(line["tier"], line["first_month"], line["last_month"], Fraction(*line["share"])) for line in run["lines"]
    )


def refunds(pack: Pack) -> Iterator[Finding]:
    """Every refund of a run: recomputed from what was spent, added up, and put into the tree again."""
    run, scheme = pack.document("run.json"), pack.document("rules/scheme.json")
    lines, known = lines_of(run), run["figures"]
    tree = Tree(run["tree_before"]["size"], [bytes.fromhex(top) for top in run["tree_before"]["tops"]])
    yield Finding("pack_tree_before", _is_before(tree, run), {"size": tree.size})
    wrong: list[int] = []
    count, due, can_say = 0, 0, yearly_cap(scheme) is not None
    for row in pack.rows("records/refunds.csv"):
        entitled, earlier = int(row["entitled_minor"]), int(row["earlier_minor"])
        spend = [int(part) for part in row["spend_minor"].split()]
        holds = int(row["due_minor"]) == entitled - earlier and int(row["leaf_index"]) == tree.size
        if not holds or (can_say and refund_of(scheme, lines, spend) != entitled):
            wrong.append(int(row["leaf_index"]))
        tree.add(bytes.fromhex(row["leaf"]))
        count, due = count + 1, due + int(row["due_minor"])
    first = ", ".join(map(str, wrong[:MOST_NAMED]))
    name = "pack_refunds" if can_say else "pack_refunds_left_out"
    yield Finding(name, not wrong, {"refunds": count, "wrong": len(wrong), "first": first})
    sums = (count, due) == (known["statements"], known["due_minor"])
    yield Finding("pack_sums", sums, {"refunds": count, "due": due})
    is_root = (tree.root().hex(), tree.size) == (known["root"], known["tree_size"])
    yield Finding("pack_leaves", is_root, {"size": tree.size, "root": tree.root().hex()})


class Tree:
    """A tree that grows leaf by leaf (RFC 9162, 2.1.1): only the tops of its whole subtrees are kept."""

    def __init__(self, size: int, tops: Sequence[bytes]) -> None:
        heights = [height for height in reversed(range(size.bit_length())) if size >> height & 1]
        if len(heights) != len(tops):
            raise ValueError("a tree has a top for each bit of its size")
        self.size = size
        self._tops = dict(zip(heights, tops, strict=True))

    def add(self, leaf: bytes) -> None:
        """One more leaf, by its hash."""
        height = 0
        while height in self._tops:
            leaf, height = node_hash(self._tops.pop(height), leaf), height + 1
        self._tops[height] = leaf
        self.size += 1

    def root(self) -> bytes:
        """Return the root of the leaves so far."""
        found: bytes | None = None
        for height in sorted(self._tops):
            found = self._tops[height] if found is None else node_hash(self._tops[height], found)
        return EMPTY_ROOT if found is None else found


def _is_before(tree: Tree, run: Any) -> bool:
    """Whether the tree stands where the run before left it."""
    earlier = run["earlier"]
    before = (earlier[-1]["size"], earlier[-1]["root"]) if earlier else (0, EMPTY_ROOT.hex())
    return (tree.size, tree.root().hex()) == before


def _evidence(pack: Pack, known: Any) -> Finding:
    files = {row["path"]: row["sha256"] for row in pack.rows("recomputation/evidence.csv")}
    text = "".join(f"{files[path]} {path}\n" for path in sorted(files))
    holds = hashlib.sha256(text.encode()).hexdigest() == known["evidence_sha256"]
    return Finding("pack_evidence", holds, {"files": len(files)})


def _shares(pack: Pack, run: Any) -> Finding:
    """The share of each line is the one that the scheme file's rates make, in each of its months."""
    scheme, year = pack.document("rules/scheme.json"), run["figures"]["year"]
    wrong = [
        f"{line.tier} {month}"
        for line in lines_of(run)
        for month in range(line.first_month, line.last_month + 1)
        if share_on(scheme, line.tier, year, month) != line.share
    ]
    return Finding("pack_shares", not wrong, {"lines": len(run["lines"]), "wrong": ", ".join(wrong)})
