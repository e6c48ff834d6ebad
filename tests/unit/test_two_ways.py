"""The two assessments are written apart; here they meet on random schemes, registers and purchases."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import duckdb
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.refunds.assessment import Person, assess_group
from apps.refunds.rules import rules_of
from apps.refunds.verification import (
    EntriesInvalid,
    RegisterInvalid,
    SecondAssessment,
    SecondRefund,
    TooLarge,
    second_assessment,
)
from apps.schemes.document import Scheme
from apps.schemes.purchase_rule import bases_of, shares_of_month
from apps.schemes.reading import read_scheme
from tests.drawn import allowed
from tests.examples import examples
from tests.golden_play import Case, all_cases

ROOT = Path(__file__).resolve().parents[2]
JP_2015 = yaml.safe_load((ROOT / "apps/schemes/files/jp-2015.yaml").read_text())
NONE = {"ja": "—", "en": "—"}
TIERS = ["standard", "reduced", "luxury"]
MONTHS = range(1, 13)
HOUSEHOLDS = [UUID(int=0xFFFF << 112), UUID(int=7)]  # one above and one below all residents


class Entry(NamedTuple):
    """A row of the archive."""

    ref: UUID
    seq: int
    at: datetime
    amounts: dict[str, int]
    of_seq: int


class Lives(NamedTuple):
    """What the register says of a resident: the household of each month, None where not resident; attributes."""

    households: tuple[UUID | None, ...]
    attributes: dict[str, int | str]


WRITER = duckdb.connect()
Register = dict[UUID, Lives]

refs = st.integers(8, 12).map(lambda n: UUID(int=n << 100 if n % 2 else n))
# Few residents, times that like borders and amounts that like to be equal, so that cases meet.
JULY = 181 * 86_400
seconds = st.one_of(
    st.sampled_from([0, 31 * 86_400 - 1, 31 * 86_400, JULY - 1, JULY, JULY + 86_400, 365 * 86_400 - 1]),
    st.integers(0, 365 * 86_400 - 1),
)
money = st.one_of(st.sampled_from([100, 105, 1_000, 1_001]), st.integers(1, 300), st.integers(1, 200_000))
amounts = st.dictionaries(st.sampled_from(TIERS), money, min_size=1)
low = st.integers(0, 150).map(lambda mille: Decimal(mille) / 1000)
high = st.one_of(
    st.integers(80, 300).map(lambda mille: Decimal(mille) / 1000),
    st.sampled_from([Decimal("0.083333"), Decimal("0.10")]),
)
shares = st.one_of(st.just(50), st.integers(1, 100)).map(lambda hundredths: Decimal(hundredths) / 100)
roundings = st.sampled_from(["floor", "kokuzei-tsusoku-120", "half_up"])
caps = st.one_of(st.integers(0, 200), st.integers(200, 20_000))


@st.composite
def bases(draw: st.DrawFn) -> dict[str, Any]:
    basis = draw(st.sampled_from(["rate_difference", "share_of_tax", "share_of_amount"]))
    return {"basis": basis} if basis == "rate_difference" else {"basis": basis, "share": draw(shares)}


@st.composite
def dated(draw: st.DrawFn, rates: st.SearchStrategy[Decimal]) -> list[dict[str, Any]]:
    found = [{"from": date(2015, 1, 1), "rate": draw(rates)}]
    if draw(st.booleans()):
        found.append({"from": date(2017, draw(st.integers(1, 12)), 1), "rate": draw(rates)})
    return found


@st.composite
def limits(draw: st.DrawFn) -> dict[str, Any]:
    limit: dict[str, Any] = {"per": draw(st.sampled_from(["month", "half_year", "year"])), "reference": NONE}
    if draw(st.integers(0, 3)) == 3:
        least = st.fixed_dictionaries(
            {}, optional={"purchases": st.integers(0, 3), "amount": st.sampled_from([100, 1_000, 1_105, 5_000])}
        )
        return limit | {
            "for": draw(st.sampled_from(["person", "household"])),
            "at_least": draw(least.filter(bool)),
        }
    cap = st.fixed_dictionaries({"amount": caps})
    cap = st.one_of(cap, cap, st.just({"attribute": "attr_income"}))
    return limit | {"for": draw(st.sampled_from(["person", "household", "members"])), "cap": draw(cap)}


@st.composite
def schemes(draw: st.DrawFn) -> Scheme:
    own = st.fixed_dictionaries({}, optional={"refund": bases(), "collected": dated(high)})
    tiers = [JP_2015["tiers"][0] | {"code": code, "rates": draw(dated(low))} | draw(own) for code in TIERS]
    refund = draw(bases()) | {"rounding": draw(roundings), "surcharge": draw(st.sampled_from(["offset", "ignore"]))}
    if draw(st.booleans()):
        rule = st.fixed_dictionaries(
            {"rounding": roundings}, optional={"minimum": st.sampled_from([1, 100, 105, 205, 1_000]), "cap": caps}
        )
        refund |= {"purchase": draw(rule), "surcharge": "ignore"}
    if draw(st.integers(0, 5)) == 5:
        condition: dict[str, Any] = draw(
            st.one_of(
                st.fixed_dictionaries({"attribute": st.just("attr_income"), "at_most": caps}),
                st.fixed_dictionaries({"attribute": st.just("attr_income"), "at_least": caps}),
                st.just({"attribute": "attr_area", "equals": "it's"}),
            )
        )
        refund["eligibility"] = [condition | {"reference": NONE}]
    refund["limits"] = draw(st.lists(limits(), max_size=3))
    zone = draw(st.sampled_from(["Asia/Tokyo", "America/Sao_Paulo", "Europe/Rome"]))
    content = {"tiers": tiers, "collected": draw(dated(high)), "refund": allowed(refund), "time_zone": zone}
    return read_scheme(JP_2015 | content)


@st.composite
def registers(draw: st.DrawFn) -> Register:
    found = {}
    for ref in draw(st.lists(refs, unique=True, min_size=2)):
        homes = draw(st.lists(st.sampled_from([*HOUSEHOLDS, *HOUSEHOLDS, ref, None]), min_size=1, max_size=4))
        moves = sorted(draw(st.lists(st.integers(1, 11), min_size=len(homes) - 1, max_size=len(homes) - 1)))
        months = tuple(homes[sum(month > move for move in moves)] for month in MONTHS)
        said: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
            {},
            optional={"attr_income": st.one_of(caps, st.just("none")), "attr_area": st.sampled_from(["it's", "b", 3])},
        )
        if any(months):
            found[ref] = Lives(months, draw(said))
    return found


@st.composite
def bought(draw: st.DrawFn) -> list[tuple[UUID, list[tuple[int, dict[str, int]]]]]:
    """Sales, each with what returns and voids left of it step by step; a correction moves some in time."""
    found = []
    for ref, second, sold in draw(st.lists(st.tuples(refs, seconds, amounts), min_size=1, max_size=25)):
        steps = [(second, sold)]
        for _ in range(draw(st.integers(0, 2))):
            share = draw(st.sampled_from([3, 2, 0]))
            steps.append((second, {tier: amount * share // 4 for tier, amount in steps[-1][1].items()}))
        if draw(st.integers(0, 4)) == 0:
            steps.append((draw(seconds), steps[-1][1]))
        found.append((ref, steps))
    return found


def entries_of(sales: Sequence[tuple[UUID, list[tuple[int, dict[str, int]]]]], zone: str) -> list[Entry]:
    starts = datetime(2017, 1, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    found: list[Entry] = []
    for ref, steps in sales:
        of_seq, (before_at, before) = len(found), (steps[0][0], dict[str, int]())
        for second, left in steps:
            at = starts + timedelta(seconds=second)
            if second != before_at:
                old = starts + timedelta(seconds=before_at)
                found.append(Entry(ref, len(found), old, {tier: -amount for tier, amount in before.items()}, of_seq))
                before = {}
            changes = {tier: amount - before.get(tier, 0) for tier, amount in left.items()}
            found.append(Entry(ref, len(found), at, changes, of_seq))
            before_at, before = second, left
    return found


@pytest.mark.property
@settings(max_examples=examples(60), deadline=None)
@given(bought(), schemes(), registers())
def test_both_assessments_agree_to_the_yen(
    sales: list[tuple[UUID, list[tuple[int, dict[str, int]]]]], scheme: Scheme, register: Register
) -> None:
    entries = entries_of(sales, scheme.time_zone)
    with second_way(entries, scheme, register) as second:
        assert list(second.refunds()) == first_way(entries, scheme, register)
        assert second.entries == len(entries)


@pytest.mark.property
@settings(max_examples=examples(30), deadline=None)
@given(bought(), schemes())
def test_both_assessments_agree_where_nobody_is_registered(
    sales: list[tuple[UUID, list[tuple[int, dict[str, int]]]]], scheme: Scheme
) -> None:
    entries = entries_of(sales, scheme.time_zone)
    with second_way(entries, scheme) as second:
        assert list(second.refunds()) == first_way(entries, scheme, {})


def first_way(entries: Sequence[Entry], scheme: Scheme, register: Register) -> list[SecondRefund]:
    people = people_of(entries, scheme, register)
    bought = {entry.ref for entry in entries}
    found = []
    rules = rules_of(scheme, 2017)
    for person, result in zip(people, assess_group(people, rules), strict=True):
        spend: dict[str, int] = defaultdict(int)
        for line, amount in zip(rules.lines, result.spend_minor, strict=True):
            spend[line.tier] += amount
        text = ",".join(f"{tier}={spend[tier]}" for tier in sorted(spend) if spend[tier])
        if person.ref in bought:
            found.append(SecondRefund(str(person.ref), result.refund_minor, text))
    return found


def people_of(entries: Sequence[Entry], scheme: Scheme, register: Register) -> list[Person]:
    """Every resident's year as the first way takes it, from purchases as they are left."""
    zone = ZoneInfo(scheme.time_zone)
    left: dict[tuple[UUID, int, datetime], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for entry in entries:
        for tier, amount in entry.amounts.items():
            left[entry.ref, entry.of_seq, entry.at][tier] += amount
    spend: dict[UUID, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0] * 12))
    bases: dict[UUID, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0] * 12))
    purchases: dict[UUID, list[int]] = defaultdict(lambda: [0] * 12)
    for (ref, _, at), of_tier in left.items():
        month = at.astimezone(zone).month
        purchases[ref][month - 1] += any(amount > 0 for amount in of_tier.values())
        for tier, amount in of_tier.items():
            spend[ref][tier][month - 1] += amount
        if scheme.refund.purchase:
            for tier, base in bases_of(scheme.refund.purchase, shares_of_month(scheme, 2017, month), of_tier).items():
                bases[ref][tier][month - 1] += base
    nothing = Lives((), {})
    return [
        Person(ref, spend[ref], bases[ref], purchases[ref], *register.get(ref, nothing))
        for ref in sorted({entry.ref for entry in entries} | set(register))
    ]


