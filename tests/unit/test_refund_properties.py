"""What must hold for refunds under every scheme, shipped or made up."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from apps.refunds.assessment import assess_group
from apps.refunds.rules import rules_of
from apps.refunds.sharing import prorated, shares_of
from apps.schemes.document import Limit, Scheme
from apps.schemes.purchase_rule import shares_of_month
from tests.drawn import YEAR, cases, sales, schemes, shipped
from tests.golden_play import Case, Entry, people_of, play

SHIPPED = shipped()
often = settings(max_examples=60, deadline=None)
ALONE = ("person",)
any_scheme = st.one_of(st.sampled_from(SHIPPED), schemes())
any_case = any_scheme.flatmap(cases)
settled_case = any_scheme.flatmap(lambda scheme: cases(scheme, moves=False))
weights = st.lists(st.integers(-5, 1000), max_size=8)


def refunds(case: Case) -> list[int]:
    return [refund for refund, _ in play(case)]


def by_household(case: Case, of_people: Sequence[int]) -> dict[UUID | None, int]:
    """The sum of each household in which nobody moves."""
    found: dict[UUID | None, int] = defaultdict(int)
    for resident, amount in zip(case.residents, of_people, strict=True):
        found[resident.households[0]] += amount
    return dict(found)


def with_more(data: st.DataObject, case: Case) -> Case:
    """The case with one more sale, all of it of tiers that do not take from the refund."""
    ref = data.draw(st.sampled_from(case.residents)).ref
    entries = data.draw(sales(case.scheme, ref, 1000))
    month = entries[0].sold_at.astimezone(ZoneInfo(case.scheme.time_zone)).month
    shares = shares_of_month(case.scheme, YEAR, month)
    sold = {tier: amount for tier, amount in entries[0].amounts_minor.items() if shares[tier] >= 0}
    assume(sold)
    return replace(case, entries=(*case.entries, entries[0]._replace(amounts_minor=sold)))


# --- more spend ---


@often
@given(st.data())
def test_more_spend_never_lowers_a_refund_where_no_limit_is_for_a_household(data: st.DataObject) -> None:
    """Of every scheme of the kind: k, what a purchase brings, caps, thresholds and roundings all ascend."""
    scheme = data.draw(st.one_of(st.sampled_from([s for s in SHIPPED if not pools(s)]), schemes(units=ALONE)))
    case = data.draw(cases(scheme))
    more = with_more(data, case)
    assert all(after >= before for before, after in zip(refunds(case), refunds(more), strict=True))


@often
@given(st.data())
def test_more_spend_never_lowers_what_a_household_gets_together(data: st.DataObject) -> None:
    """Of every scheme, while nobody moves: a member's own share may fall when another buys more."""
    case = data.draw(settled_case)
    more = with_more(data, case)
    before, after = by_household(case, refunds(case)), by_household(case, refunds(more))
    assert all(after[household] >= before[household] for household in before)


def pools(scheme: Scheme) -> bool:
    return any(limit.unit != "person" for limit in scheme.refund.limits)


# --- caps ---

PERIODS = {"month": 1, "half_year": 6, "year": 12}


@pytest.mark.parametrize("level", PERIODS)
@often
@given(data=st.data())
def test_a_cap_holds_for_a_person_in_each_period(level: str, data: st.DataObject) -> None:
    """What is bought in one period brings no more than the cap, where fractions are rounded by person."""
    scheme = data.draw(st.one_of(st.sampled_from([s for s in SHIPPED if not pools(s)]), schemes(units=ALONE)))
    case = data.draw(cases(scheme, months=period_of(data, level)))
    for limit in caps(scheme, level, "person"):
        for resident, refund in zip(case.residents, refunds(case), strict=True):
            assert refund <= cap_of(limit, case, [resident.ref])


@pytest.mark.parametrize("level", PERIODS)
@often
@given(data=st.data())
def test_a_cap_holds_for_a_household_in_each_period(level: str, data: st.DataObject) -> None:
    """While nobody moves, a household gets no more than its limit, or than those of its members together."""
    case = data.draw(any_scheme.flatmap(lambda s: cases(s, moves=False, months=period_of(data, level))))
    for household, together in by_household(case, refunds(case)).items():
        members = [r.ref for r in case.residents if r.households[0] == household]
        for unit in ("household", "members"):
            for limit in caps(case.scheme, level, unit):
                assert together <= cap_of(limit, case, members)


