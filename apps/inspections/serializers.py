"""What merchants read of themselves, as JSON."""

from typing import Any

from apps.inspections.completeness import shares
from apps.inspections.models import MerchantMonth, MerchantYear
from apps.inspections.queries.merchants import counted_of


def completeness_json(merchant: int, year: MerchantYear, months: list[MerchantMonth]) -> dict[str, Any]:
    """A merchant's year with its score and its months."""
    return {
        "merchant": merchant,
        "year": year.tax_year,
        "counted_at": year.refreshed_at,
        "score_permille": year.score_permille,
        "shares": [
            {"name": share.name, "good": share.good, "all": share.all_, "permille": share.permille}
            for share in shares(counted_of(year))
        ],
        "numbers_missing": year.numbers_missing,
        "months": [_month(month) for month in months],
    }


def _month(month: MerchantMonth) -> dict[str, Any]:
    return {
        "month": month.month,
        "records": month.records,
        "late": month.late,
        "closings": {
            "agree": month.closings_agree,
            "differ": month.closings_differ,
            "not_compared": month.closings_open,
            "missing": month.closings_missing,
        },
        "rejected": month.rejections,
    }
