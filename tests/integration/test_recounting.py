"""A year counted anew from its entries: the same under its own scheme, as counted from the start under another."""

import json
import random
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from apps.accruals.models import Total
from apps.accruals.operations.counting import count_all
from apps.accruals.operations.recounting import Recount, SchemeDoesNotFit, recount_year
from apps.accruals.operations.years import freeze_run
from apps.accruals.queries import ResidentYear, residents_years, years_of, years_under
from apps.audit.models import Event
from apps.schemes.models import SchemeVersion, TaxYear
from apps.schemes.operations import load_scheme
from apps.schemes.queries import YearNotStarted
from tests.integration.test_any_order import merchants_books
from tests.till import RawTill, Record, bases, forget_all, send, totals
from tests.world import BY_PURCHASE, World

pytestmark = pytest.mark.django_db(transaction=True)
EVERYBODY = {"first": UUID(int=0), "last": UUID(int=2**128 - 1)}
Kept = list[tuple[Any, ...]]


def loaded(path: Path = BY_PURCHASE) -> SchemeVersion:
    return load_scheme(path, at=timezone.now(), actor="test")[0]


def changed(folder: Path, *pairs: tuple[str, str]) -> SchemeVersion:
    """The scheme by-purchase with another text."""
    text = BY_PURCHASE.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path = folder / "changed.yaml"
    path.write_text(text)
    return loaded(path)


def recount(version: SchemeVersion, *, dry_run: bool = False) -> Recount:
    return recount_year(
        2017, version=version, now=timezone.now(), actor="test", seen=lambda _: None, dry_run=dry_run
    )  # fmt: skip


