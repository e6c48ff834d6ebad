"""Schemes that ask the register, through the whole run: households, moves, births, deaths; both assessments agree."""

from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accruals.operations.counting import count_all
from apps.refunds.models import Member, Refund, Run
from apps.refunds.operations.approving import undo_step
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.verifying import ArchiveDamaged, verify_run
from apps.refunds.queries.replays import replay
from apps.residents.models import Membership, Resident
from apps.residents.operations import Home, place_in_households, set_attributes
from apps.schemes.models import TaxYear
from apps.schemes.operations import SHIPPED, load_scheme
from tests.till import RawTill, send
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
YEAR = 2017
HOME, OTHER = UUID(int=1), UUID(int=2)
NEW_YEAR, AUGUST = date(2017, 1, 1), date(2017, 8, 1)
REFERENCE = {"ja": "—", "en": "—"}


def under(folder: Path, **refund: Any) -> None:
    """Put the years under jp-2015 with another refund rule."""
    content = yaml.safe_load((SHIPPED / "jp-2015.yaml").read_text())
    content["refund"] |= refund
    path = folder / "scheme.yaml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True))
    version, _ = load_scheme(path, at=timezone.now(), actor="test")
    TaxYear.objects.update(scheme_version=version)


def limit(unit: str, **what: Any) -> dict[str, Any]:
    return {"per": "year", "for": unit, "reference": REFERENCE, **what}


def move_in(*homes: Home) -> None:
    place_in_households(homes, at=timezone.now(), actor="test")


def sell(till: RawTill, *sales: tuple[UUID, str, int]) -> None:
    send(till, *(till.sale(ref, at=f"2017-{day}T12:00:00+09:00", reduced=amount) for ref, day, amount in sales))
    count_all()


def refunds() -> dict[UUID, int]:
    """Freeze, assess and verify: what each resident is entitled to, on which both ways agree."""
    freeze(YEAR, actor="test")
    assess_run(YEAR, actor="test")
    verify_run(YEAR, actor="test")
    return dict(Refund.objects.values_list("resident_ref", "entitled_minor"))


def test_a_household_pools_its_members_caps_and_shares_them_out(world: World, tmp_path: Path) -> None:
    one, two = world.residents
    under(tmp_path, limits=[limit("members", cap={"amount": 1000})])
    move_in(Home(one, HOME, NEW_YEAR, is_head=True), Home(two, HOME, NEW_YEAR))
    sell(RawTill(world), (one, "04-03", 165_000), (two, "05-03", 5_500))
    assert refunds() == {one: 1935, two: 65}  # 3,000 and 100 share 2,000
    assert replay(one, YEAR).identical


def test_who_moves_in_august_shares_each_households_limit_for_the_months_there(world: World, tmp_path: Path) -> None:
    one, two = world.residents
    under(tmp_path, limits=[limit("household", cap={"amount": 500})])
    move_in(Home(one, HOME, NEW_YEAR, AUGUST), Home(one, OTHER, AUGUST), Home(two, OTHER, NEW_YEAR))
    sell(RawTill(world), (one, "07-31", 55_000), (one, "08-01", 11_000), (two, "02-01", 44_000))
    assert refunds() == {one: 500 + 100, two: 400}  # 1,000 alone in one, then 200 beside 800 share 500
    assert Member.objects.filter(resident_ref=one).count() == 2
    assert Member.objects.values("group_ref").distinct().count() == 1


def test_only_who_meets_the_condition_gets_a_refund_as_the_register_was_at_the_freeze(
    world: World, tmp_path: Path
) -> None:
    one, two = world.residents
    under(tmp_path, eligibility=[{"attribute": "attr_income", "at_most": 100, "reference": REFERENCE}])
    set_attributes([(one, "attr_income", 100), (two, "attr_income", 101)], start=NEW_YEAR, at=timezone.now(), actor="t")
    sell(RawTill(world), (one, "04-03", 5_500), (two, "04-03", 5_500))
    assert refunds() == {one: 100, two: 0}
    cuts = Refund.objects.get(resident_ref=two).cuts
    assert [int(number) for number in cuts] == [-1, 1, 5500, 0]
    before = Run.objects.get().digest
    undo_step(YEAR, actor="test")
    undo_step(YEAR, actor="test")
    set_attributes([(two, "attr_other", 1)], start=NEW_YEAR, at=timezone.now(), actor="test")
    assess_run(YEAR, actor="test")
    assert verify_run(YEAR, actor="test").digest == before


def test_purchases_after_a_death_or_before_an_arrival_are_not_counted(world: World, tmp_path: Path) -> None:
    one, two = world.residents
    under(tmp_path, limits=[limit("members", cap={"amount": 1200})])

    Resident.objects.filter(pk=two).update(resident_to=date(2017, 10, 15))
    move_in(Home(one, HOME, NEW_YEAR), Home(two, HOME, NEW_YEAR))
    sell(RawTill(world), (two, "10-14", 55_000), (two, "10-15", 55_000), (one, "12-01", 220_000))
    found = refunds()
    assert sum(found.values()) == 2400  # two whole limits; what was bought on the 15th is not among it
    assert found[two] == 2400 * 1000 // 5000


def test_nobody_is_in_two_households_at_once_and_no_household_has_two_heads(world: World) -> None:
    one, two = world.residents
    move_in(Home(one, HOME, NEW_YEAR, AUGUST, is_head=True))
    for wrong in (
        Home(one, OTHER, date(2017, 7, 1)),
        Home(two, HOME, NEW_YEAR, is_head=True),
        Home(two, HOME, date(2017, 1, 2)),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            move_in(wrong)
    move_in(Home(one, OTHER, AUGUST, is_head=True))
    assert Membership.objects.count() == 2


def test_a_lost_or_damaged_register_is_named_and_written_anew_as_it_was(
    world: World, tmp_path: Path, archive: Path
) -> None:
    one, two = world.residents
    under(tmp_path, limits=[limit("household", cap={"amount": 500})])
    move_in(Home(one, HOME, NEW_YEAR), Home(two, HOME, NEW_YEAR))
    sell(RawTill(world), (one, "04-03", 5_500))
    refunds()
    path = next(archive.rglob("register.parquet"))
    before = path.read_bytes()
    for wrong in (b"", None):
        path.unlink() if wrong is None else path.write_bytes(wrong)
        with pytest.raises(ArchiveDamaged, match=r"register\.parquet"):
            verify_run(YEAR, actor="test")
        call_command("restore_archive", str(YEAR))
        assert path.read_bytes() == before
        assert verify_run(YEAR, actor="test").state == "verified"
