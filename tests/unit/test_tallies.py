from collections import Counter
from datetime import UTC, datetime
from operator import itemgetter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from apps.accruals.tallies import Counted, first_uses, tally


def entry(resident: int, month: int, amounts: dict[str, int]) -> Counted:
    return Counted(
        UUID(int=resident), 2017, 1, 1, 1, 1, month, datetime(2017, month, 1, tzinfo=UTC), 1, 1,
        "sale", None, None, tuple(amounts), tuple(amounts.values()), (1,) * len(amounts),
    )  # fmt: skip


entries = st.lists(
    st.builds(
        entry,
        st.integers(1, 3),
        st.integers(1, 12),
        st.dictionaries(st.sampled_from(["reduced", "standard"]), st.integers(1, 10**12), min_size=1),
    )
)


@given(entries)
def test_what_is_tallied_adds_up_to_what_was_bought(counted: list[Counted]) -> None:
    tallied = [added for _, months in tally(counted) for added in months.values()]
    assert sum(t.amount_minor for t in tallied) == sum(sum(e.amounts_minor) for e in counted)
    assert sum(t.purchases for t in tallied) == sum(len(e.tiers) for e in counted)


@given(entries)
def test_totals_come_in_one_order_whatever_the_order_of_purchases(counted: list[Counted]) -> None:
    assert tally(counted) == sorted(tally(counted), key=itemgetter(0)) == tally(counted[::-1])


@given(st.lists(st.tuples(st.integers(1, 2), st.integers(1, 6))), st.sets(st.integers(1, 6)))
def test_each_counter_of_a_card_is_used_first_exactly_once(taps: list[tuple[int, int]], used: set[int]) -> None:
    first = first_uses(taps, {1: [(counter, counter + 1) for counter in used]})
    accepted = Counter(tap for tap, is_first in zip(taps, first, strict=True) if is_first)
    fresh = {tap for tap in taps if tap[0] != 1 or tap[1] not in used}
    assert accepted == Counter(fresh)