def period_of(data: st.DataObject, level: str) -> tuple[int, int]:
    months = PERIODS[level]
    first = months * data.draw(st.integers(0, 12 // months - 1)) + 1
    return first, first + months - 1


def caps(scheme: Scheme, level: str, unit: str) -> list[Limit]:
    return [limit for limit in scheme.refund.limits if limit.cap and (limit.per, limit.unit) == (level, unit)]


def cap_of(limit: Limit, case: Case, members: Sequence[UUID]) -> int:
    assert limit.cap
    amounts = [
        limit.cap.amount if limit.cap.attribute is None else int(r.attributes.get(limit.cap.attribute, 0))
        for r in case.residents
        if r.ref in members
    ]
    known = [amount or 0 for amount in amounts]
    return sum(known) if limit.unit == "members" else max(known)


# --- nothing but what was bought matters ---


@often
@given(st.data())
def test_the_order_of_purchases_and_people_does_not_matter(data: st.DataObject) -> None:
    case = data.draw(any_case)
    shuffled = replace(
        case,
        residents=tuple(data.draw(st.permutations(case.residents))),
        entries=tuple(data.draw(st.permutations(case.entries))),
    )
    found = dict(zip((r.ref for r in shuffled.residents), play(shuffled), strict=True))
    assert [found[r.ref] for r in case.residents] == play(case)


@often
@given(st.data())
def test_a_full_return_undoes_a_sale(data: st.DataObject) -> None:
    case = data.draw(any_case)
    ref = data.draw(st.sampled_from(case.residents)).ref
    sale = data.draw(sales(case.scheme, ref, 1000))[0]
    back = [Entry(ref, 1000, sale.sold_at, {tier: -amount}) for tier, amount in sale.amounts_minor.items()]
    undone = replace(case, entries=(*case.entries, sale, *data.draw(st.permutations(back))))
    assert play(undone) == play(case)


@often
@given(any_case)
def test_who_shares_no_household_can_be_assessed_apart(case: Case) -> None:
    together = play(case)
    for index, resident in enumerate(case.residents):
        others = {home for other in case.residents if other != resident for home in other.households}
        if not others & {home for home in resident.households if home}:
            assert play(replace(case, residents=(resident,))) == [together[index]]


@often
@given(any_case)
def test_what_is_bought_outside_residence_brings_nothing(case: Case) -> None:
    resident = case.residents[0]
    gone = replace(case, residents=(replace(resident, households=(None,) * 12), *case.residents[1:]))
    without = replace(gone, entries=tuple(e for e in case.entries if e.resident_ref != resident.ref))
    assert play(gone)[0] == (0, False)
    assert play(gone) == play(without)


@often
@given(any_case)
def test_no_refund_is_below_0(case: Case) -> None:
    assert all(refund >= 0 for refund in refunds(case))


@often
@given(any_case)
def test_what_is_cut_explains_what_is_left(case: Case) -> None:
    for assessment in assess_group(people_of(case), rules_of(case.scheme, case.year)):
        assert assessment.brought - assessment.left == sum(cut.before - cut.after for cut in assessment.cuts)


# --- shares ---


@often
@given(settled_case)
def test_the_shares_of_a_household_add_up_to_its_rounded_sum(case: Case) -> None:
    rules = rules_of(case.scheme, case.year)
    assume(rules.pools)
    found = assess_group(people_of(case), rules)
    left = by_household(case, [assessment.left for assessment in found])
    for household, together in by_household(case, [assessment.refund_minor for assessment in found]).items():
        assert together == rules.round(Fraction(max(left[household], 0), rules.denominator))


@often
@given(st.integers(0, 10**9), weights)
def test_shares_add_up_and_each_is_the_exact_share_but_for_less_than_one(amount: int, weights: list[int]) -> None:
    parts = shares_of(amount, weights)
    heavy = sum(weight for weight in weights if weight > 0)
    assert sum(parts) == (amount if heavy else 0)
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(amount * max(weight, 0), heavy or 1)) < 1


@often
@given(st.integers(0, 10**6), st.permutations([7, 7, 3, 3, 3, 1]))
def test_of_equal_weights_the_earlier_gets_no_less(amount: int, weights: list[int]) -> None:
    of_weight: dict[int, list[int]] = defaultdict(list)
    for weight, part in zip(weights, shares_of(amount, weights), strict=True):
        of_weight[weight].append(part)
    assert all(parts == sorted(parts, reverse=True) for parts in of_weight.values())


@often
@given(st.integers(0, 10**6), st.lists(st.integers(1, 3), min_size=1, max_size=12))
def test_parts_by_months_add_up_however_often_somebody_moves(amount: int, homes: list[int]) -> None:
    places = {home: [month for month, at in enumerate(homes, start=1) if at == home] for home in homes}
    assert sum(prorated(amount, months, len(homes)) for months in places.values()) == amount
