"""What an export has: its columns with name, meaning in two languages and unit, for each kind of search. Pure."""

from collections.abc import Sequence
from typing import Final, NamedTuple

MINOR: Final = "minor units of the year's currency (yen)"
TIME: Final = "ISO 8601, Japan Standard Time"


class Column(NamedTuple):
    """A column: `type` as DuckDB names it, `unit` in words. `is_summed`: its sum is a control total."""

    name: str
    meaning: str
    meaning_ja: str
    unit: str = "text"
    type: str = "VARCHAR"
    is_summed: bool = False


PURCHASES: Final = (
    Column(
        "resident", "reference of the resident whose account the entry is on", "記録が計上された住民の参照番号", "UUID"
    ),
    Column("at", "when it was sold", "販売日時", TIME),
    Column(
        "terminal",
        "code of the till; empty for a ruling of the refund office",
        "端末コード（還付事務所の決定では空欄）",
    ),
    Column("seq", "the record's number at its till", "端末内の記録番号", "number", "BIGINT"),
    Column(
        "kind",
        "what the record is: sale, return, void, correction, a ruling, or held or rejected",
        "種別（販売、返品、取消、訂正、決定、保留または不採用）",
    ),
    Column(
        "run",
        "run of the year under which it was counted; 0 for what is not counted",
        "計上された回の番号（計上されないものは0）",
        "number",
        "BIGINT",
    ),
    Column(
        "has_card",
        "yes, or no where a sale was claimed by the code on its receipt or ruled on",
        "カードの利用（レシートの番号による申告や決定ではno）",
    ),
    Column(
        "of_terminal",
        "code of the till whose sale a return, void, correction or ruling is about",
        "返品・取消・訂正・決定の対象となる販売の端末コード",
    ),
    Column("of_seq", "number of that sale", "その販売の記録番号", "number", "BIGINT"),
    Column("merchant", "name of the merchant", "事業者名"),
    Column(
        "registration_number",
        "the merchant's number on qualified invoices",
        "事業者の適格請求書発行事業者登録番号",
        "T and 13 digits",
    ),
    Column("store", "name of the store", "店舗名"),
    Column("region", "where the till stands", "端末の所在地", "JIS X 0401 or municipality code"),
    Column(
        "sum_minor",
        "what it changed of the spend, tax included, all tiers together",
        "購入額の増減（税込、全税率区分の合計）",
        MINOR,
        "BIGINT",
        True,
    ),
)
OTHER_TIERS: Final = Column(
    "other_tiers_minor",
    "of tiers that the year's scheme does not have",
    "その年の制度にない税率区分の金額",
    MINOR,
    "BIGINT",
    True,
)
TERMINALS: Final = (
    Column("terminal", "code of the till", "端末コード"),
    Column("region", "where the till stands", "端末の所在地", "JIS X 0401 or municipality code"),
    Column("merchant", "name of the merchant", "事業者名"),
    Column("store", "name of the store", "店舗名"),
    Column("is_sealed", "yes, if its batches are sealed", "送信の封印があればyes"),
    Column("is_replaced", "yes, if another till took its place", "別の端末に置き換えられていればyes"),
    Column("highest_seq", "the highest number that came from it", "届いた記録番号の最大値", "number", "BIGINT"),
    Column("has_gaps", "yes, if a lower number is missing", "途中の番号が欠けていればyes"),
    Column("seen_at", "when the batch of the highest number came", "最大の番号を含む送信の受領日時", TIME),
)
MERCHANTS: Final = (
    Column("merchant", "name of the merchant", "事業者名"),
    Column(
        "registration_number", "its number on qualified invoices", "適格請求書発行事業者登録番号", "T and 13 digits"
    ),
    Column("trade", "what it trades in", "業種", "Japan Standard Industrial Classification"),
    Column("mode", "live or test", "本番（live）または試験（test）"),
)
RESIDENTS: Final = (
    Column("resident", "reference of the resident", "住民の参照番号", "UUID"),
    Column("tax_year", "year of the refund", "還付の年分", "year", "BIGINT"),
    Column(
        "run",
        "the last run that found a refund for the resident",
        "その住民の還付を計算した最後の回",
        "number",
        "BIGINT",
    ),
    Column("refund_minor", "refund for the whole year", "年分全体の還付額", MINOR, "BIGINT", True),
    Column("at_cap", "yes, if a cap took something off", "上限により減額されていればyes"),
    Column("municipality", "where the resident lives", "住所地の市区町村", "全国地方公共団体コード"),
)


def purchase_columns(tiers: Sequence[str]) -> tuple[Column, ...]:
    """The columns of purchases of a year: one for each tier of its scheme, too."""
    named = (
        Column(f"{tier}_minor", f"of tier {tier}, tax included", f"税率区分「{tier}」の税込金額", MINOR, "BIGINT", True)
        for tier in tiers
    )
    return (*PURCHASES, *named, OTHER_TIERS)
