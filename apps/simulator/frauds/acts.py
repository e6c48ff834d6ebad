"""What happens at tills in a year, and what of it is fraud: before tills give numbers. Pure."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from apps.simulator.baskets import JAPAN, Basket

Place = tuple[str, str]  # degrees north and east
TOWN: Final = (35.68, 139.77)
TRADES: Final = ("5611", "5891")
MERCHANTS: Final = 40
RETURNED_PERCENT: Final = (5, 30)  # of a thousand sales, from and to, by merchant


@dataclass(slots=True, eq=False)
class Act:
    """A sale, or the return of one. Without `who` there was no card, and `claimed_by` claims the sale by its code.

    `copied` is the sale whose tap a copy of the card repeats. `seq` and `counter` are given once all is known.
    """

    till: str
    at: datetime
    who: int | None
    lines: dict[str, int]
    of: "Act | None" = None
    claimed_by: int | None = None
    copied: "Act | None" = None
    seq: int = 0
    counter: int = 0


@dataclass(frozen=True, slots=True)
class Planted:
    """Something planted for a rule: fraud, or honest and only like it. `what` says how strong it is.

    It is known by its acts, or by what the alarm must be of: a merchant, a household, what its key begins with.
    """

    rule: str
    is_fraud: bool
    what: str
    acts: tuple[Act, ...] = ()
    merchant: str = ""
    household: int = 0
    key: str = ""


@dataclass(frozen=True, slots=True)
class Shop:
    """Whose till it is, and where it stands."""

    merchant: str
    trade: str
    place: Place


@dataclass(slots=True)
class Year:
    """All that happens, the tills, the families, and those who have no part in a plant yet.

    `lost_minor` is what a till counts in its closing of records that it lost.
    """

    rng: random.Random
    acts: list[Act]
    shops: dict[str, Shop]
    families: list[list[int]]
    spare: Iterator[int]
    planted: list[Planted] = field(default_factory=list)
    lost_minor: dict[str, int] = field(default_factory=dict)

    def till(self) -> str:
        """Any till in town."""
        return self.rng.choice([till for till, shop in self.shops.items() if shop.merchant.startswith("Merchant")])

    def day(self) -> datetime:
        """Ten in the morning of any day of February to November."""
        return datetime(2017, 2, 1, 10, tzinfo=JAPAN) + timedelta(days=self.rng.randrange(300))

    def sell(self, till: str, at: datetime, who: int | None, amount: int, tier: str = "reduced") -> Act:
        """One more sale."""
        act = Act(till, at, who, {tier: amount})
        self.acts.append(act)
        return act

    def take_back(self, sale: Act, at: datetime) -> Act:
        """Its return."""
        act = Act(sale.till, at, sale.who, dict(sale.lines), of=sale)
        self.acts.append(act)
        return act

    def add_shop(self, till: str, north_km: int) -> str:
        """A till so far north of the town, of a chain that has no trade."""
        place = (f"{TOWN[0] + north_km / 111.2:.5f}", f"{TOWN[1]:.5f}")
        self.shops.setdefault(till, Shop("Elsewhere", "", place))
        return till

    def plant(self, rule: str, what: str, acts: Sequence[Act] = (), *, is_fraud: bool = True, merchant: str = "",
              household: int = 0, key: str = "") -> None:  # fmt: skip
        """Write into the ledger what was planted."""
        self.planted.append(Planted(rule, is_fraud, what, tuple(acts), merchant, household, key))


def honest_year(baskets: Sequence[Basket], families: list[list[int]], rng: random.Random) -> Year:
    """The year as it was bought, with some returns, at tills of forty merchants of two trades in one town."""
    stores = sorted({basket.store_id for basket in baskets})
    shops = {f"cj-{store}": _shop(number, rng) for number, store in enumerate(stores)}
    acts = [
        Act(
            f"cj-{b.store_id}", datetime.fromisoformat(b.at), b.household_id, dict(zip(b.tiers, b.amounts, strict=True))
        )
        for b in baskets
    ]
    people = [one for family in families for one in family]
    rng.shuffle(people)
    year = Year(rng, acts, shops, families, iter(people))
    chances = {shop.merchant: rng.randint(*RETURNED_PERCENT) for shop in shops.values()}
    for sale in list(acts):
        if rng.randrange(1000) < chances[shops[sale.till].merchant]:
            year.take_back(sale, min(sale.at + timedelta(days=rng.randint(1, 5)), _last_moment()))
    return year


def numbered(year: Year) -> dict[str, list[Act]]:
    """The acts of each till in their order, numbered; the cards count their taps."""
    tills: dict[str, list[Act]] = {}
    taps: dict[int, int] = {}
    for act in sorted(year.acts, key=lambda act: (act.at, act.of is not None)):
        of_till = tills.setdefault(act.till, [])
        of_till.append(act)
        act.seq = len(of_till)
        if act.who is not None and act.of is None:
            act.counter = taps.get(act.who, 0)
            taps[act.who] = act.counter + 1
    for act in year.acts:
        if act.copied:
            act.counter = act.copied.counter
    return tills


def _shop(number: int, rng: random.Random) -> Shop:
    merchant = number % MERCHANTS
    north, east = (centre + rng.randint(-300, 300) / 10_000 for centre in TOWN)
    return Shop(f"Merchant {merchant:02}", TRADES[merchant % 2], (f"{north:.5f}", f"{east:.5f}"))


def _last_moment() -> datetime:
    return datetime(2017, 12, 31, 23, 59, tzinfo=JAPAN)
