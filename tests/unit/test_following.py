"""What is left of a sale: in whatever order its returns, voids and corrections come, the same."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.purchases.following import Fate, Followed, Follower, Key, Original, follow
from tests.unit.test_records import THIS_YEAR, TOKYO, YEAR

RULES = [YEAR, THIS_YEAR]
SALE_AT = "2017-08-03T09:30:00+09:00"
RECEIVED_AT = datetime(2018, 1, 15, tzinfo=UTC)
SALE = Key(1, 10)


def text(amounts: dict[str, int]) -> str:
    return ",".join(f"{tier}={amount}" for tier, amount in amounts.items())


def original(amounts: dict[str, int], code: str = "", at: str = SALE_AT) -> Original:
    return Original(SALE, f"10\n{at}\nsale\n-\n-\n{text(amounts)}", code)


def follower(
    kind: str, seq: int, amounts: dict[str, int] | None = None, *, of: Key = SALE, terminal: int = 1, sold_at: str = ""
) -> Follower:
    rest = f"{sold_at}@{text(amounts or {})}" if sold_at else text(amounts or {})
    line = f"{seq}\n2018-01-02T00:00:00Z\n{kind}\n-\nshop-{of.terminal_id}:{of.seq}\n{rest}"
    return Follower(Key(terminal, seq), of, RECEIVED_AT, line)


def left(sale: Original, *followers: Follower) -> dict[str, int]:
    return dict(follow(sale, followers, RULES).left)


def fate(done: Followed, seq: int, terminal: int = 1) -> Fate:
    return done.fates[Key(terminal, seq)]


def test_a_return_takes_its_goods_and_a_full_one_leaves_nothing() -> None:
    sale = original({"reduced": 1000, "books": 500})
    assert left(sale, follower("return", 11, {"reduced": 400})) == {"reduced": 600, "books": 500}
    assert left(sale, follower("return", 11, {"reduced": 1000, "books": 500})) == {}


def test_more_returned_than_sold_is_refused_with_what_is_left() -> None:
    done = follow(
        original({"reduced": 1000}),
        [follower("return", 11, {"reduced": 400}), follower("return", 3, {"reduced": 601}, terminal=2)],
        RULES,
    )
    assert fate(done, 11) == ("counted", "", "")
    assert fate(done, 3, terminal=2) == ("rejected", "return_exceeds_sale", "reduced=600")
    assert done.left == {"reduced": 600}


def test_a_void_takes_what_is_left_and_ends_the_sale() -> None:
    done = follow(
        original({"reduced": 1000}),
        [follower("return", 11, {"reduced": 400}), follower("void", 12), follower("void", 13),
         follower("correction", 14, {"reduced": 5}), follower("return", 15, {"reduced": 1})],
        RULES,
    )  # fmt: skip
    assert done.left == {}
    assert fate(done, SALE.seq).status == "voided"
    assert [fate(done, seq)[:2] for seq in (11, 12, 13, 14, 15)] == [
        ("counted", ""),
        ("counted", ""),
        ("rejected", "already_void"),
        ("rejected", "already_void"),
        ("rejected", "return_exceeds_sale"),
    ]


def test_a_voided_return_gives_its_goods_back() -> None:
    returned = follower("return", 11, {"reduced": 400})
    assert left(original({"reduced": 1000}), returned, follower("void", 12, of=returned.key)) == {"reduced": 1000}


def test_a_return_can_be_corrected() -> None:
    returned = follower("return", 11, {"reduced": 4000})
    done = follow(
        original({"reduced": 1000}), [returned, follower("correction", 12, {"reduced": 400}, of=returned.key)], RULES
    )
    assert done.left == {"reduced": 600}
    assert fate(done, 11).status == fate(done, 12).status == "counted"


def test_the_last_correction_by_number_stands_and_keeps_the_corrected_time() -> None:
    first = follower("correction", 11, {"reduced": 700}, sold_at="2017-12-31T23:00:00+09:00")
    second = follower("correction", 12, {"books": 300})
    for followers in permutations([first, second]):
        done = follow(original({"reduced": 1000}), followers, RULES)
        assert done.sold
        assert (done.sold.at, done.sold.year) == (datetime(2017, 12, 31, 23, tzinfo=TOKYO), 2017)
        assert done.left == {"books": 300}


@pytest.mark.parametrize("code", ["tier_unknown", "amount_invalid"])
def test_a_refused_sale_is_mended_by_a_correction(code: str) -> None:
    sale = original({"foood": 1000}, code)
    assert left(sale) == {}
    assert left(sale, follower("correction", 11, {"reduced": 1000})) == {"reduced": 1000}


def test_a_wrong_clock_is_mended_by_the_time_of_sale() -> None:
    sale = original({"reduced": 1000}, "from_the_future", at="2217-08-03T09:30:00+09:00")
    done = follow(sale, [follower("correction", 11, {"reduced": 1000})], RULES)
    assert fate(done, 11)[:2] == ("rejected", "year_not_open")
    assert left(sale, follower("correction", 11, {"reduced": 1000}, sold_at=SALE_AT)) == {"reduced": 1000}


def test_a_correction_after_the_filing_deadline_is_too_late_and_a_return_is_not() -> None:
    late = YEAR.deadline_at + timedelta(days=1)
    correction = Follower(Key(1, 11), SALE, late, follower("correction", 11, {"reduced": 2000}).line)
    returned = Follower(Key(1, 12), SALE, late, follower("return", 12, {"reduced": 1}).line)
    done = follow(original({"reduced": 1000}), [correction, returned], RULES)
    assert fate(done, 11)[:2] == ("rejected", "year_closed")
    assert done.left == {"reduced": 999}


def test_what_names_neither_sale_nor_return_is_refused() -> None:
    correction = follower("correction", 11, {"reduced": 1})
    done = follow(original({"reduced": 1000}), [correction, follower("void", 12, of=correction.key)], RULES)
    assert fate(done, 12)[:2] == ("rejected", "of_not_a_sale")


amounts = st.dictionaries(st.sampled_from(["reduced", "books"]), st.integers(1, 1000), min_size=1)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Original, list[Follower]]:
    """A sale and what may follow it, without more returned than there is after the last correction."""
    refused = draw(st.booleans())
    sale = original(draw(amounts), "tier_unknown" if refused else "")
    corrections = [
        follower("correction", 11 + i, new, sold_at=draw(st.sampled_from(["", "2017-12-31T23:00:00+09:00"])))
        for i, new in enumerate(draw(st.lists(amounts, max_size=3)))
    ]
    room = dict(follow(sale, corrections, RULES).left)
    followers = list(corrections)
    for i in range(draw(st.integers(0, 4))):
        back = {tier: draw(st.integers(1, most)) for tier, most in room.items() if most > 0 and draw(st.booleans())}
        if not back:
            continue
        returned = follower("return", 20 + 3 * i, back, terminal=draw(st.sampled_from([1, 2])))
        followers.append(returned)
        if draw(st.booleans()):
            own = returned.key.terminal_id
            followers.append(follower("void", 21 + 3 * i, of=returned.key, terminal=own))
        else:
            room = {tier: most - back.get(tier, 0) for tier, most in room.items()}
    if draw(st.booleans()):
        followers.append(follower("void", 40))
    return sale, followers


@given(histories(), st.data())
def test_the_same_records_leave_the_same_in_any_order(
    history: tuple[Original, list[Follower]], data: st.DataObject
) -> None:
    sale, followers = history
    expected = follow(sale, followers, RULES)
    shuffled = follow(sale, data.draw(st.permutations(followers)), RULES)
    assert (shuffled.left, shuffled.sold, shuffled.voided) == (expected.left, expected.sold, expected.voided)


@given(histories())
def test_what_is_left_is_never_less_than_nothing_nor_more_than_was_sold(
    history: tuple[Original, list[Follower]],
) -> None:
    done = follow(*history, RULES)
    sold = done.sold.amounts if done.sold else {}
    assert all(0 < amount <= sold[tier] for tier, amount in done.left.items())
    assert {f.key for f in history[1]} <= set(done.fates)
