"""Searching purchases: what the database finds is what a plain look at every purchase finds, whatever was asked."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from unicodedata import normalize
from uuid import UUID, uuid4

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accruals.models import Entry
from apps.accruals.operations.counting import count_all, count_some
from apps.accruals.queries.finding import FOUND_A_PAGE, FoundPurchase, find_purchases
from apps.accruals.queries.shown import LOOKED_AT, LatestRow, ask_newest, latest_purchases
from apps.accruals.queries.stories import story_of
from apps.accruals.searching import Booked, Search, Standing, folded
from apps.kernel.database import trip
from apps.merchants.models import Merchant, Terminal
from apps.merchants.operations import enrol_terminal
from tests.examples import examples
from tests.judging import lose, on, say
from tests.till import RawTill, send
from tests.world import YEAR, World

pytestmark = pytest.mark.django_db(transaction=True)
TIERS = ("reduced", "standard", "tobacco")
NOW = timezone.now().year


@dataclass
class Sale:
    """A sale that is booked step by step, as settling does: where it stands, and what is left of it."""

    terminal_id: int
    seq: int
    place: tuple[int, datetime]
    left: dict[str, int]
    is_off: bool = False
    steps: list[tuple[str, tuple[int, datetime], dict[str, int], int]] = field(default_factory=list)

    def book(self, kind: str, changed: dict[str, int], number: int, place: tuple[int, datetime] | None = None) -> None:
        if any(changed.values()):
            self.steps.append((kind, place or self.place, {t: a for t, a in changed.items() if a}, number))

    def entries(self, ref: UUID) -> Iterator[Entry]:
        for kind, (year, at), changed, number in self.steps:
            own = (self.terminal_id, self.seq)
            terminal_id, seq = own if kind == "sale" else (0 if kind in ("hold", "release") else own[0], number)
            of = (None, None) if kind == "sale" else own
            yield Entry(
                resident_ref=ref, tax_year=year, terminal_id=terminal_id, seq=seq, run=1, part=1, month=at.month,
                at=at, kind=kind, of_terminal_id=of[0], of_seq=of[1], tiers=list(changed),
                amounts_minor=list(changed.values()),
            )  # fmt: skip


places = st.builds(
    lambda year, day, hour: (year, datetime(year, 1, 1, 3, tzinfo=UTC) + timedelta(days=day, hours=hour)),
    st.sampled_from((YEAR, NOW)), st.integers(0, 300), st.integers(0, 3),
)  # fmt: skip
goods = st.dictionaries(st.sampled_from(TIERS), st.integers(1, 5), min_size=1)
steps = st.lists(st.tuples(st.sampled_from(("return", "void", "correction", "hold", "release")), places, goods))


@st.composite
def sales(draw: st.DrawFn) -> list[Sale]:
    """Sales of a resident with what followed them; each leaves something at one place at most."""
    found = []
    numbers = iter(range(1000, 10_000))
    for seq in range(1, draw(st.integers(0, 7)) + 1):
        sale = Sale(draw(st.sampled_from((1, 2))), seq, draw(places), draw(goods))
        sale.book("sale", sale.left, seq)
        for kind, place, amounts in draw(steps.map(lambda some: some[:3])):
            follow(sale, kind, place, amounts, next(numbers))
        found.append(sale)
    return found


def follow(sale: Sale, kind: str, place: tuple[int, datetime], amounts: dict[str, int], number: int) -> None:
    if kind in ("hold", "release"):
        if sale.is_off == (kind == "release"):
            sign = 1 if sale.is_off else -1
            sale.book(kind, {tier: sign * amount for tier, amount in sale.left.items()}, number)
            sale.is_off = not sale.is_off
        return
    after = {
        "return": {t: max(a - amounts.get(t, 0), 0) for t, a in sale.left.items()},
        "void": {},
        "correction": amounts,
    }
    target, left = (place if kind == "correction" else sale.place), after[kind]
    if not sale.is_off and target == sale.place:
        both = {*left, *sale.left}
        sale.book(kind, {tier: left.get(tier, 0) - sale.left.get(tier, 0) for tier in both}, number)
    elif not sale.is_off:
        sale.book(kind, {tier: -amount for tier, amount in sale.left.items()}, number)
        sale.book(kind, left, number, target)
    sale.place, sale.left = target, left


times, amounts = places.map(lambda place: place[1]), st.integers(-1, 8)
FILTERS = {
    "since": times, "before": times, "least_minor": amounts, "most_minor": amounts,
    "shop": st.sampled_from(("matsu", "ﾏﾙｲ", "MATSUYA", "渋谷", "%", "rival", "none")), "tier": st.sampled_from(TIERS),
    "standing": st.sampled_from(Standing),
}  # fmt: skip


@st.composite
def searches(draw: st.DrawFn) -> Search:
    """None, one or two of all there is to search by: more find next to nothing."""
    asked = draw(st.lists(st.sampled_from(sorted(FILTERS)), max_size=2, unique=True))
    return Search(**{name: draw(FILTERS[name]) for name in asked})


NAMES = {1: "Matsuya Ｇｉｎｚａ", 2: "マルイ　渋谷"}


@pytest.fixture
def two_shops(world: World) -> dict[int, int]:
    """Terminals in shops of these names, by the numbers that drawn sales have."""
    merchant, found = Merchant.objects.get(name="Rival"), {}
    for number, name in NAMES.items():
        code = f"till-{number}"
        found[number] = enrol_terminal(merchant, code, store_name=name, at=timezone.now(), actor="test").pk
    return found


def by_hand(ref: UUID, search: Search, years: tuple[int, ...], names: dict[int, str]) -> list[tuple[int, int]]:
    """Every purchase looked at, in Python: the keys of those that are to be found, in order."""
    of_sale: dict[tuple[int, int], list[Booked]] = {}
    for entry in Entry.objects.filter(resident_ref=ref):
        key = (entry.of_terminal_id or entry.terminal_id, entry.of_seq or entry.seq)
        of_sale.setdefault(key, []).append(
            Booked(entry.kind, entry.tax_year, entry.at, entry.tiers, entry.amounts_minor)
        )
    rows = [(key, folded(entries)) for key, entries in of_sale.items()]
    wanted = [
        (key, row) for key, row in rows
        if row.is_listed and row.tax_year in years
        and (search.since is None or row.at >= search.since) and (search.before is None or row.at < search.before)
        and (search.least_minor is None or sum(row.left.values()) >= search.least_minor)
        and (search.most_minor is None or sum(row.left.values()) <= search.most_minor)
        and (not search.tier or search.tier in row.left) and search.standing in ("", row.standing)
        and matches(search.shop, names[key[0]], "Rival")
    ]  # fmt: skip
    return [key for key, row in sorted(wanted, key=lambda one: (-one[1].at.timestamp(), one[0][0], -one[0][1]))]


def matches(asked: str, *names: str) -> bool:
    return any(normalize("NFKC", asked).lower() in normalize("NFKC", name).lower() for name in names)


@pytest.mark.property
@given(sales(), searches(), st.sampled_from(((YEAR,), (NOW,), (YEAR, NOW))))
@settings(max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_search_finds_what_a_look_at_every_purchase_finds(
    two_shops: dict[int, int], drawn: list[Sale], search: Search, years: tuple[int, ...]
) -> None:
    ref = uuid4()
    for sale in drawn:
        sale.terminal_id = two_shops[sale.terminal_id]
        Entry.objects.bulk_create(sale.entries(ref))
    names = {two_shops[number]: name for number, name in NAMES.items()}
    found = find_purchases(ref, search, years=years, page=1)
    expected = by_hand(ref, search, years, names)
    assert [(row.terminal_id, row.seq) for row in found.rows] == expected
    assert (found.number, found.sum_minor) == (len(expected), sum(row.total_minor for row in found.rows))


# --- as tills and residents make them ---


def found(ref: UUID, **search: str | int | datetime) -> list[FoundPurchase]:
    return find_purchases(ref, Search(**search), years=(YEAR, NOW), page=1).rows  # type: ignore[arg-type]


def test_each_purchase_stands_as_its_own_page_says(world: World, tills: tuple[RawTill, RawTill]) -> None:
    ref, (till, second) = world.residents[0], tills
    plain, returned, voided, mended, denied, confirmed, held = (
        till.sale(at=on(day), reduced=1_000 + day, standard=10) for day in range(1, 8)
    )
    send(till)
    count_all()
    lose(ref, on(5))
    second.give_back(returned, terminal=till.terminal, reduced=500)
    till.void(voided)
    till.correct(mended, reduced=7)
    send(till, *till.records[7:])
    send(second)
    count_all()
    say(ref, denied["seq"], mine=False)
    say(ref, confirmed["seq"], mine=True)
    assert {row.seq: (row.standing, row.total_minor) for row in found(ref)} == {
        plain["seq"]: ("counted", 1_011), returned["seq"]: ("corrected", 512), voided["seq"]: ("corrected", 0),
        mended["seq"]: ("corrected", 7), denied["seq"]: ("rejected", 1_015), confirmed["seq"]: ("counted", 1_016),
        held["seq"]: ("held", 1_017),
    }  # fmt: skip
    for row in found(ref):
        story = story_of(ref, row.terminal_id, row.seq)
        assert story is not None
        assert (story.standing, story.total_minor, story.tax_year, story.at, story.is_open) == (
            row.standing, row.total_minor, row.tax_year, row.at, False,
        )  # fmt: skip
        assert story_of(world.residents[1], row.terminal_id, row.seq) is None


def test_a_purchase_that_was_moved_to_another_year_is_found_there_only(world: World) -> None:
    ref, till = world.residents[0], RawTill(world)
    sale = till.sale(at=on(5), reduced=900)
    till.correct(sale, sold_at=f"{NOW}-01-01T00:00:00+09:00", reduced=900)
    send(till)
    count_all()
    for years, seqs in (((YEAR,), []), ((NOW,), [1]), ((YEAR, NOW), [1])):
        assert [row.seq for row in find_purchases(ref, Search(), years=years, page=1).rows] == seqs
    till.void(sale)
    send(till, till.records[-1])
    count_all()
    for years in ((YEAR,), (NOW,), (YEAR, NOW)):
        assert find_purchases(ref, Search(), years=years, page=1).rows == []
    terminal_id = Terminal.objects.get(code=till.terminal).pk
    story = story_of(ref, terminal_id, 1)
    assert story is not None
    assert {step.kind for step in story.steps} == {"sale", "correction", "void"}


def test_what_is_sent_but_not_booked_yet_is_said(world: World) -> None:
    ref, till = world.residents[0], RawTill(world)
    sale = till.sale(at=on(5), reduced=900)
    send(till)
    count_all()
    till.give_back(sale, reduced=400)
    send(till, till.records[-1])
    count_some(now=timezone.now())
    story = story_of(ref, Terminal.objects.get(code=till.terminal).pk, 1)
    assert story is not None
    assert (story.is_open, story.total_minor) == (True, 900)


def test_a_held_purchase_is_found_by_its_amount_and_goods(world: World) -> None:
    ref, till = world.residents[0], RawTill(world)
    till.sale(at=on(5), reduced=900, standard=100)
    till.sale(at=on(6), standard=100)
    send(till)
    count_all()
    lose(ref, on(4))
    assert [row.seq for row in found(ref, least_minor=1_000)] == [1]
    assert [row.seq for row in found(ref, tier="reduced", standing="held")] == [1]
    assert [row.seq for row in found(ref, standing="held", most_minor=999)] == [2]
    assert found(ref, standing="waiting") == []


def test_a_use_of_a_card_that_came_twice_waits_for_an_office(world: World) -> None:
    ref, till = world.residents[0], RawTill(world)
    card = world.cards[ref]
    send(till, till.sale(at=on(5), reduced=900))
    count_all()
    card.counter -= 1  # a copy of the card
    send(till, till.sale(at=on(6), reduced=900))
    count_all()
    assert [(row.seq, row.standing) for row in found(ref)] == [(2, "waiting"), (1, "counted")]


def test_a_page_past_the_last_is_the_last(world: World) -> None:
    ref, till = world.residents[0], RawTill(world)
    for _ in range(FOUND_A_PAGE + 2):
        till.sale(reduced=100)
    send(till)
    count_all()
    for page, rows in ((1, FOUND_A_PAGE), (2, 2), (99, 2)):
        page_of = find_purchases(ref, Search(), years=(YEAR,), page=page)
        assert (len(page_of.rows), page_of.number, page_of.sum_minor) == (rows, FOUND_A_PAGE + 2, 2_700)


def newest(ref: UUID) -> list[LatestRow]:
    (rows,) = trip(ask_newest(ref, YEAR))
    return latest_purchases(ref, YEAR, rows, most=5)


def test_the_newest_are_those_of_which_something_is_left(world: World) -> None:
    ref, till = world.residents[0], RawTill(world)
    sold = [till.sale(at=on(day), reduced=100 * day) for day in range(1, 9)]
    for _ in range(20):
        till.give_back(sold[6], reduced=1)
    till.void(sold[7])
    send(till)
    count_all()
    assert [row.total_minor for row in newest(ref)] == [680, 600, 500, 400, 300]


def test_of_a_purchase_of_which_not_all_was_looked_at_nothing_is_said(world: World) -> None:
    ref, till = world.residents[0], RawTill(world)
    till.sale(at=on(5), reduced=1_000)
    till.sale(at=on(6), reduced=50)
    send(till)
    count_all()
    sale = Entry.objects.get(seq=1)
    Entry.objects.bulk_create(
        Entry(
            resident_ref=ref, tax_year=YEAR, terminal_id=sale.terminal_id, seq=100 + number, run=1, part=1,
            month=sale.month, at=sale.at, kind="return", of_terminal_id=sale.terminal_id, of_seq=1, tiers=["reduced"],
            amounts_minor=[-1],
        )
        for number in range(LOOKED_AT)
    )  # fmt: skip
    assert [row.total_minor for row in newest(ref)] == [50]
