from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from apps.refunds.assessment import Assessment, NoRate, Person
from apps.refunds.assessment import assess as assess_person
from apps.refunds.rules import Rules, rules_of
from apps.schemes.document import Scheme
from apps.schemes.reading import read_scheme

ROOT = Path(__file__).resolve().parents[2]
JP_2015 = yaml.safe_load((ROOT / "apps/schemes/files/jp-2015.yaml").read_text())
RULES = rules_of(read_scheme(JP_2015), 2017)


class Spend(NamedTuple):
    month: int
    tier: str
    amount_minor: int


def assess(spend: Iterable[Spend], rules: Rules) -> Assessment:
    """What a resident gets who spent this."""
    of_tier: dict[str, list[int]] = {}
    for month, tier, amount in spend:
        of_tier.setdefault(tier, [0] * 12)[month - 1] += amount
    return assess_person(Person(UUID(int=1), of_tier), rules)


spends = st.lists(
    st.builds(Spend, st.integers(1, 12), st.sampled_from(["reduced", "standard"]), st.integers(1, 300_000)),
    max_size=12,
)


@given(spends)
def test_the_refund_is_two_110ths_of_reduced_spend_and_never_above_the_cap(spend: list[Spend]) -> None:
    reduced = sum(s.amount_minor for s in spend if s.tier == "reduced")
    expected = 1 if 0 < 2 * reduced < 110 else min(2 * reduced // 110, 4000)
    assert assess(spend, RULES).refund_minor == expected


@given(spends, st.integers(1, 12), st.integers(1, 10_000))
def test_more_reduced_spend_never_lowers_the_refund(spend: list[Spend], month: int, more: int) -> None:
    before = assess(spend, RULES).refund_minor
    assert assess([*spend, Spend(month, "reduced", more)], RULES).refund_minor >= before


@given(st.permutations([Spend(m, t, 100 * m + len(t)) for m in range(1, 13) for t in ("reduced", "standard")]))
def test_the_order_of_spend_does_not_matter(spend: list[Spend]) -> None:
    assert assess(spend, RULES) == assess(sorted(spend), RULES)


@given(spends)
def test_the_lines_explain_every_yen(spend: list[Spend]) -> None:
    found = assess(spend, RULES)
    assert sum(found.spend_minor) == sum(s.amount_minor for s in spend)
    exact = sum((line.share * spent for line, spent in zip(RULES.lines, found.spend_minor, strict=True)), Fraction(0))
    assert Fraction(found.brought, RULES.denominator) == exact
    assert [(cut.before, cut.after) for cut in found.cuts] == (
        [(found.brought, found.left)] if found.brought != found.left else []
    )


def with_rates(**tiers: list[tuple[str, str]]) -> Scheme:
    content = JP_2015 | {
        "tiers": [
            JP_2015["tiers"][0]
            | {
                "code": code,
                "rates": [{"from": date.fromisoformat(day), "rate": rate} for day, rate in rates],
            }
            for code, rates in tiers.items()
        ]
    }
    return read_scheme(content)


def test_a_rate_that_changes_in_july_splits_the_year() -> None:
    rules = rules_of(with_rates(food=[("2015-01-01", "0.08"), ("2017-07-01", "0.05")]), 2017)
    found = assess([Spend(6, "food", 11_000), Spend(7, "food", 11_000)], rules)
    assert [(line.last_month, line.rate, line.share * 11_000) for line in rules.lines] == [
        (6, Decimal("0.08"), Fraction(200)),
        (12, Decimal("0.05"), Fraction(500)),
    ]
    assert found.spend_minor == (11_000, 11_000)
    assert found.refund_minor == 700


def test_a_new_tier_is_data() -> None:
    rules = rules_of(with_rates(food=[("2015-01-01", "0.08")], books=[("2015-01-01", "0")]), 2017)
    assert assess([Spend(1, "books", 1_100)], rules).refund_minor == 100


def test_spend_in_a_month_without_a_rate_is_an_error_not_nothing() -> None:
    rules = rules_of(with_rates(food=[("2017-07-01", "0.08")]), 2017)
    with pytest.raises(NoRate):
        assess([Spend(6, "food", 100)], rules)
