"""Planting frauds of every kind, from crude to careful, and honest acts that look like them. Pure.

What a careful fraud does is meant to be missed, and what some honest people do to be found: a table without either
would say nothing of the rules.
"""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from apps.simulator.frauds.acts import Act, Year

MINUTE: Final = timedelta(minutes=1)
# Kilometres and minutes from one till to another; how many purchases, minutes between, per cent below the limit; …
FAR_FRAUD: Final = ((400, 20), (400, 90), (120, 10), (60, 15), (25, 5), (12, 3), (60, 40), (9, 1))
FAR_HONEST: Final = (("by Shinkansen", 340, 110), ("by car", 40, 45), ("by train", 90, 70), ("next door", 3, 1))
SPLIT_FRAUD: Final = ((6, 2, 1), (5, 4, 2), (4, 8, 3), (3, 15, 5), (3, 25, 2), (2, 3, 1), (4, 5, 9))
REISSUE_FRAUD: Final = ((2, 0), (5, 0), (12, 0), (25, 0), (28, 0), (45, 0), (4, 30))
STACK_FRAUD: Final = ((20, 5), (15, 8), (10, 20), (9, 30), (8, 33), (7, 10), (12, 45))
RETURNS_FRAUD: Final = (300, 150, 90, 45)  # of a thousand sales
TIERS_FRAUD: Final = (100, 60, 40, 15)  # per cent of standard goods rung up as reduced
SPEND_FRAUD: Final = (40, 20, 12, 7, 4)  # times the median household's spend per head
CLAIMS_FRAUD: Final = (25, 15, 10, 8, 6)  # in a month
BUSINESS_FRAUD: Final = ((90, 95, 60), (70, 60, 50), (45, 90, 40), (20, 95, 45))  # round %, weekday %, purchases


def plant_all(year: Year) -> None:
    """Plant every kind, with what looks like it."""
    for plant in PLANTERS:
        plant(year)


def two_places(year: Year) -> None:
    """One card here and, minutes later, far from here."""
    for km, minutes in FAR_FRAUD:
        year.plant("card_two_places", f"{km} km in {minutes} min", _trip(year, km, minutes))
    for words, km, minutes in FAR_HONEST:
        year.plant("card_two_places", words, _trip(year, km, minutes), is_fraud=False)


def split(year: Year) -> None:
    """Several purchases a little below ten thousand, or a multiple."""
    for purchases, minutes, below in SPLIT_FRAUD:
        at, till, who = year.day(), year.till(), next(year.spare)
        acts = [
            year.sell(
                till, at + minutes * MINUTE * n, who, 10_000 * (1 + n % 2) - 100 * below + year.rng.randint(0, 20)
            )
            for n in range(purchases)
        ]
        year.plant("split_purchases", f"{purchases} purchases, {minutes} min, {below} % below", acts)
    for words, amounts in (
        ("three gift boxes", (9_800, 9_800, 9_800)), ("a family at one till", (4_210, 9_700, 1_980, 12_400)),
        ("came back twice", (9_720, 3_100, 640)), ("two big shoppings", (19_650, 9_810)),
    ):  # fmt: skip
        at, till, who = year.day(), year.till(), next(year.spare)
        acts = [year.sell(till, at + 6 * MINUTE * n, who, amount) for n, amount in enumerate(amounts)]
        year.plant("split_purchases", words, acts, is_fraud=False)


def reissue(year: Year) -> None:
    """A return, and the same goods sold to somebody else."""
    for minutes, less in REISSUE_FRAUD:
        what = f"{minutes} min later" + (f", {less} less" if less else "")
        year.plant("refund_reissue", what, _reissued(year, minutes, less))
    year.plant("refund_reissue", "wrong card, mended", _reissued(year, 1, 0), is_fraud=False)
    year.plant("refund_reissue", "exchanged for something dearer", _reissued(year, 3, -800), is_fraud=False)
    family = next(family for family in year.families[::-1] if len(family) == 4)
    acts = _reissued(year, 5, 0, who=(family[0], family[1]))
    year.plant("refund_reissue", "husband returns, wife buys again", acts, is_fraud=False)


