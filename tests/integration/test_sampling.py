"""Samples: asked for, drawn by their seed, worked through, concluded."""

import hashlib
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accruals.models import Entry
from apps.accruals.operations.years import start_year
from apps.audit.models import Event
from apps.inspections.models import Method, Population, Result, Sample, SampleItem
from apps.inspections.operations.drawing import Filters, Wanted, draw_items, draw_requested, request_sample
from apps.inspections.operations.examining import (
    ItemDecided,
    RightAmountMissing,
    decide_item,
    open_case_of_item,
    undo_item,
)
from apps.inspections.queries.samples import AmountFound, RateFound, conclusion_of, resident_of
from apps.inspections.sampling import SampleImpossible, first_yen, times_drawn
from apps.schemes.operations import SHIPPED, load_scheme

pytestmark = pytest.mark.django_db(transaction=True)
YEAR, ANN, SEED = 2017, "user:ann", bytes(range(32))
SALES = 400


@pytest.fixture
def sales() -> list[Entry]:
    """Counted sales of two tills from 101 yen up, and beside them what is in no population: a return, a test card's."""
    now = timezone.now()
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=now, actor="test")
    start_year(YEAR, version, deadline=date(now.year + 2, 1, 1), at=now, actor="test")
    entries = [_entry(7 + number % 2, number, 100 + number * 3) for number in range(1, SALES + 1)]
    others = [_entry(7, 9001, -500, kind="return"), _entry(9, 1, 100_000, run=0)]
    Entry.objects.bulk_create([*entries, *others])
    return entries


def _entry(terminal: int, seq: int, amount: int, *, kind: str = "sale", run: int = 1) -> Entry:
    return Entry(
        resident_ref=UUID(int=seq), tax_year=YEAR, terminal_id=terminal, seq=seq, run=run, part=1, month=3, kind=kind,
        at=datetime(YEAR, 3, 1 + seq % 28, 3, tzinfo=UTC), tiers=["reduced", "standard"],
        amounts_minor=[amount - 1, 1], **({} if kind == "sale" else {"of_terminal_id": terminal, "of_seq": 1}),
    )  # fmt: skip


def rate(**more: object) -> Wanted:
    given = {"tolerable": 900, "expected": 200, "confidence_percent": 95} | more
    return Wanted("Spring", Method.ATTRIBUTE, Population.PURCHASES, YEAR, **given)  # type: ignore[arg-type]


def money(tolerable: int, **more: object) -> Wanted:
    given = {"expected": 0, "confidence_percent": 95} | more
    return Wanted("Yen", Method.MONETARY, Population.PURCHASES, YEAR, tolerable=tolerable, **given)  # type: ignore[arg-type]


def drawn(wanted: Wanted, seed: bytes = SEED) -> Sample:
    sample = request_sample(wanted, at=timezone.now(), actor=ANN, seed=seed)
    draw_requested()
    sample.refresh_from_db()
    return sample


def keys(sample: Sample) -> list[str]:
    return [item.key for item in sample.items.order_by("position")]


def test_the_seed_is_in_the_trail_before_the_population_is_looked_at(sales: list[Entry]) -> None:
    sample = request_sample(rate(), at=timezone.now(), actor=ANN)
    event = Event.objects.get(action="sample.request")
    assert event.detail["seed"] == bytes(sample.seed).hex()
    assert len(sample.seed) == 32
    assert not SampleItem.objects.exists()
    draw_requested()
    assert Event.objects.get(action="sample.draw").detail["population_items"] == SALES


def test_an_attribute_sample_is_the_items_whose_sha256_with_the_seed_is_lowest(sales: list[Entry]) -> None:
    sample = drawn(rate())
    ranked = sorted(
        (f"{e.terminal_id}:{e.seq}" for e in sales), key=lambda key: hashlib.sha256(SEED + key.encode()).digest()
    )
    assert (sample.population_items, sample.population_minor) == (SALES, sum(sum(e.amounts_minor) for e in sales))
    assert (sample.items_drawn, sample.allowed) == (49, 1)  # of 400; of many more, 68 and 2
    assert keys(sample) == ranked[:49]


def test_the_same_seed_draws_the_same_and_another_something_else(sales: list[Entry]) -> None:
    one, same, other = drawn(rate()), drawn(rate()), drawn(rate(), seed=b"x" * 32)
    assert keys(one) == keys(same) != keys(other)
    assert [row[:2] for row in draw_items(one).rows] == list(
        one.items.order_by("position").values_list("terminal_id", "seq")
    )


def test_a_monetary_sample_has_every_item_in_which_a_drawn_yen_lies(sales: list[Entry]) -> None:
    sample = drawn(money(9_000))
    assert sample.interval_minor is not None
    start, before, expected = first_yen(SEED, sample.interval_minor), 0, []
    for entry in sorted(sales, key=lambda e: (e.terminal_id, e.seq)):
        amount = sum(entry.amounts_minor)
        if times_drawn(before, amount, start=start, interval=sample.interval_minor):
            expected.append(f"{entry.terminal_id}:{entry.seq}")
        before += amount
    assert keys(sample) == expected
    assert len(expected) == pytest.approx(before / sample.interval_minor, abs=1)


