"""The national sample's pure parts: who buys what, tokens of the pool, and the arithmetic for Japan."""

import math
import re
from array import array
from collections import Counter, defaultdict
from datetime import date
from fractions import Fraction

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from kanpu_pos import Return, Sale, VirtualCard, Void, from_json, line
from kanpu_pos.token import token_context

from apps.kernel.rounding import refund_fraction_jp
from apps.purchases.records import Record, read_record
from apps.residents.tokens import TokenUnreadable, card_key, cryptogram_fits, open_token
from bench.year import growth, japan, prices, records
from bench.year.ledger import CAP_MINOR, Ledger, added, refund_minor
from bench.year.loading import Cards
from bench.year.play import leg_ends
from bench.year.purchases import Event, Region
from bench.year.sample import DAYS, RETURN_DAYS, Sample, sales_of_days, shares, tills
from bench.year.tokens import encapsulate, seal

SMALL = Sample(residents=2_000, purchases=20_000, seed=7)
ISSUER_KEY = bytes(range(32))
MEASURED = {
    "accept_us": 40.0, "accept_db_us": 10.0, "count_us": 90.0, "count_db_us": 25.0, "archive_us": 5.0,
    "db_bytes": 600.0,
    "wal_bytes": 900.0, "archive_bytes": 30.0, "sent_bytes": 230.0, "assess_us": 8.0, "verify_us": 0.2,
}  # fmt: skip


@pytest.fixture(scope="module")
def year() -> list[tuple[int, Event]]:
    region = Region(SMALL, 0)
    return [(day, event) for day in range(len(DAYS)) for event in region.day(day)]


@given(st.integers(0, 10**7), st.lists(st.floats(0.01, 100), min_size=1, max_size=400))
def test_shares_add_up_to_the_whole_and_each_is_near_its_weight(total: int, weights: list[float]) -> None:
    parts = shares(total, weights)
    assert sum(parts) == total
    assert all(abs(part - total * weight / sum(weights)) <= 1.001 for part, weight in zip(parts, weights, strict=True))


def test_the_year_has_all_its_purchases_and_is_busiest_on_new_years_eve() -> None:
    daily = sales_of_days(1_000_000)
    assert sum(daily) == 1_000_000
    assert DAYS[daily.index(max(daily))] == date(2017, 12, 31)
    assert DAYS[daily.index(min(daily))] == date(2017, 1, 1)
    assert sum(daily[334:]) / 31 > 1.15 * sum(daily[:334]) / 334


def test_shops_follow_zipfs_law_and_large_ones_have_more_tills() -> None:
    of_shop: dict[int, list[float]] = defaultdict(list)
    for till in tills(Sample(100_000, 10_000_000, 1), 0):
        of_shop[till.shop].append(till.weight)
    assert all(math.isclose(sum(weights), 1 / (shop + 1)) for shop, weights in of_shop.items())
    assert len(of_shop[0]) > 10 * len(of_shop[99])


def test_the_same_seed_makes_the_same_purchases_and_another_seed_others(year: list[tuple[int, Event]]) -> None:
    again, other = Region(SMALL, 0), Region(Sample(2_000, 20_000, 8), 0)
    first = [event for day, event in year if day < 30]
    assert [event for day in range(30) for event in again.day(day)] == first
    seconds = {event.second for event in first}
    assert len(seconds & {event.second for day in range(30) for event in other.day(day)}) < 0.5 * len(seconds)


def test_both_regions_together_have_all_residents_and_purchases() -> None:
    parts = [Sample(7, 101, 1).of_region(region) for region in range(2)]
    assert (sum(part.residents for part in parts), sum(part.purchases for part in parts)) == (7, 101)


def test_a_cancellation_names_an_earlier_sale_and_takes_no_more_than_was_sold(year: list[tuple[int, Event]]) -> None:
    region, seqs = Region(SMALL, 0), Counter[int]()
    sold: dict[tuple[int, int], tuple[int, Event]] = {}
    named = set()
    for day, event in year:
        seqs[event.till] += 1
        if event.of is None:
            sold[event.till, seqs[event.till]] = (day, event)
            continue
        sold_day, sale = sold[event.of]
        assert event.of not in named, "a sale is cancelled once"
        named.add(event.of)
        assert event.resident == sale.resident
        assert all(0 < amount <= dict(sale.amounts)[tier] for tier, amount in event.amounts)
        if event.kind == "void":
            assert (event.till, event.amounts, day) == (event.of[0], sale.amounts, sold_day)
        else:
            assert region.tills[event.till].merchant == region.tills[event.of[0]].merchant
            assert sold_day < day <= sold_day + RETURN_DAYS
    assert len(named) / len(sold) == pytest.approx(0.015, abs=0.004)


def test_the_ledger_knows_what_is_left_of_every_residents_year(year: list[tuple[int, Event]]) -> None:
    ledger, left = Ledger(SMALL.of_region(0).residents), Counter[tuple[int, str]]()
    for _, event in year:
        ledger.add(event)
        left.update({(event.resident, tier): amount for tier, amount in event.amounts if event.kind == "sale"})
        left.subtract({(event.resident, tier): amount for tier, amount in event.amounts if event.kind != "sale"})
    totals = ledger.totals()
    assert totals["sales"] == 10_000 == totals["entries"] - totals["voids"] - totals["returns"]
    assert totals["spend_minor"]["reduced"] == sum(amount for (_, tier), amount in left.items() if tier == "reduced")
    assert totals["refund_minor"] == sum(
        refund_minor(amount) for (_, tier), amount in left.items() if tier == "reduced"
    )
    assert added([totals, totals])["spend_minor"]["standard"] == 2 * totals["spend_minor"]["standard"]


