"""What the office rules about a sale, beside what its till sends: one function of all, in whatever order it came."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from apps.kernel.periods import Period
from apps.purchases.acceptance import YearRules
from apps.purchases.following import Follower, Key, Original
from apps.purchases.rulings import OFFICE, Ruling, follow_ruled, is_withdrawn, less_returned, takes_off

NOW = datetime(2017, 12, 1, tzinfo=UTC)
TIERS = ("exempt", "reduced", "standard")
AMOUNTS = st.dictionaries(st.sampled_from(TIERS), st.integers(1, 1000), min_size=1)
YEARS = [
    YearRules(
        2017,
        datetime(2016, 12, 31, 15, tzinfo=UTC),
        datetime(2017, 12, 31, 15, tzinfo=UTC),
        datetime(2018, 3, 15, 15, tzinfo=UTC),
        ZoneInfo("Asia/Tokyo"),
        {tier: [Period(date(2017, 1, 1), None)] for tier in TIERS} | {"late": [Period(date(2017, 10, 1), None)]},
    )
]
SALE = Original(Key(1, 1), "1\n2017-08-03T10:00:00+09:00\nsale\n-\n-\nreduced=1000,standard=500")


def record(kind: str, seq: int, lines: str = "", of: Key = SALE.key, terminal_id: int = 1) -> Follower:
    return Follower(Key(terminal_id, seq), of, NOW, f"{seq}\n2017-08-04T10:00:00+09:00\n{kind}\n-\nx:1\n{lines}")


def ruled(kind: str, lines: str = "", seq: int = 1) -> Follower:
    return record(kind, seq, lines, terminal_id=OFFICE)


def left(followers: Sequence[Follower], rulings: Sequence[Follower]) -> dict[str, int]:
    return dict(follow_ruled(SALE, followers, rulings, YEARS).left)


def test_an_amendment_stands_in_place_of_the_tills_amounts_and_of_its_corrections() -> None:
    amend = [ruled(Ruling.AMEND, "reduced=1500")]
    assert left([], amend) == {"reduced": 1500}
    assert left([record("correction", 2, "standard=7")], amend) == {"reduced": 1500}
    assert follow_ruled(SALE, [], amend, YEARS).sold == (datetime(2017, 8, 3, 1, tzinfo=UTC), 2017, {"reduced": 1500})


def test_the_last_amendment_stands_and_says_nothing_about_whether_the_sale_counts() -> None:
    rulings = [ruled(Ruling.DENY), ruled(Ruling.AMEND, "reduced=1", 2), ruled(Ruling.AMEND, "standard=2", 3)]
    assert left([], rulings) == {"standard": 2}
    assert takes_off(rulings)
    assert not takes_off([ruled(Ruling.AMEND, "reduced=1")])
    assert is_withdrawn([ruled(Ruling.WITHDRAW), ruled(Ruling.AMEND, "reduced=1", 2)])


def test_a_void_ends_an_amended_sale() -> None:
    assert left([record("void", 2)], [ruled(Ruling.AMEND, "reduced=1500")]) == {}


def test_returns_are_fitted_to_what_the_till_sold_and_taken_off_the_amended_amounts() -> None:
    back = record("return", 9, "standard=300", terminal_id=2)
    amend = [ruled(Ruling.AMEND, "reduced=1500")]
    followed = follow_ruled(SALE, [back], amend, YEARS)
    assert followed.left == {"reduced": 1200}
    assert followed.fates[back.key].status == "counted"
    too_much = record("return", 9, "reduced=1001", terminal_id=2)
    assert follow_ruled(SALE, [too_much], amend, YEARS).fates[too_much.key].code == "return_exceeds_sale"


def test_an_amendment_to_a_tier_that_is_not_in_force_at_the_sales_time_counts_for_nothing() -> None:
    amend = [ruled(Ruling.AMEND, "late=1500")]
    assert left([], amend) == {"reduced": 1000, "standard": 500}
    moved = record("correction", 2, "2017-11-03T10:00:00+09:00@reduced=1000")
    assert left([moved], amend) == {"late": 1500}


@given(amounts=AMOUNTS, returned=AMOUNTS)
def test_nothing_is_lost_and_nothing_below_zero_when_returns_are_taken_off(
    amounts: dict[str, int], returned: dict[str, int]
) -> None:
    found = less_returned(amounts, returned)
    assert all(amount > 0 for amount in found.values())
    assert sum(found.values()) == max(0, sum(amounts.values()) - sum(returned.values()))
    assert found == less_returned(amounts, dict(reversed(returned.items())))
    assert all(found.get(tier, 0) <= amount for tier, amount in amounts.items())


@given(events=st.permutations([0, 1, 2, 3]), amended=AMOUNTS)
def test_it_does_not_matter_in_which_order_till_and_office_say_something(
    events: list[int], amended: dict[str, int]
) -> None:
    lines = ",".join(f"{tier}={amount}" for tier, amount in amended.items())
    all_of_it = [
        record("correction", 2, "reduced=900,standard=500"),
        record("return", 9, "reduced=200", terminal_id=2),
        record("correction", 3, "2017-08-05T10:00:00+09:00@reduced=1000,standard=500"),
        ruled(Ruling.AMEND, lines),
    ]
    came = [all_of_it[number] for number in events]
    till = [one for one in came if one.key.terminal_id != OFFICE]
    found = follow_ruled(SALE, till, [one for one in came if one not in till], YEARS)
    assert found.left == less_returned(amended, {"reduced": 200})
    assert found.sold is not None
    assert found.sold.at == datetime(2017, 8, 5, 1, tzinfo=UTC)