@contextmanager
def second_way(
    entries: Sequence[Entry], scheme: Scheme, register: Register | None = None, year: int = 2017
) -> Iterator[SecondAssessment]:
    with TemporaryDirectory() as folder:
        files = write_entries(entries, Path(folder))
        path = write_register(register, Path(folder)) if register is not None else None
        with second_assessment(files, scheme, year, path) as second:
            yield second


def write_entries(entries: Sequence[Entry], folder: Path) -> list[Path]:
    """The archive in two files, months as the first way never would say them."""
    rows = [
        f"('{entry.ref}', 1, {entry.seq}, 1, 1, 0, '{entry.at:%Y-%m-%d %H:%M:%S}', {list(entry.amounts)!r}::VARCHAR[],"
        f" {list(entry.amounts.values())!r}::BIGINT[], 1, {entry.of_seq})"
        for entry in entries
    ]
    columns = (
        "resident_ref UUID, terminal_id INTEGER, seq INTEGER, run SMALLINT, part SMALLINT, month TINYINT,"
        " sold_at TIMESTAMP, tiers VARCHAR[], amounts_minor BIGINT[], sale_terminal_id INTEGER, sale_seq INTEGER"
    )
    halves = [half for half in (rows[::2], rows[1::2]) if half]
    return [write_parquet(folder / f"entries-{i}.parquet", columns, half) for i, half in enumerate(halves)]