def stacks(year: Year) -> None:
    """Somebody with a stack of cards; beside rush hours."""
    for cards, gap_s in STACK_FRAUD:
        year.plant("cards_in_a_row", f"{cards} cards, every {gap_s} s", _row_of(year, cards, gap_s, gap_s))
    for words, cards, shortest_s, longest_s in (
        ("rush hour", 25, 40, 90), ("rush hour", 12, 25, 60), ("a quick till at rush hour", 9, 22, 34),
        ("a club of six", 6, 15, 30),
    ):  # fmt: skip
        year.plant("cards_in_a_row", words, _row_of(year, cards, shortest_s, longest_s), is_fraud=False)


def returns(year: Year) -> None:
    """Merchants that take back what was never sold."""
    for number, share in enumerate(RETURNS_FRAUD):
        _give_back(year, f"Merchant {number:02}", share)
        year.plant("merchant_returns", f"{share / 10:g} % returned", merchant=f"Merchant {number:02}")
    _give_back(year, "Merchant 05", 80)
    year.plant("merchant_returns", "takes back without asking, 8 %", merchant="Merchant 05", is_fraud=False)


def tiers(year: Year) -> None:
    """Merchants that ring up standard goods as reduced; beside a shop that sells hardly any food."""
    for number, percent in enumerate(TIERS_FRAUD, start=10):
        _retier(year, f"Merchant {number:02}", percent, "standard", "reduced")
        year.plant("merchant_tiers", f"{percent} % of standard goods", merchant=f"Merchant {number:02}")
    _retier(year, "Merchant 15", 75, "reduced", "standard")
    year.plant("merchant_tiers", "sells household goods", merchant="Merchant 15", is_fraud=False)


