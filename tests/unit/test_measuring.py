from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.accruals.measuring import measure_of, measured
from apps.accruals.tallies import ALL_TIERS, Counted, Line, rebuilt, tally
from apps.schemes.document import PurchaseRule, Scheme
from apps.schemes.purchase_rule import bases_of, shares_of_month
from apps.schemes.reading import read_scheme_text

ROOT = Path(__file__).resolve().parents[2]
BY_PURCHASE = read_scheme_text((ROOT / "tests/schemes/by-purchase.yaml").read_text(), name="by-purchase.yaml")
JP_2015 = read_scheme_text((ROOT / "apps/schemes/files/jp-2015.yaml").read_text(), name="jp-2015.yaml")
RULE = BY_PURCHASE.refund.purchase or PurchaseRule("floor")

amounts = st.dictionaries(st.sampled_from(["reduced", "standard"]), st.integers(0, 1000))


def test_a_scheme_that_only_adds_up_measures_no_purchases() -> None:
    assert measure_of(JP_2015, 2017) is None


def test_a_scheme_that_only_counts_purchases_has_no_bases() -> None:
    measure = measure_of(
        msgspec.structs.replace(BY_PURCHASE, refund=msgspec.structs.replace(BY_PURCHASE.refund, purchase=None)), 2017
    )
    assert measure
    assert measured(measure, 8, {}, {"reduced": 5}) == (1, None)
    assert measured(measure, 8, {"reduced": 5}, {"reduced": 0}) == (-1, None)


@given(st.lists(amounts, min_size=1), st.integers(1, 12))
def test_changes_of_a_purchase_add_up_to_what_it_brings_in_the_end(states: list[dict[str, int]], month: int) -> None:
    measure = measure_of(BY_PURCHASE, 2017)
    assert measure
    changes = [measured(measure, month, *pair) for pair in zip([{}, *states], states, strict=False)]
    bases: Counter[str] = Counter()
    for change in changes:
        bases.update(change.bases_minor)
    expected = bases_of(RULE, shares_of_month(BY_PURCHASE, 2017, month), states[-1])
    assert {tier: base for tier, base in bases.items() if base} == expected
    assert sum(change.purchases for change in changes) == any(states[-1].values())


@given(amounts, amounts, st.integers(1, 12))
def test_totals_get_bases_by_tier_and_a_purchase_once(
    before: dict[str, int], after: dict[str, int], month: int
) -> None:
    measure = measure_of(BY_PURCHASE, 2017)
    assert measure
    change = measured(measure, month, before, after)
    tiers = tuple(sorted({*before, *after}))
    added = tuple(after.get(tier, 0) - before.get(tier, 0) for tier in tiers)
    entry = Counted(
        UUID(int=1), 2017, 1, 1, 1, 1, month, datetime(2017, month, 1, tzinfo=UTC), 1, 1,
        "sale", None, None, tiers, added, (0,) * len(tiers), change,
    )  # fmt: skip
    cells = {key: months[month] for key, months in tally([entry])}
    assert cells.pop((1, 2017, 1, ALL_TIERS)) == (sum(added), change.purchases, None)
    assert {tier: cell.base_minor for (*_, tier), cell in cells.items() if cell.base_minor} == {
        tier: base for tier, base in (change.bases_minor or {}).items() if base
    }


@st.composite
def purchases(draw: st.DrawFn) -> list[tuple[int, list[tuple[int, dict[str, int]]]]]:
    """Purchases, each with its month and with what is left of it after some runs."""
    runs = st.lists(st.tuples(st.integers(1, 3), amounts), min_size=1, max_size=4)
    found = draw(st.lists(st.tuples(st.integers(1, 12), runs), max_size=5))
    return [(month, sorted(states, key=lambda state: state[0])) for month, states in found]


@pytest.mark.parametrize("scheme", [JP_2015, BY_PURCHASE], ids=lambda scheme: scheme.code)
@given(books=purchases(), data=st.data())
def test_totals_built_anew_are_those_that_counting_made(
    scheme: Scheme, books: list[tuple[int, list[tuple[int, dict[str, int]]]]], data: st.DataObject
) -> None:
    measure = measure_of(scheme, 2017)
    counted, lines = [], []
    for seq, (month, states) in enumerate(books, start=1):
        at, before = datetime(2017, month, 1, tzinfo=UTC), dict[str, int]()
        for run, after in states:
            tiers = tuple(sorted(tier for tier in {*before, *after} if before.get(tier, 0) != after.get(tier, 0)))
            added = tuple(after.get(tier, 0) - before.get(tier, 0) for tier in tiers)
            grown = tuple((after.get(tier, 0) > 0) - (before.get(tier, 0) > 0) for tier in tiers)
            change = measured(measure, month, before, after) if measure else None
            counted.append(
                Counted(
                    UUID(int=1), 2017, 1, seq, run, 1, month, at, 1, 1, "sale", None, None, tiers, added, grown, change
                )
            )
            lines.append(Line((1, seq), at, run, month, tiers, added))
            before = after
    cells = {
        (run, tier, month): cell
        for (run, tier), total in rebuilt(data.draw(st.permutations(lines)), measure).items()
        for month, cell in enumerate(
            zip(total.amounts_minor, total.purchases, total.bases_minor or [0] * 12, strict=True), start=1
        )
        if any(cell)
    }
    expected = {
        (run, tier, month): (cell.amount_minor, cell.purchases, cell.base_minor or 0)
        for (_, _, run, tier), months in tally(counted)
        for month, cell in months.items()
        if any(cell)
    }
    assert cells == expected