def write_register(register: Register, folder: Path) -> Path:
    rows = []
    for ref, (households, attributes) in register.items():
        said = json.dumps(attributes).replace("'", "''")
        first = 1
        for month in MONTHS:
            if month == 12 or households[month] != households[month - 1]:
                if households[month - 1]:
                    rows.append(f"('{ref}', '{households[month - 1]}', {first}, {month}, '{said}')")
                first = month + 1
    columns = "resident_ref UUID, household_ref UUID, first_month TINYINT, last_month TINYINT, attributes VARCHAR"
    return write_parquet(folder / "register.parquet", columns, rows)


def write_parquet(path: Path, columns: str, rows: Sequence[str]) -> Path:
    WRITER.execute(f"CREATE OR REPLACE TABLE t ({columns})")
    if rows:
        WRITER.execute(f"INSERT INTO t VALUES {', '.join(rows)}")
    WRITER.execute(f"COPY t TO '{path}' (FORMAT parquet)")
    return path


ONE, TWO = UUID(int=8), UUID(int=9 << 100)
NEW_YEAR = datetime(2016, 12, 31, 15, tzinfo=UTC)  # in Tokyo
TOGETHER: Register = {ref: Lives((HOUSEHOLDS[0],) * 12, {}) for ref in (ONE, TWO)}


