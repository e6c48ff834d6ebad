"""The two assessments are written apart; here they meet on random entries and random schemes."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID
from zoneinfo import ZoneInfo

import duckdb
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.refunds.assessment import Person, assess
from apps.refunds.rules import rules_of
from apps.refunds.verification import entries_in, refunds_from_archive
from apps.schemes.document import Scheme
from apps.schemes.reading import read_scheme

ROOT = Path(__file__).resolve().parents[2]
JP_2015 = yaml.safe_load((ROOT / "apps/schemes/files/jp-2015.yaml").read_text())
TOKYO = ZoneInfo("Asia/Tokyo")
NONE = {"ja": "—", "en": "—"}
YEAR_STARTS = datetime(2017, 1, 1, tzinfo=TOKYO).astimezone(UTC)

Entry = tuple[UUID, datetime, dict[str, int]]
# Few residents, and times that like the ends of the year, so that cases meet.
moments = st.one_of(
    st.integers(0, 365 * 86_400 - 1), st.sampled_from([0, 1, 365 * 86_400 - 1, 31 * 86_400 - 1, 31 * 86_400])
).map(lambda second: YEAR_STARTS + timedelta(seconds=second))
amounts = st.dictionaries(st.sampled_from(["reduced", "standard"]), st.integers(1, 200_000), min_size=1)
entries = st.lists(st.tuples(st.integers(1, 4).map(lambda n: UUID(int=n)), moments, amounts), min_size=1, max_size=30)
rates = st.integers(0, 80_000).map(lambda millionths: Decimal(millionths) / 1_000_000)


@st.composite
def schemes(draw: st.DrawFn) -> Scheme:
    change = date(2017, draw(st.integers(2, 12)), 1)
    tiers = [
        tier | {"rates": [{"from": date(2015, 1, 1), "rate": draw(rates)}, {"from": change, "rate": draw(rates)}]}
        for tier in JP_2015["tiers"]
    ]
    collected = [{"from": date(2015, 1, 1), "rate": "0.10"}, {"from": date(2017, 4, 1), "rate": "0.08"}]
    cap = draw(st.one_of(st.none(), st.integers(0, 20_000)))
    refund = {
        "basis": "rate_difference",
        "rounding": draw(st.sampled_from(["floor", "kokuzei-tsusoku-120"])),
        "limits": [] if cap is None else [{"per": "year", "for": "person", "cap": {"amount": cap}, "reference": NONE}],
    }
    return read_scheme(JP_2015 | {"tiers": tiers, "collected": collected, "refund": refund})


@settings(max_examples=40, deadline=None)
@given(entries, schemes())
def test_both_assessments_agree_to_the_yen(bought: list[Entry], scheme: Scheme) -> None:
    with TemporaryDirectory() as folder:
        path = write_parquet(bought, Path(folder) / "entries.parquet")
        from_archive = {row.resident_ref: row.refund_minor for row in refunds_from_archive([path], scheme)}
        assert entries_in([path]) == len(bought)
    assert from_archive == from_totals(bought, scheme)


def test_an_amount_without_a_rate_is_counted_as_an_error(tmp_path: Path) -> None:
    path = write_parquet([(UUID(int=1), YEAR_STARTS, {"books": 100})], tmp_path / "entries.parquet")
    assert [row.without_rate for row in refunds_from_archive([path], read_scheme(JP_2015))] == [1]


def from_totals(bought: list[Entry], scheme: Scheme) -> dict[str, int]:
    totals: dict[UUID, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0] * 12))
    for ref, at, of_tier in bought:
        for tier, amount in of_tier.items():
            totals[ref][tier][at.astimezone(TOKYO).month - 1] += amount
    rules = rules_of(scheme, 2017)
    return {str(ref): assess(Person(ref, spent), rules).refund_minor for ref, spent in totals.items()}


def write_parquet(bought: list[Entry], path: Path) -> Path:
    with duckdb.connect() as duck:
        duck.execute("CREATE TABLE e (resident_ref UUID, sold_at TIMESTAMP, tiers VARCHAR[], amounts_minor BIGINT[])")
        rows = [[ref, at.replace(tzinfo=None), list(of_tier), list(of_tier.values())] for ref, at, of_tier in bought]
        duck.executemany("INSERT INTO e VALUES (?, ?, ?, ?)", rows)
        duck.execute(f"COPY e TO '{path}' (FORMAT parquet)")
    return path
