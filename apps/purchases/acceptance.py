"""Whether a well-formed record may be taken. Pure.

The protocol's decisions are made in its order: record_malformed, year_not_open, year_closed, from_the_future,
tier_unknown, tier_not_in_force, amount_invalid, card_and_claim.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from apps.kernel.periods import Period
from apps.purchases.records import MAX_AMOUNT_MINOR, Malformed, Record, TierAmount, sent_time

CLOCK_TOLERANCE: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Defect:
    """Why a record is refused: the protocol's code, the place, and the value to show."""

    code: str
    param: str
    value: str = ""
    reason: str = ""


class Standing(NamedTuple):
    """What stands under a number: an accepted record's `line`, or a refused one's `identity` and its `defect`."""

    line: str | None = None
    identity: bytes | None = None
    defect: Defect | None = None

    def is_same(self, record: Record | Malformed) -> bool:
        """Whether the record is the one that stands."""
        if self.line is not None:
            return record.line == self.line
        return record.identity == self.identity


@dataclass(frozen=True, slots=True)
class YearRules:
    """What a tax year takes: times are half-open, in UTC; `tiers` gives each tier's periods of validity.

    `all_year` are tiers known to be valid on all of its days.
    """

    year: int
    starts_at: datetime
    ends_at: datetime
    deadline_at: datetime
    zone: ZoneInfo
    tiers: Mapping[str, Sequence[Period]]
    all_year: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Till:
    """The terminal that sends, and the terminals of its merchant that its records name: code to number."""

    code: str
    named: Mapping[str, int]


def decide(record: Record, till: Till, years: Sequence[YearRules], now: datetime) -> YearRules | Defect:
    """The tax year that takes the record, or why none does."""
    if defect := _of_defect(record, till):
        return defect
    rules = open_year(record.at, "at", record.line, years, now)
    if isinstance(rules, Defect):
        return rules
    return _defect_of_kind(record, rules, years, now) or rules


def open_year(at: datetime, param: str, line: str, years: Sequence[YearRules], now: datetime) -> YearRules | Defect:
    """The year of a time in the field `param` of a record with this `line`, if it takes records of that time now."""
    rules = year_of(at, years)
    if rules is None:
        return Defect("year_not_open", param, sent_time(line, param))
    if now >= rules.deadline_at:
        return Defect("year_closed", param, str(rules.year))
    if at > now + CLOCK_TOLERANCE:
        return Defect("from_the_future", param, sent_time(line, param))
    return rules


def year_of(at: datetime, years: Sequence[YearRules]) -> YearRules | None:
    """The started year of a time, or None."""
    for year in years:
        if year.starts_at <= at < year.ends_at:
            return year
    return None


def lines_defect(tiers: Sequence[str], at: datetime, rules: YearRules) -> Defect | None:
    """Why a year does not take these tiers at a time of it."""
    if rules.all_year.issuperset(tiers):
        return None
    for index, tier in enumerate(tiers):
        if tier not in rules.tiers:
            return Defect("tier_unknown", f"lines[{index}].tier", tier)
    day = at.astimezone(rules.zone).date()
    for index, tier in enumerate(tiers):
        if not any(day in period for period in rules.tiers[tier]):
            return Defect("tier_not_in_force", f"lines[{index}].tier", tier)
    return None


def _of_defect(record: Record, till: Till) -> Defect | None:
    """A return names a terminal of the same merchant, a void and a correction their own; a record named is earlier."""
    if record.of is None:
        return None
    own = record.of.terminal == till.code
    if not own and (record.kind != "return" or record.of.terminal not in till.named):
        expected = "a terminal of the same merchant" if record.kind == "return" else "the terminal itself"
        return Defect("record_malformed", "of.terminal", record.of.terminal, f"a {record.kind} names {expected}")
    if own and record.of.seq >= record.seq:
        return Defect("record_malformed", "of.seq", str(record.of.seq), f"a {record.kind} names an earlier record")
    return None


def _defect_of_kind(record: Record, rules: YearRules, years: Sequence[YearRules], now: datetime) -> Defect | None:
    match record.kind:
        case "sale":
            defect = lines_defect([line.tier for line in record.lines], record.at, rules)
            return defect or _amount_defect(record.lines) or _card_and_claim(record)
        case "return":  # its tiers had to be in force at the sale's time, which workers know
            return _unknown_tier(record.lines, years) or _amount_defect(record.lines)
        case "correction":
            return _correction_defect(record, years, now) or _amount_defect(record.lines)
        case "closing":  # its totals may have tiers that were refused: whatever became of the records
            started = record.year in {year.year for year in years}
            return None if started else Defect("year_not_open", "year", str(record.year))
        case _:
            return None


def _correction_defect(record: Record, years: Sequence[YearRules], now: datetime) -> Defect | None:
    if record.sold_at is None:
        return _unknown_tier(record.lines, years)
    rules = open_year(record.sold_at, "sold_at", record.line, years, now)
    if isinstance(rules, Defect):
        return rules
    return lines_defect([line.tier for line in record.lines], record.sold_at, rules)


def _unknown_tier(lines: Sequence[TierAmount], years: Sequence[YearRules]) -> Defect | None:
    for index, line in enumerate(lines):
        if not any(line.tier in year.tiers for year in years):
            return Defect("tier_unknown", f"lines[{index}].tier", line.tier)
    return None


def _amount_defect(lines: Sequence[TierAmount]) -> Defect | None:
    for index, line in enumerate(lines):
        if not 1 <= line.amount <= MAX_AMOUNT_MINOR:
            return Defect("amount_invalid", f"lines[{index}].amount", str(line.amount))
    return None


def _card_and_claim(record: Record) -> Defect | None:
    if record.card is not None and record.claim is not None:
        return Defect("card_and_claim", "claim")
    return None