def sale(ref: UUID, seq: int = 1, at: datetime = NEW_YEAR, **amounts: int) -> Entry:
    return Entry(ref, seq, at, amounts, seq)


def tenth(**refund: Any) -> Scheme:
    """A scheme that gives a tenth back."""
    rule = {"basis": "share_of_amount", "share": "0.1", "rounding": "floor"}
    return read_scheme(JP_2015 | {"refund": rule | refund})


def refunds_of(entries: Sequence[Entry], scheme: Scheme, register: Register) -> list[int]:
    """Each resident's refund, on which both ways agree."""
    with second_way(entries, scheme, register) as second:
        found = list(second.refunds())
    assert found == first_way(entries, scheme, register)
    return [refund.refund_minor for refund in found]


def test_of_equal_remainders_the_smaller_reference_gets_the_odd_yen() -> None:
    scheme = tenth(limits=[{"per": "year", "for": "household", "cap": {"amount": 5}, "reference": NONE}])
    entries = [sale(TWO, 1, reduced=1_000), sale(ONE, 2, reduced=1_000)]
    assert refunds_of(entries, scheme, TOGETHER) == [3, 2]


def test_a_purchase_of_exactly_the_minimum_counts_and_one_below_it_brings_nothing() -> None:
    scheme = tenth(purchase={"rounding": "floor", "minimum": 1_000})
    assert refunds_of([sale(ONE, reduced=600, standard=400), sale(TWO, 2, reduced=999)], scheme, {}) == [100, 0]