def command(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("recount_year", "2017", "--json", *arguments, stdout=out)
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


def kept() -> Kept:
    """Every total that is not at nothing."""
    rows = Total.objects.order_by("resident_ref", "run", "tier")
    fields = rows.values_list("resident_ref", "run", "tier", "amounts_minor", "purchases", "bases_minor")
    return [row for row in fields if any(map(any, (row[3], row[4], row[5] or [])))]


def play(records: list[tuple[RawTill, Record]]) -> None:
    """Count the books from an empty database, with a freeze midway, so that there are two runs."""
    forget_all()
    TaxYear.objects.update(open_run=1)
    for index, (till, record) in enumerate(records):
        send(till, record)
        if index == len(records) // 2:
            count_all()
            freeze_run(2017, now=timezone.now())
    count_all()


@pytest.mark.parametrize("seed", range(5))
def test_a_recount_comes_to_what_counting_made(world: World, tills: tuple[RawTill, RawTill], seed: int) -> None:
    rng = random.Random(seed)
    records = [sent for _ in range(5) for sent in merchants_books(rng, world, tills)]
    old, new = SchemeVersion.objects.get(), loaded()
    play(records)
    of_old = kept()
    assert recount(old).differences == 0
    assert kept() == of_old
    under_new = list(years_under(2017, up_to_run=2, scheme=new.scheme()))
    assert recount(new).differences > 0
    of_new = kept()
    assert list(residents_years(2017, up_to_run=2, **EVERYBODY)) == under_new
    play(records)
    assert kept() == of_new
    assert recount(new, dry_run=True).differences == 0
    assert recount(old).differences > 0
    assert kept() == of_old
    assert [event.detail["to"] for event in Event.objects.filter(action="year.recount").order_by("pk")] == [
        str(old), str(new), str(old),
    ]  # fmt: skip


def test_counting_goes_on_under_the_scheme_of_the_recount(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    sale = till.sale(reduced=1000)
    send(till)
    count_all()
    loaded()
    assert command("--scheme", "by-purchase") == {
        "year": 2017, "scheme": "by-purchase v1", "dry_run": False, "residents": 1, "totals": 2, "differences": 2,
    }  # fmt: skip
    assert bases() == {(1, 8, "reduced"): 40}
    send(till, till.give_back(sale, reduced=800), till.sale(reduced=100))
    count_all()
    assert bases() == {(1, 8, "reduced"): 30}
    assert totals()[2017, 1, 8, ""] == (300, 2)
    assert command()["differences"] == 0


def test_a_planted_fault_in_a_total_is_found_and_mended(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    for ref in world.residents:
        till.sale(ref, reduced=1000, standard=10)
    send(till)
    count_all()
    right = kept()
    Total.objects.filter(resident_ref=world.residents[0], tier="reduced").update(purchases=[1] * 12)
    Total.objects.filter(resident_ref=world.residents[1], tier="standard").delete()
    assert command("--dry-run")["differences"] == 2
    assert kept() != right
    assert command()["differences"] == 2
    assert kept() == right
    assert command() == {
        "year": 2017, "scheme": "jp-2015 v1", "dry_run": False, "residents": 2, "totals": 4, "differences": 0,
    }  # fmt: skip


def test_a_dry_run_changes_nothing(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    till.sale(reduced=1000)
    send(till)
    count_all()
    before = kept()
    assert recount(loaded(), dry_run=True).differences == 2
    assert kept() == before
    assert str(TaxYear.objects.get(year=2017).scheme_version) == "jp-2015 v1"
    assert not Event.objects.filter(action="year.recount").exists()


def test_a_scheme_without_a_rate_for_what_was_bought_is_refused_and_changes_nothing(
    world: World, tills: tuple[RawTill, RawTill], tmp_path: Path
) -> None:
    till, _ = tills
    till.sale(standard=1000)
    till.sale(standard=1000, at="2017-10-03T09:30:00+09:00")
    send(till)
    count_all()
    before = kept()
    later = changed(tmp_path, ('      - {from: 2015-01-01, rate: "0.10"}\n', ""))
    with pytest.raises(SchemeDoesNotFit, match=r"no rate .* in 2017: standard in month 8\."):
        recount(later)
    assert kept() == before
    assert str(TaxYear.objects.get(year=2017).scheme_version) == "jp-2015 v1"


def test_a_scheme_with_other_days_or_money_is_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(SchemeDoesNotFit, match="time_zone Asia/Tokyo"):
        recount(changed(tmp_path, ("Asia/Tokyo", "Europe/Rome")))
    with pytest.raises(SchemeDoesNotFit, match="currency JPY"):
        recount(changed(tmp_path, ("JPY", "EUR")))
    with pytest.raises(YearNotStarted):
        recount_year(
            1999, version=loaded(), now=timezone.now(), actor="test", seen=lambda _: None, dry_run=True
        )  # fmt: skip
    with pytest.raises(CommandError, match="scheme_unknown"):
        command("--scheme", "nowhere")


def test_years_are_read_by_range_by_list_and_up_to_a_run(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    one, two = world.residents
    sale = till.sale(one, reduced=1000)
    till.sale(two, standard=5)
    send(till)
    count_all()
    freeze_run(2017, now=timezone.now())
    send(till, till.give_back(sale, reduced=300))
    count_all()
    recount(loaded())
    nothing = [0] * 12

    def august(amount: int) -> list[int]:
        return [*nothing[:7], amount, *nothing[8:]]

    first = ResidentYear(one, {"reduced": august(1000)}, {"reduced": august(40)}, august(1))
    later = ResidentYear(one, {"reduced": august(700)}, {"reduced": august(40)}, august(1))
    other = ResidentYear(two, {"standard": august(5)}, {"standard": nothing}, august(1))
    assert list(residents_years(2017, up_to_run=1, **EVERYBODY)) == [first, other]
    assert list(residents_years(2017, up_to_run=2, **EVERYBODY)) == [later, other]
    assert list(residents_years(2017, up_to_run=2, first=two, last=two)) == [other]
    with transaction.atomic():
        assert list(years_of(2017, [two, one, UUID(int=7)], up_to_run=2)) == [later, other]
