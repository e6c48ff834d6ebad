"""What an auditor computes again of a year's proof: every leaf, the sum of all leaves, roots, digests, consistency."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from apps.audit import merkle
from apps.refunds.leaves import Statement, cuts_text, leaf, lines_text
from apps.refunds.models import EFFECTIVE, Refund, Run, RunState
from apps.refunds.operations.verifying import figures_of
from apps.refunds.proofs import run_digest
from apps.refunds.queries.proofs import tile_reader, tree_size_before
from apps.refunds.queries.statements import numbers_of
from apps.refunds.rules import rules_of
from apps.schemes.queries import scheme_of


class CheckedRun(NamedTuple):
    """A run as its leaves say it is: how many, what they add up to, the root they make; `wrong` says what differs."""

    run: int
    leaves: int
    due_minor: int
    root: str
    digest: str
    wrong: list[str]


def check_proof(year: int, *, seen: Callable[[int], None]) -> list[CheckedRun]:
    """Each proved run of a year, in order, made again from its refunds. `seen` is told how many leaves are done."""
    runs = Run.objects.filter(tax_year_id=year, state__in=(RunState.VERIFIED, *EFFECTIVE)).order_by("number")
    grown = _Tiles()
    return [_check(run, grown, seen) for run in runs.select_related("tax_year__scheme_version")]


class _Tiles(dict[tuple[int, int], bytes]):
    """The tree's tiles as the check makes them, apart from those that are kept: only their right edge is ever read."""

    def read(self, level: int, number: int) -> bytes:
        return self.get((level, number), b"")


def _check(run: Run, grown: _Tiles, seen: Callable[[int], None]) -> CheckedRun:
    wrong: list[str] = []
    sums = [0, 0]
    size = tree_size_before(run)
    growth = merkle.Growth(size=size, leaves=_leaves(run, sums, wrong, seen), read=grown.read)
    for tile in growth:
        grown[tile.level, tile.number] = tile.hashes
    root = merkle.root(size=growth.size, read=grown.read).hex()
    kept = merkle.root(size=run.tree_size, read=tile_reader(run.tax_year_id)).hex()
    expected = {"root": run.root, "tiles": kept, "statements": run.statements, "due_minor": run.due_minor}
    found = {"root": root, "tiles": root, "statements": sums[0], "due_minor": sums[1]}
    wrong += [
        f"{name}: the run says {expected[name]}, its refunds {found[name]}"
        for name in found
        if found[name] != expected[name]
    ]
    digest = run_digest(figures_of(run))
    if digest != run.digest:
        wrong.append(f"digest: signed {run.digest}, now {digest}")
    return CheckedRun(run.number, sums[0], sums[1], root, digest, wrong)


def _leaves(run: Run, sums: list[int], wrong: list[str], seen: Callable[[int], None]) -> Iterator[bytes]:
    """The run's leaves, each made from the kept numbers; `sums` counts and adds up, `wrong` names what differs."""
    rules = {}
    for refund in Refund.objects.filter(tax_year=run.tax_year_id, run=run.number).order_by("resident_ref").iterator():
        version = refund.scheme_version
        if version not in rules:
            rules[version] = rules_of(scheme_of(version), run.tax_year_id)
        numbers = numbers_of(refund)
        statement = Statement(
            run.tax_year_id, run.number, run.tax_year.scheme_version.sha256, refund.resident_ref,
            refund.entitled_minor, refund.earlier_minor, refund.due_minor,
            lines_text(rules[version].lines, numbers.spend_minor, numbers.bases_minor), cuts_text(numbers.cuts),
        )  # fmt: skip
        made = leaf(bytes(run.secret), statement)
        if made != bytes(refund.leaf):
            wrong.append(f"the refund of {refund.resident_ref} is not the one that was hashed")
        sums[0] += 1
        sums[1] += refund.due_minor
        seen(sums[0])
        yield made