def spend(year: Year) -> None:
    """Others buy with a household's cards; beside one that buys for a club."""
    spent = _spent(year)
    heads = sorted(sum(spent.get(one, 0) for one in family) // len(family) for family in year.families)
    median = heads[len(heads) // 2]
    for times in SPEND_FRAUD:
        who = _overspend(year, median * times)
        year.plant("spend_above_household", f"{times} times the median", household=who)
    for words, times in (("treasurer of a club", 14), ("wholesale-like family", 5)):
        year.plant("spend_above_household", words, household=_overspend(year, median * times), is_fraud=False)


def claims(year: Year) -> None:
    """Receipts that customers left, claimed by who works there; beside who forgets the card."""
    plants = [(f"{count} receipts", count, True) for count in CLAIMS_FRAUD]
    plants += [("forgets the card every day", 9, False), ("forgets the card now and then", 4, False)]
    for words, count, is_fraud in plants:
        start, till, who = year.day().replace(day=1), year.till(), next(year.spare)
        acts = []
        for n in range(count):
            act = year.sell(
                till, start + timedelta(days=n % 27, hours=n // 27, minutes=n), None, year.rng.randint(300, 4_000)
            )
            act.claimed_by = who
            acts.append(act)
        year.plant("claims_of_one_till", words, acts, is_fraud=is_fraud)


def businesses(year: Year) -> None:
    """Restaurants that buy with a resident's card; beside those who cook for many."""
    for round_percent, weekday_percent, purchases in BUSINESS_FRAUD:
        who = _cooks(year, round_percent, weekday_percent, purchases)
        what = f"{purchases} purchases, {round_percent} % round, {weekday_percent} % on weekdays"
        year.plant("like_a_business", what, household=who)
    year.plant("like_a_business", "meals for children", household=_cooks(year, 45, 95, 45), is_fraud=False)
    year.plant("like_a_business", "a big family", household=_cooks(year, 2, 40, 60), is_fraud=False)


def _trip(year: Year, km: int, minutes: int) -> list[Act]:
    at, who, origin = year.day(), next(year.spare), year.add_shop("town-hall", 0)
    there = year.add_shop(f"north-{km}", km)
    return [year.sell(origin, at, who, 1_480), year.sell(there, at + minutes * MINUTE, who, 2_390)]


def _reissued(year: Year, minutes: int, less: int, *, who: tuple[int, int] | None = None) -> list[Act]:
    one, other = who or (next(year.spare), next(year.spare))
    at, till, amount = year.day(), year.till(), year.rng.randint(3_000, 30_000)
    sale = year.sell(till, at - timedelta(days=2), one, amount)
    back = year.take_back(sale, at)
    return [back, year.sell(till, at + minutes * MINUTE, other, amount - less)]


def _row_of(year: Year, cards: int, shortest_s: int, longest_s: int) -> list[Act]:
    people = year.rng.sample([one for family in year.families for one in family], cards)
    at, till, acts = year.day().replace(hour=4), year.till(), []  # the shops are closed then
    for who in people:
        acts.append(year.sell(till, at, who, year.rng.randint(300, 6_000)))
        at += timedelta(seconds=year.rng.randint(shortest_s, longest_s))
    return acts


def _give_back(year: Year, merchant: str, of_thousand: int) -> None:
    returned = {act.of for act in year.acts}
    for sale in [act for act in year.acts if act.of is None and year.shops[act.till].merchant == merchant]:
        if sale not in returned and sale.who is not None and year.rng.randrange(1000) < of_thousand:
            year.take_back(sale, sale.at + year.rng.randint(1, 9) * MINUTE)


def _retier(year: Year, merchant: str, percent: int, tier: str, into: str) -> None:
    for act in [act for act in year.acts if year.shops[act.till].merchant == merchant and act.of is None]:
        if tier in act.lines and year.rng.randrange(100) < percent:
            act.lines[into] = act.lines.get(into, 0) + act.lines.pop(tier)
    for act in year.acts:
        if act.of is not None:
            act.lines = dict(act.of.lines)


def _spent(year: Year) -> dict[int, int]:
    spent: dict[int, int] = {}
    for act in year.acts:
        if act.who is not None:
            spent[act.who] = spent.get(act.who, 0) + sum(act.lines.values()) * (1 if act.of is None else -1)
    return spent


def _overspend(year: Year, per_head: int) -> int:
    """Let a member of a family buy until all of it together has spent so much per head. Returns who."""
    who = next(year.spare)
    family = next(family for family in year.families if who in family)
    spent = _spent(year)
    missing = per_head * len(family) - sum(spent.get(one, 0) for one in family)
    till = year.till()
    while missing > 0:
        amount = min(missing, year.rng.randint(4_000, 40_000))
        at = year.day() + timedelta(minutes=year.rng.randrange(600))
        year.sell(till, at, who, amount, "standard")
        missing -= amount
    return who


def _cooks(year: Year, round_percent: int, weekday_percent: int, purchases: int) -> int:
    counts = Counter(act.who for act in year.acts)
    who, till = min((next(year.spare) for _ in range(12)), key=lambda one: counts[one]), year.till()
    for _number in range(purchases):
        at = year.day()
        is_weekday = year.rng.randrange(100) < weekday_percent
        while (at.weekday() < 5) != is_weekday:
            at += timedelta(days=1)
        amount = year.rng.randint(30, 120) * 500
        is_round = year.rng.randrange(100) < round_percent
        year.sell(
            till, at + year.rng.randrange(300) * MINUTE, who, amount if is_round else amount + year.rng.randint(1, 499)
        )
    return who


PLANTERS: Final[tuple[Callable[[Year], None], ...]] = (
    two_places, split, reissue, stacks, returns, tiers, spend, claims, businesses,
)  # fmt: skip