def test_items_of_at_least_the_interval_are_all_taken(sales: list[Entry]) -> None:
    sample = drawn(money(2_000))
    large = {f"{e.terminal_id}:{e.seq}" for e in sales if sum(e.amounts_minor) >= (sample.interval_minor or 0)}
    assert large
    assert large <= set(keys(sample))


def test_filters_narrow_the_population(sales: list[Entry]) -> None:
    filters = Filters(least_minor=400, most_minor=700, from_date=date(YEAR, 3, 2), to_date=date(YEAR, 3, 5))
    sample = drawn(rate(filters=filters))
    wanted = [e for e in sales if 400 <= sum(e.amounts_minor) <= 700 and 2 <= e.at.day <= 5]
    assert sample.population_items == len(wanted)


def test_what_cannot_be_drawn_says_why(sales: list[Entry]) -> None:
    assert drawn(rate(filters=Filters(least_minor=10**9))).failure == "population_empty"
    assert drawn(money(10)).failure == "sample_too_large"
    with pytest.raises(SampleImpossible):
        request_sample(rate(expected=900), at=timezone.now(), actor=ANN)


def look_at_all(sample: Sample, wrong: dict[int, int | None]) -> None:
    for position in range(1, (sample.items_drawn or 0) + 1):
        result = Result.DEVIATION if position in wrong else Result.CORRECT
        decide_item(sample.pk, position, result, right_minor=wrong.get(position), note="", at=timezone.now(), actor=ANN)


def test_the_allowed_deviations_show_less_than_the_tolerable_rate_and_one_more_does_not(
    sales: list[Entry],
) -> None:
    sample = drawn(rate())
    assert conclusion_of(sample) is None
    look_at_all(sample, {3: None})
    found = conclusion_of(sample)
    assert isinstance(found, RateFound)
    assert (found.deviations, found.is_tolerable) == (1, True)
    undo_item(sample.pk, 5, at=timezone.now(), actor=ANN)
    assert conclusion_of(sample) is None
    decide_item(sample.pk, 5, Result.DEVIATION, right_minor=None, note="a tin", at=timezone.now(), actor=ANN)
    found = conclusion_of(sample)
    assert isinstance(found, RateFound)
    assert (found.deviations, found.is_tolerable) == (2, False)


def test_a_misstated_item_taints_its_interval(sales: list[Entry]) -> None:
    sample = drawn(money(20_000))
    first = sample.items.get(position=1)
    look_at_all(sample, {1: first.amount_minor // 2})
    found = conclusion_of(sample)
    assert isinstance(found, AmountFound)
    half = (first.amount_minor - first.amount_minor // 2) * (sample.interval_minor or 0) / first.amount_minor
    assert found.found.likely_minor == round(half)
    assert found.found.upper_minor > 20_000
    assert not found.is_tolerable


def test_who_found_what_stands_until_it_is_taken_back(sales: list[Entry]) -> None:
    sample = drawn(money(20_000))
    now = timezone.now()
    with pytest.raises(RightAmountMissing):
        decide_item(sample.pk, 1, Result.DEVIATION, right_minor=None, note="", at=now, actor=ANN)
    item = decide_item(sample.pk, 1, Result.CORRECT, right_minor=None, note="as on the receipt", at=now, actor=ANN)
    assert (item.decided_by, item.note) == (ANN, "as on the receipt")
    with pytest.raises(ItemDecided):
        decide_item(sample.pk, 1, Result.DEVIATION, right_minor=0, note="", at=now, actor="user:ben")
    undo_item(sample.pk, 1, at=now, actor="user:ben")
    assert Event.objects.get(action="sample.undo").detail["by"] == ANN
    with pytest.raises(IntegrityError), transaction.atomic():
        sample.items.filter(position=1).update(result="correct")


def test_a_case_about_an_item_names_its_purchase_and_there_is_one_only(sales: list[Entry]) -> None:
    item = drawn(rate()).items.get(position=1)
    one = open_case_of_item(item, title="Too dear", at=timezone.now(), actor=ANN)
    again = open_case_of_item(item, title="Too dear", at=timezone.now(), actor=ANN)
    assert one == again
    assert (one.source, one.source_id, one.subject) == (
        "sample", item.sample_id, f"purchase:{item.terminal_id}/{item.seq}",
    )  # fmt: skip


def test_a_purchase_that_was_withdrawn_since_belongs_to_nobody(sales: list[Entry]) -> None:
    item = drawn(rate()).items.select_related("sample").get(position=1)
    assert resident_of(item) == UUID(int=item.seq or 0)
    Entry.objects.filter(terminal_id=item.terminal_id or 0, seq=item.seq or 0).delete()
    assert resident_of(item) is None
