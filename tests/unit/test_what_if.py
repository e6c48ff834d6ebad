"""Another scheme on a recorded year: what is compared adds up, and a scheme is made to fit the year as was said."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from apps.refunds.assessment import Person
from apps.refunds.rules import rules_of
from apps.refunds.what_if import Comparison, NothingRecorded, compare
from apps.schemes.adapting import (
    Assumptions,
    AssumptionUnused,
    Bought,
    CurrencyDiffers,
    RateMissing,
    TierMissing,
    adapted,
    assumptions_in_words,
)
from apps.schemes.document import DatedRate, Scheme
from apps.schemes.rates import lines_of_year
from tests.drawn import YEAR, cases, schemes, shipped
from tests.examples import examples
from tests.golden_play import Case, people_of, play

SHIPPED = {scheme.code: scheme for scheme in shipped()}
JP_2015, ZERO_FOOD, ITALY = SHIPPED["jp-2015"], SHIPPED["jp-zero-food"], SHIPPED["it-2021"]
JANUARY = frozenset({Bought("reduced", 1), Bought("standard", 1)})
often = settings(max_examples=examples(25), deadline=None)
some_cases = schemes().flatmap(lambda scheme: st.lists(cases(scheme), min_size=1, max_size=6))


def compared(groups: Sequence[Case], other: Scheme) -> Comparison:
    """The groups under their own scheme and under another."""
    both = [(people_of(case), people_of(replace(case, scheme=other))) for case in groups]
    return compare(both, rules_of(groups[0].scheme, YEAR), rules_of(other, YEAR))


def anything_bought(groups: Sequence[Case]) -> bool:
    return any(person.spend for case in groups for person in people_of(case))


def put_on_2017(scheme: Scheme, **assumed: Any) -> Scheme:
    return adapted(scheme, recorded=JP_2015, year=2017, bought=JANUARY, assumed=Assumptions(**assumed))


@pytest.mark.property
@often
@given(some_cases)
def test_the_scheme_in_force_gives_what_the_assessment_gives_and_nobody_gains(groups: list[Case]) -> None:
    assume(anything_bought(groups))
    found = compared(groups, groups[0].scheme)
    refunds = [refund for case in groups for refund in play(case)]
    assert found.in_force == found.other
    assert found.in_force.cost_minor == sum(refund for refund, _ in refunds)
    assert found.in_force.paid == sum(refund > 0 for refund, _ in refunds)
    assert found.in_force.at_cap == sum(at_cap for _, at_cap in refunds)
    assert (found.gainers.residents, found.losers.residents, found.unchanged) == (0, 0, found.residents)


@pytest.mark.property
@often
@given(some_cases, schemes())
def test_tenths_gains_and_tiers_add_up_to_the_whole(groups: list[Case], other: Scheme) -> None:
    assume(anything_bought(groups))
    found = compared(groups, other)
    assert sum(decile.residents for decile in found.deciles) == found.residents
    assert sum(decile.in_force_minor for decile in found.deciles) == found.in_force.cost_minor
    assert sum(decile.other_minor for decile in found.deciles) == found.other.cost_minor
    assert found.gainers.sum_minor - found.losers.sum_minor == found.difference_minor
    assert found.gainers.residents + found.losers.residents + found.unchanged == found.residents
    for outcome in (found.in_force, found.other):
        brought = sum((tier.brought for tier in outcome.tiers), Fraction(0))
        assert brought - outcome.limited + outcome.rounded == outcome.cost_minor
        assert sum(tier.spend_minor for tier in outcome.tiers) == found.spend_minor
    borders = [(decile.from_minor, decile.to_minor) for decile in found.deciles]
    assert borders == sorted(borders)
    sizes = {decile.residents for decile in found.deciles}
    assert found.residents < 10 or max(sizes) - min(sizes) <= 1


@pytest.mark.property
@often
@given(some_cases, schemes())
def test_the_order_of_residents_decides_nothing(groups: list[Case], other: Scheme) -> None:
    assume(anything_bought(groups))
    assert compared(groups, other) == compared(groups[::-1], other)


def test_food_at_0_percent_by_hand() -> None:
    spent = [{"reduced": 5_500}, {"reduced": 1_100_000}, {"standard": 900}, {"reduced": 55}]
    people = [
        Person(UUID(int=n), {tier: [amount] + [0] * 11 for tier, amount in spend.items()})
        for n, spend in enumerate(spent)
    ]
    groups = [([person], [person]) for person in people]
    found = compare(groups, rules_of(JP_2015, 2017), rules_of(put_on_2017(ZERO_FOOD), 2017))
    assert (found.in_force.cost_minor, found.other.cost_minor) == (100 + 4_000 + 0 + 1, 500 + 100_000 + 0 + 5)
    assert (found.in_force.at_cap, found.other.at_cap) == (1, 0)
    assert (found.in_force.mean_minor, found.in_force.median_minor) == (1025, 51)  # 4101 / 4, (1 + 100) / 2
    assert found.gainers == (3, 96_404, 96_000)
    assert (found.losers, found.unchanged) == ((0, 0, 0), 1)
    assert [decile.from_minor for decile in found.deciles] == [55, 900, 5_500, 1_100_000]
    assert [found.in_force.limited, found.in_force.rounded] == [16_000, 0]  # 20,000 came back of 1,100,000
    assert found.in_force.tiers[0].brought == 20_101


def test_residents_who_spent_the_same_are_in_order_of_their_refunds() -> None:
    people = [Person(UUID(int=n), {tier: [1_100] + [0] * 11}) for n, tier in enumerate(["standard", "reduced"])]
    rules = rules_of(JP_2015, 2017)
    for order in (people, people[::-1]):
        found = compare([([person], [person]) for person in order], rules, rules)
        assert [decile.in_force_minor for decile in found.deciles] == [0, 20]


def test_what_single_purchases_bring_is_what_the_tiers_bring() -> None:
    person = Person(UUID(int=1), {"reduced": [220] + [0] * 11}, {"reduced": [6] + [0] * 11}, [2] + [0] * 11)
    rules = rules_of(SHIPPED["jp-2019"], 2017)
    outcome = compare([([person], [person])], rules, rules).other
    assert [outcome.cost_minor, outcome.limited, outcome.rounded] == [6, 0, 0]
    assert {tier.tier: tier.brought for tier in outcome.tiers}["reduced"] == 6


def test_a_year_without_purchases_says_that_there_is_nothing_to_compute_with() -> None:
    nobody = [Person(UUID(int=1), {})]
    with pytest.raises(NothingRecorded):
        compare([(nobody, nobody)], rules_of(JP_2015, 2017), rules_of(JP_2015, 2017))


def test_a_scheme_that_fits_the_year_keeps_its_rates_and_rules() -> None:
    fitted = put_on_2017(JP_2015)
    assert lines_of_year(fitted, 2017) == lines_of_year(JP_2015, 2017)
    assert fitted.refund == JP_2015.refund


@pytest.mark.parametrize("scheme", SHIPPED.values(), ids=lambda scheme: scheme.code)
def test_every_shipped_scheme_can_be_put_on_the_recorded_year(scheme: Scheme) -> None:
    missing = {tier: scheme.tiers[-1].code for tier, _ in JANUARY if tier not in {t.code for t in scheme.tiers}}
    rate = None if scheme.currency == "JPY" else Decimal(130)
    fitted = put_on_2017(scheme, tiers=missing, exchange_rate=rate)
    lines = lines_of_year(fitted, 2017)
    assert {line.tier for line in lines} == {"reduced", "standard"}
    assert all(line.first_month <= 12 for line in lines)
    assert fitted.currency == "JPY"


def test_rates_of_another_year_are_applied_month_by_month() -> None:
    lines = lines_of_year(put_on_2017(ZERO_FOOD, as_of=2027), 2017)
    food = [(line.first_month, line.last_month, line.rate) for line in lines if line.tier == "reduced"]
    assert food == [(1, 3, Decimal("0.08")), (4, 12, Decimal(0))]


def test_what_is_collected_is_taken_of_the_same_year_as_the_rates() -> None:
    raised = msgspec.structs.replace(
        JP_2015, collected=[*JP_2015.collected, DatedRate(date(2020, 7, 1), Decimal("0.15"))]
    )
    lines = lines_of_year(put_on_2017(raised, as_of=2020), 2017)
    food = [(line.first_month, line.last_month, line.collected) for line in lines if line.tier == "reduced"]
    assert food == [(1, 6, Decimal("0.10")), (7, 12, Decimal("0.15"))]


def test_amounts_of_another_currency_are_converted_once_to_the_nearest_yen() -> None:
    fitted = put_on_2017(ITALY, tiers={"reduced": "purchase", "standard": "purchase"}, exchange_rate=Decimal("130.37"))
    assert fitted.refund.purchase is not None
    assert fitted.refund.purchase.cap == 1956  # €15.00 at 130.37 is 1,955.55
    assert [limit.cap.amount for limit in fitted.refund.limits if limit.cap] == [19_556]  # €150.00: 19,555.5
    assert [limit.at_least.purchases for limit in fitted.refund.limits if limit.at_least] == [50]


def test_what_does_not_fit_is_named_with_what_to_say() -> None:
    with pytest.raises(TierMissing, match=r"reduced, standard\. It has: purchase\..*--tier reduced=TIER"):
        put_on_2017(ITALY)
    with pytest.raises(TierMissing, match=r"has no tier food\. It has: purchase\."):
        put_on_2017(ITALY, tiers={"reduced": "purchase", "standard": "food"})
    with pytest.raises(AssumptionUnused, match="no tier rice"):
        put_on_2017(JP_2015, tiers={"rice": "reduced"})
    with pytest.raises(CurrencyDiffers, match="what one EUR is in JPY"):
        put_on_2017(ITALY, tiers={"reduced": "purchase", "standard": "purchase"})
    with pytest.raises(AssumptionUnused, match="nothing to exchange"):
        put_on_2017(JP_2015, exchange_rate=Decimal(1))
    with pytest.raises(RateMissing, match=r"no rate for reduced in 2014-01; its rates start on 2015-01-01.*--as-of"):
        put_on_2017(JP_2015, as_of=2014)


def test_what_is_assumed_is_said_in_both_languages() -> None:
    assumed = Assumptions({"reduced": "purchase"}, 2021, Decimal("130.5"))
    said = list(assumptions_in_words(ITALY, recorded=JP_2015, assumed=assumed))
    assert "“Food and drink” is taken as the scheme's “Every purchase”" in said[0].en
    assert "2021年の税率" in said[1].ja
    assert "130.5 JPY for 1 EUR" in said[2].en
