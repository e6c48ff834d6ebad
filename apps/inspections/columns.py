"""What an export has: its columns with name, meaning and unit, for each kind of search. Pure."""

from collections.abc import Sequence
from typing import Final, NamedTuple

MINOR: Final = "minor units of the year's currency (yen)"
TIME: Final = "ISO 8601, Japan Standard Time"


class Column(NamedTuple):
    """A column: `type` as DuckDB names it, `unit` in words. `is_summed`: its sum is a control total."""

    name: str
    meaning: str
    unit: str = "text"
    type: str = "VARCHAR"
    is_summed: bool = False


PURCHASES: Final = (
    Column("resident", "reference of the resident whose account the entry is on", "UUID"),
    Column("at", "when it was sold", TIME),
    Column("terminal", "code of the till; empty for a ruling of the refund office"),
    Column("seq", "the record's number at its till", "number", "BIGINT"),
    Column("kind", "what the record is: sale, return, void, correction, a ruling, or held or rejected"),
    Column("run", "run of the year under which it was counted; 0 for what is not counted", "number", "BIGINT"),
    Column("has_card", "yes, or no where a sale was claimed by the code on its receipt or ruled on"),
    Column("of_terminal", "code of the till whose sale a return, void, correction or ruling is about"),
    Column("of_seq", "number of that sale", "number", "BIGINT"),
    Column("merchant", "name of the merchant"),
    Column("registration_number", "the merchant's number on qualified invoices", "T and 13 digits"),
    Column("store", "name of the store"),
    Column("region", "where the till stands", "JIS X 0401 or municipality code"),
    Column("sum_minor", "what it changed of the spend, tax included, all tiers together", MINOR, "BIGINT", True),
)
OTHER_TIERS: Final = Column("other_tiers_minor", "of tiers that the year's scheme does not have", MINOR, "BIGINT", True)
TERMINALS: Final = (
    Column("terminal", "code of the till"),
    Column("region", "where the till stands", "JIS X 0401 or municipality code"),
    Column("merchant", "name of the merchant"),
    Column("store", "name of the store"),
    Column("is_sealed", "yes, if its batches are sealed"),
    Column("is_replaced", "yes, if another till took its place"),
    Column("highest_seq", "the highest number that came from it", "number", "BIGINT"),
    Column("has_gaps", "yes, if a lower number is missing"),
    Column("seen_at", "when the batch of the highest number came", TIME),
)
MERCHANTS: Final = (
    Column("merchant", "name of the merchant"),
    Column("registration_number", "its number on qualified invoices", "T and 13 digits"),
    Column("trade", "what it trades in", "Japan Standard Industrial Classification"),
    Column("mode", "live or test"),
)
RESIDENTS: Final = (
    Column("resident", "reference of the resident", "UUID"),
    Column("tax_year", "year of the refund", "year", "BIGINT"),
    Column("run", "the last run that found a refund for the resident", "number", "BIGINT"),
    Column("refund_minor", "refund for the whole year", MINOR, "BIGINT", True),
    Column("at_cap", "yes, if a cap took something off"),
    Column("municipality", "where the resident lives", "全国地方公共団体コード"),
)


def purchase_columns(tiers: Sequence[str]) -> tuple[Column, ...]:
    """The columns of purchases of a year: one for each tier of its scheme, too."""
    named = (Column(f"{tier}_minor", f"of tier {tier}, tax included", MINOR, "BIGINT", True) for tier in tiers)
    return (*PURCHASES, *named, OTHER_TIERS)
