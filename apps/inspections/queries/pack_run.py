"""What a pack of a run is made of: its rules, figures and proofs, and a row for each refund that names nobody."""

from collections.abc import Iterator
from typing import Any, Final

from django.db.models import Q

from apps.audit import merkle
from apps.inspections.packs.content import Content
from apps.inspections.packs.tables import Table, document
from apps.inspections.queries.pack_log import events_in_log
from apps.kernel.progress import Seen, nothing_seen
from apps.refunds.leaves import cuts_text
from apps.refunds.models import Refund, Run
from apps.refunds.operations.verifying import figures_of
from apps.refunds.queries.proofs import tile_reader, tree_size_before, trees_before
from apps.refunds.queries.runs import evidence_of, run_of
from apps.refunds.queries.statements import PROVED, StatementMissing, numbers_of
from apps.refunds.rules import Rules, rules_of
from apps.schemes.document import Scheme
from apps.schemes.document import canonical as canonical_scheme
from apps.schemes.queries import scheme_of

REFUND: Final = ("leaf_index", "entitled_minor", "earlier_minor", "due_minor", "at_cap", "spend_minor", "cuts", "leaf")
EVIDENCE: Final = ("path", "sha256")
SHOWN_EVERY: Final = 5_000


def run_content(year: int, number: int, *, seen: Seen = nothing_seen) -> Content:
    """A pack of a verified run. Its refunds stand in the order of the tree, without reference.

    `seen` is told how many refunds were read, of how many. Raises RunMissing, and StatementMissing before it is
    verified.
    """
    run = proved_run(year, number)
    scheme = scheme_of(run.tax_year.scheme_version_id)
    rules = rules_of(scheme, year)
    log = events_in_log(Q(subject=f"run:{year}/{number}"))
    refunds = Table(
        "records/refunds", REFUND, _refunds(run, seen), summed=("entitled_minor", "earlier_minor", "due_minor")
    )
    return Content(
        kind="run",
        name=f"kanpu-evidence-{year}-{number}",
        about={"year": year, "run": number},
        documents=(*common_documents(run, rules, scheme), *log.documents),
        tables=(refunds, evidence_table(run), log.table),
        summary=summary_of(run, scheme),
    )


def proved_run(year: int, number: int) -> Run:
    """A run whose refunds are proved. Raises RunMissing, StatementMissing."""
    run = run_of(year, number)
    if run.state not in PROVED:
        raise StatementMissing(f"{run} is not verified: its evidence is not complete yet.")
    return run


def common_documents(run: Run, rules: Rules, scheme: Scheme) -> tuple[tuple[str, bytes], ...]:
    """The rules by which was computed, and the run as it was signed."""
    return ("rules/scheme.json", canonical_scheme(scheme)), ("run.json", document(_run(run, rules)))


def evidence_table(run: Run) -> Table:
    """The files of the archive that the second assessment read."""
    return Table("recomputation/evidence", EVIDENCE, sorted(evidence_of(run).items()))


def summary_of(run: Run, scheme: Scheme) -> dict[str, Any]:
    """What the first page says of the run."""
    figures = figures_of(run)._asdict()
    return {
        **figures,
        "currency": scheme.currency,
        "minor_unit_digits": scheme.minor_unit_digits,
        "digest": run.digest,
        "verified_minor": run.verified_minor,
        "signed_by": [name for name in (run.signed_1_by, run.signed_2_by) if name],
        "scheme_name": scheme.name.ja,
    }


def _run(run: Run, rules: Rules) -> dict[str, Any]:
    read = tile_reader(run.tax_year_id)
    before = tree_size_before(run)
    return {
        "figures": figures_of(run)._asdict(),
        "digest": run.digest,
        "signatures": [
            {"by": by, "at": at.isoformat()}
            for by, at in ((run.signed_1_by, run.signed_1_at), (run.signed_2_by, run.signed_2_at))
            if at is not None
        ],
        "cutoff_at": run.cutoff_at.isoformat(),
        "second_assessment": {
            "entries": run.verified_entries, "residents": run.verified_residents, "refund_minor": run.verified_minor,
            "differing": run.differing,
        },
        "denominator": rules.denominator,
        "lines": [
            {
                "tier": line.tier, "first_month": line.first_month, "last_month": line.last_month,
                "share": [line.share.numerator, line.share.denominator],
            }
            for line in rules.lines
        ],
        "tree_before": {"size": before, "tops": [node.hex() for node in merkle.tops(size=before, read=read)]},
        "earlier": [tree._asdict() for tree in trees_before(run)],
    }  # fmt: skip


def _refunds(run: Run, seen: Seen) -> Iterator[tuple[Any, ...]]:
    """A run's refunds in the order of their leaves; memory stays flat."""
    rows = Refund.objects.filter(tax_year=run.tax_year_id, run=run.number).order_by("resident_ref")
    first = run.tree_size - run.statements
    for index, refund in enumerate(rows.iterator(chunk_size=5_000), first):
        if (index - first) % SHOWN_EVERY == 0:
            seen(index - first, run.statements)
        yield (
            index, refund.entitled_minor, refund.earlier_minor, refund.due_minor, int(refund.at_cap),
            " ".join(map(str, refund.spend_minor)), cuts_text(numbers_of(refund).cuts), bytes(refund.leaf).hex(),
        )  # fmt: skip
    seen(run.statements, run.statements)
