"""Every refund of a run is proved to whoever asks, and replayed from its purchases."""

from pathlib import Path
from uuid import UUID

import pytest

from apps.accruals.models import Total
from apps.refunds.models import Refund, Tile
from apps.refunds.operations.approving import (
    approve_run,
    undo_step,
)
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.checking import check_proof
from apps.refunds.operations.freezing import freeze
from apps.refunds.queries.runs import latest_run
from apps.refunds.queries.statements import StatementMissing, statement_of
from tests.till import RawTill
from tests.world import World
from tests.year_end import YEAR, checked, count, to_approved

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_resident_checks_the_statement_offline_and_a_changed_yen_shows(
    till: RawTill, world: World, tmp_path: Path
) -> None:
    one, two = world.residents
    count(till, till.sale(one, reduced=1_000_000, standard=77), till.sale(two, reduced=5500))
    run = to_approved()
    for ref in (one, two):
        statement = statement_of(ref, YEAR, 1)
        assert statement["proof"]["root"] == run.root
        assert checked(statement, tmp_path) == 0
    changed = {**statement_of(one, YEAR, 1), "entitled_minor": 4001, "due_minor": 4001}
    assert checked(changed, tmp_path) == 1
    count(till, till.sale(two, reduced=5500))
    to_approved()
    assert checked(statement_of(two, YEAR, 2), tmp_path) == 0
    assert checked(statement_of(one, YEAR, 1), tmp_path) == 0
    with pytest.raises(StatementMissing):
        statement_of(one, YEAR, 2)


def test_proofs_hold_over_a_withdrawn_run_and_many_tiles(till: RawTill, world: World, tmp_path: Path) -> None:
    crowd = [UUID(int=n * 2**118 + 1) for n in range(1, 700)]
    count(till, till.sale(reduced=1))
    for run, some in ((1, crowd[:300]), (3, crowd[200:])):
        Total.objects.bulk_create(
            Total(
                resident_ref=ref, tax_year=YEAR, run=run, tier="reduced",
                amounts_minor=[550] + [0] * 11, purchases=[1] + [0] * 11,
            )
            for ref in some
        )  # fmt: skip
        freeze(YEAR, actor="test")
        assess_run(YEAR, actor="test")
        prove_without_the_archive()
        if run == 1:
            freeze(YEAR, actor="test")
            undo_step(YEAR, actor="test")
    for run, ref in (
        (1, crowd[0]),
        (1, crowd[299]),
        (3, crowd[200]),
        (3, crowd[255]),
        (3, crowd[698]),
        (3, crowd[300]),
    ):
        assert checked(statement_of(ref, YEAR, run), tmp_path) == 0, (run, ref)


def prove_without_the_archive() -> None:
    """The crowd has totals and no entries: what the second assessment would say is put in its place."""
    from apps.refunds.operations import verifying  # noqa: PLC0415

    run = latest_run(YEAR)
    verifying._verified(YEAR, "test", verifying.Second(0, run.residents, run.entitled_minor, 0, []), 0.0)
    approve_run(YEAR, by="ann", actor="test")
    approve_run(YEAR, by="ben", actor="test")


def test_an_auditor_makes_every_leaf_again_and_a_changed_refund_is_named(till: RawTill, world: World) -> None:
    one, two = world.residents
    count(till, till.sale(one, reduced=5500), till.sale(two, reduced=1_000_000))
    to_approved()
    count(till, till.sale(one, reduced=5500))
    to_approved()
    found = check_proof(YEAR, seen=lambda _: None)
    assert [(run.leaves, run.due_minor, run.wrong) for run in found] == [(2, 4100, []), (1, 100, [])]
    Refund.objects.filter(resident_ref=two).update(entitled_minor=3999, due_minor=3999)
    Tile.objects.filter(level=0).update(hashes=b"\1" * 96)
    first, second = check_proof(YEAR, seen=lambda _: None)
    assert [text.split(":")[0] for text in first.wrong] == [
        f"the refund of {two} is not the one that was hashed", "root", "tiles", "due_minor"
    ]  # fmt: skip
    assert [text.split(":")[0] for text in second.wrong] == ["root", "tiles"]