@given(st.integers(0, 10**9))
def test_the_ledgers_refund_is_the_schemes(spend_minor: int) -> None:
    assert refund_minor(spend_minor) == min(refund_fraction_jp(Fraction(spend_minor * 2, 110)), CAP_MINOR)


def test_records_are_what_the_tills_library_writes_and_the_server_reads() -> None:
    at, token, of, lines = (
        "2017-03-05T09:00:01+09:00",
        "kt1." + "A" * 114,
        ("year-0-1-1", 3),
        (("reduced", 540), ("standard", 9)),
    )
    for written, record in (
        (records.sale(4, at, token, lines), Sale(seq=4, at=at, lines=lines, card=token)),
        (records.returned(5, at, of, lines[:1]), Return(seq=5, at=at, of=of, lines=lines[:1])),
        (records.void(6, at, of), Void(seq=6, at=at, of=of)),
    ):
        assert written.sent == record.to_json()
        assert from_json(written.sent) == record
        read = read_record(written.sent)
        assert isinstance(read, Record)
        assert read.line == line(record) == written.line


def test_tokens_of_the_pool_open_by_the_ordinary_code_each_for_its_purchase_alone() -> None:
    private_key, card_id = X25519PrivateKey.generate(), bytes(range(16))
    key = card_key(ISSUER_KEY, card_id)
    cards, card = Cards(bytes(16) + card_id, bytes(32) + key, array("I", [0, 0])), VirtualCard(card_id, key)
    pool = [encapsulate(3, private_key.public_key()) for _ in range(2)]
    tokens = set()
    for seq in range(1, 7):
        context = token_context("year-0-1-1", seq)
        answer = cards.tap(1, context)
        assert answer == card.tap(context)
        token = seal(pool[seq % 2], answer, context)
        opened = open_token(token, context, {3: private_key})
        assert (opened.key_id, opened.tap.card_id, opened.tap.counter) == (3, card_id, seq)
        assert cryptogram_fits(opened.tap, key, context)
        with pytest.raises(TokenUnreadable):
            open_token(token, token_context("year-0-1-1", seq + 1), {3: private_key})
        tokens.add(token[50:])
    assert len(tokens) == 6


def test_legs_end_where_their_purchases_are_reached() -> None:
    ends = leg_ends(SMALL, 20)
    assert len(ends) == 20
    assert ends[-1] == 365
    daily = [sum(pair) for pair in zip(*(sales_of_days(SMALL.of_region(r).purchases) for r in range(2)), strict=True)]
    for number, end in enumerate(ends[:-1], 1):
        assert sum(daily[: end - 1]) < number * 1_000 <= sum(daily[:end])


def test_what_japan_needs_is_the_product_that_its_arithmetic_says() -> None:
    found = {figure.name: figure for figure in japan.figures(MEASURED)}
    assert found["purchases_a_year"].value == 109_500_000_000
    assert found["worker_cores"].value == pytest.approx(90 * 21_000 * 2 / 1e6)
    assert found["db_tb_a_year"].value == pytest.approx(600 * 109.5e9 / 1e12)
    assert found["db_machines_for_disk"].value == math.ceil(600 * 109.5e9 / 1e12 * 7 * 3 / 0.7 / 32)
    assert found["disks_yen"].value == pytest.approx(65.7 * 7 * 3 / 0.7 * 1_000 * 0.221 * 12 * 157)
    parts = ("machines_yen", "disks_yen", "archive_yen", "backup_yen", "log_yen", "in_yen")
    assert found["yen_a_resident"].value == pytest.approx(sum(found[name].value for name in parts) / 125e6)
    assert found["worker_cores"].arithmetic == (
        "count_us * peak_per_s * headroom / million = 90 * 21,000 * 2 / 1,000,000 = 3.78"
    )


def test_every_figure_given_or_measured_is_used_and_named_once() -> None:
    named = [row.name for row in (*prices.GIVEN, *japan.DERIVED, *japan.FORMULAS)] + list(japan.MEASURED)
    assert len(named) == len(set(named))
    used = {name for formula in japan.FORMULAS for name in re.findall(r"[a-z][a-z0-9_]*", formula.formula)}
    assert used - set(named) == {"ceil", "max"}
    assert {row.name for row in (*prices.GIVEN, *japan.DERIVED)} | set(japan.MEASURED) <= used
    assert set(MEASURED) == set(japan.MEASURED)


@pytest.mark.parametrize(
    ("most", "expected"), [(20.3, [0, 5, 10, 15, 20, 25]), (0.2, [0, 0.05, 0.1, 0.15, 0.2]), (1, None)]
)
def test_axes_have_round_ticks_up_to_the_largest_value(most: float, expected: list[float] | None) -> None:
    found = growth.ticks(most)
    assert found[-1] >= most > found[-2]
    assert 4 <= len(found) <= 9
    assert expected is None or found == expected


def test_the_chart_is_well_formed_and_names_its_lines() -> None:
    lines = [growth.Line("count & more", [(1, 10), (20, 200)]), growth.Line("load", [(1, 5), (20, 100)])]
    drawn = growth.drawing("Growth", "What grew", [growth.Panel("CPU, s", lines, straight=True)])
    assert drawn.startswith("<svg ")
    assert "count &amp; more" in drawn
    assert "purchases, million" in drawn