def test_a_return_brings_a_capped_purchase_back_to_what_is_left_of_it() -> None:
    scheme = tenth(purchase={"rounding": "floor", "cap": 50})
    back = Entry(ONE, 2, NEW_YEAR, {"reduced": -600}, 1)
    assert refunds_of([sale(ONE, reduced=1_000)], scheme, {}) == [50]
    assert refunds_of([sale(ONE, reduced=1_000), back], scheme, {}) == [40]


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_every_golden_case_comes_out_the_same_from_the_archive(case: Case) -> None:
    zone = ZoneInfo(case.scheme.time_zone)
    entries = [
        Entry(entry.resident_ref, number, entry.sold_at, dict(entry.amounts_minor), entry.sale_id)
        for number, entry in enumerate(case.entries)
        if entry.sold_at.astimezone(zone).year == case.year
    ]
    register = {resident.ref: Lives(resident.households, dict(resident.attributes)) for resident in case.residents}
    with second_way(entries, case.scheme, register, case.year) as second:
        found = {UUID(refund.resident_ref): refund.refund_minor for refund in second.refunds()}
    assert [found.get(resident.ref, 0) for resident in case.residents] == [r.refund_minor for r in case.residents]


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        (sale(ONE, books=100), f"{ONE} .* books"),
        (sale(ONE, at=NEW_YEAR - timedelta(seconds=1), reduced=1), f"{ONE} .* 2016-12-31 14:59:59"),
        (sale(ONE, at=NEW_YEAR + timedelta(days=365), reduced=1), f"{ONE} .* 2017-12-31 15:00:00"),
    ],
)
def test_an_entry_that_has_no_rate_is_an_error_that_names_it(entry: Entry, named: str) -> None:
    with pytest.raises(EntriesInvalid, match=named), second_way([sale(TWO, 2, reduced=5), entry], tenth()):
        """Never reached."""


def test_a_resident_in_two_households_at_once_is_an_error(tmp_path: Path) -> None:
    columns = "resident_ref UUID, household_ref UUID, first_month TINYINT, last_month TINYINT, attributes VARCHAR"
    rows = [f"('{ONE}', '{home}', {first}, 2, '{{}}')" for first, home in enumerate(HOUSEHOLDS, start=1)]
    register = write_parquet(tmp_path / "register.parquet", columns, rows)
    with pytest.raises(RegisterInvalid, match=f"{ONE} .* month 2"), second_assessment([], tenth(), 2017, register):
        """Never reached."""


def test_sums_that_do_not_fit_are_an_error_and_never_rounded() -> None:
    odd = [{"from": date(2017, month, 1), "rate": f"0.0833{month:02}"} for month in MONTHS]
    tiers = [tier | {"rates": odd[:1]} for tier in JP_2015["tiers"]]
    rule = {"basis": "rate_difference", "rounding": "floor", "surcharge": "ignore"}
    scheme = read_scheme(JP_2015 | {"collected": odd, "tiers": tiers, "refund": rule})
    with pytest.raises(TooLarge, match="fewer decimals"), second_way([sale(ONE, reduced=10**9)], scheme):
        """Never reached."""


def test_a_yen_too_many_and_a_resident_too_few_are_named(tmp_path: Path) -> None:
    first = tmp_path / "first.csv"
    first.write_text(f'{ONE},100,"reduced=600,standard=400"\n{UUID(int=1)},0,""\n')
    with second_way([sale(ONE, reduced=600, standard=400), sale(TWO, 2, reduced=90)], tenth()) as second:
        count, shown = second.differences(first, limit=1)
        assert (count, [row["resident_ref"] for row in shown]) == (2, [str(UUID(int=1))])
        assert shown[0] | {"resident_ref": ""} == {
            "resident_ref": "", "from_totals": 0, "from_archive": None,
            "spend_from_totals": "", "spend_from_archive": None,
        }  # fmt: skip
        first.write_text(f'{ONE},99,"reduced=600,standard=400"\n{TWO},9,reduced=90\n')
        assert [row["from_totals"] for row in second.differences(first, limit=9)[1]] == [99]
        first.write_text(f'{ONE},100,"reduced=600,standard=400"\n{TWO},9,reduced=90\n')
        assert second.differences(first, limit=9) == (0, [])
