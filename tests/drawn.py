"""What property tests draw: schemes, shipped and made up, and what residents bought under them."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import yaml
from hypothesis import strategies as st

from apps.schemes.document import Scheme
from apps.schemes.reading import read_scheme
from tests.golden_play import SHIPPED, Case, Entry, Resident

YEAR = 2021
ZONE = "Asia/Tokyo"
NONE = {"ja": "—", "en": "—"}
TIERS = ("food", "books", "spirits")
HOUSEHOLDS = [UUID(int=1001), UUID(int=1002)]
ROUNDINGS = ("floor", "kokuzei-tsusoku-120", "half_up")
JP_2015 = yaml.safe_load((SHIPPED / "jp-2015.yaml").read_text())
PARTS_PER_MILLION = 1_000_000

rates = st.integers(0, 200_000).map(lambda n: f"{n / PARTS_PER_MILLION:.6f}")
shares = st.integers(0, PARTS_PER_MILLION).map(lambda n: f"{n / PARTS_PER_MILLION:.6f}")
amounts = st.one_of(st.integers(1, 300), st.integers(1, 100_000))


def shipped() -> list[Scheme]:
    """Every shipped scheme."""
    return [read_scheme(yaml.safe_load(path.read_text())) for path in sorted(SHIPPED.glob("*.yaml"))]


@st.composite
def limits(draw: st.DrawFn, units: tuple[str, ...], pools: tuple[str, ...]) -> dict[str, Any]:
    """A limit for one of `units`; thresholds are for none of `pools`, which are the members' limits."""
    unit = draw(st.sampled_from(units))
    rule = {"per": draw(st.sampled_from(["month", "half_year", "year"])), "for": unit, "reference": NONE}
    if unit not in pools and draw(st.booleans()):
        least = st.dictionaries(st.sampled_from(["purchases", "amount"]), st.integers(0, 5), min_size=1)
        return rule | {"at_least": draw(least)}
    cap: st.SearchStrategy[dict[str, Any]] = st.one_of(
        st.builds(dict, amount=st.integers(0, 3000)), st.just({"attribute": "attr_limit"})
    )
    return rule | {"cap": draw(cap)}


@st.composite
def bases(draw: st.DrawFn) -> dict[str, Any]:
    """A basis with the share that it needs."""
    basis = draw(st.sampled_from(["rate_difference", "share_of_tax", "share_of_amount"]))
    return {"basis": basis} | ({} if basis == "rate_difference" else {"share": draw(shares)})


@st.composite
def tiers(draw: st.DrawFn, code: str) -> dict[str, Any]:
    """A tier whose rate changes in a month of the year."""
    change = date(YEAR, draw(st.integers(2, 12)), 1)
    dated = [{"from": date(2015, 1, 1), "rate": draw(rates)}, {"from": change, "rate": draw(rates)}]
    own = {"collected": [{"from": date(2015, 1, 1), "rate": draw(rates)}]} if draw(st.booleans()) else {}
    refund = {"refund": draw(bases())} if draw(st.booleans()) else {}
    return {"code": code, "name": NONE, "examples": NONE, "reference": "—", "rates": dated} | own | refund


def allowed(refund: dict[str, Any]) -> dict[str, Any]:
    """The rule without what a scheme with limits for households may not say (see reading._pools)."""
    limits = refund["limits"]
    if any(limit["for"] != "person" for limit in limits):
        refund["surcharge"] = "ignore"
        if any(limit["for"] == "person" and "cap" in limit for limit in limits):
            refund["rounding"] = "floor"
    return refund


@st.composite
def schemes(
    draw: st.DrawFn, *, units: tuple[str, ...] = ("person", "household", "members"), surcharge: str = ""
) -> Scheme:
    """A made-up scheme with limits for `units`; `surcharge` is drawn where not given."""
    refund = draw(bases()) | {"rounding": draw(st.sampled_from(ROUNDINGS))}
    by_purchase = draw(st.booleans())
    if by_purchase:
        optional = {"minimum": st.integers(0, 1000), "cap": st.integers(0, 500)}
        rule = st.fixed_dictionaries({"rounding": st.sampled_from(ROUNDINGS)}, optional=optional)
        refund["purchase"] = draw(rule)
    refund["surcharge"] = surcharge or ("ignore" if by_purchase else draw(st.sampled_from(["offset", "ignore"])))
    refund["limits"] = draw(st.lists(limits(units, ("members",)), max_size=3))
    if draw(st.booleans()):
        refund["eligibility"] = [{"attribute": "attr_income", "at_most": 100, "reference": NONE}]
    content = {
        "code": "drawn",
        "time_zone": ZONE,
        "refund": allowed(refund),
        "tiers": [draw(tiers(code)) for code in TIERS],
    }
    return read_scheme(JP_2015 | content)


@st.composite
def residents(draw: st.DrawFn, number: int, *, moves: bool) -> Resident:
    """Who lives in one place, or arrives, moves and leaves; with or without what the register knows."""
    ref = UUID(int=number)
    home = st.sampled_from([*HOUSEHOLDS, ref])
    if moves:
        households = tuple(draw(st.lists(st.one_of(st.none(), home), min_size=12, max_size=12)))
    else:
        households = (draw(home),) * 12
    known = {"attr_limit": st.integers(0, 3000), "attr_income": st.integers(90, 110)}
    return Resident(ref, households, draw(st.fixed_dictionaries({}, optional=known)), 0, at_cap=False)


@st.composite
def cases(draw: st.DrawFn, scheme: Scheme, *, moves: bool = True, months: tuple[int, int] = (1, 12)) -> Case:
    """What up to four residents bought in the months from the first to the last, and what they returned."""
    people = tuple(draw(residents(number, moves=moves)) for number in range(1, draw(st.integers(1, 4)) + 1))
    entries: list[Entry] = []
    for sale_id in range(draw(st.integers(0, 10))):
        entries += draw(sales(scheme, draw(st.sampled_from(people)).ref, sale_id, months))
    return Case("drawn", scheme, YEAR, people, tuple(entries))


@st.composite
def sales(draw: st.DrawFn, scheme: Scheme, ref: UUID, sale_id: int, months: tuple[int, int] = (1, 12)) -> list[Entry]:
    """A sale and, now and then, the return of a part of it."""
    start = datetime(YEAR, draw(st.integers(*months)), 1, tzinfo=ZoneInfo(scheme.time_zone))
    at = start + timedelta(seconds=draw(st.one_of(st.just(0), st.integers(0, 28 * 86_400 - 1))))
    codes = [tier.code for tier in scheme.tiers if tier.rates[0].from_date <= at.date()]
    sold = draw(st.dictionaries(st.sampled_from(codes), amounts, min_size=1, max_size=3))
    entries = [Entry(ref, sale_id, at.astimezone(UTC), sold)]
    if draw(st.booleans()):
        tier = draw(st.sampled_from(sorted(sold)))
        entries.append(Entry(ref, sale_id, at.astimezone(UTC), {tier: -draw(st.integers(1, sold[tier]))}))
    return entries
