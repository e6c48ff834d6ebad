"""The OpenAPI operation of completeness."""

from typing import Any, Final

from apps.inspections.completeness import LATE_DAYS
from apps.merchants.openapi import WHEN, Json, answer, exactly, operation

COUNT: Final[Json] = {"type": "integer", "minimum": 0}
NUMBER: Final[Json] = {"type": "integer", "minimum": 1, "maximum": 999_999_999}
YEAR: Final[Json] = {"type": "integer", "minimum": 1, "maximum": 9999}
PERMILLE: Final[Json] = {"type": "integer", "minimum": 0, "maximum": 1000}
SHARE: Final = exactly(
    {
        "name": {"type": "string", "enum": ["numbers", "in_time", "closings"]},
        "good": COUNT,
        "all": COUNT,
        "permille": PERMILLE,
    }
)
MONTH: Final = exactly(
    {
        "month": {"type": "integer", "minimum": 1, "maximum": 12},
        "records": COUNT,
        "late": COUNT | {"description": f"Records that came more than {LATE_DAYS} days after their time."},
        "closings": exactly({"agree": COUNT, "differ": COUNT, "not_compared": COUNT, "missing": COUNT}),
        "rejected": {
            "type": "object",
            "additionalProperties": COUNT,
            "description": "Refused records by error code, in the month in which they were refused.",
        },
    }
)
EXAMPLE: Final[dict[str, Any]] = {
    "merchant": 12,
    "year": 2017,
    "counted_at": "2017-09-06T03:00:00+09:00",
    "score_permille": 933,
    "shares": [
        {"name": "numbers", "good": 990, "all": 1000, "permille": 990},
        {"name": "in_time", "good": 985, "all": 990, "permille": 994},
        {"name": "closings", "good": 28, "all": 30, "permille": 933},
    ],
    "numbers_missing": 10,
    "months": [
        {
            "month": 8,
            "records": 990,
            "late": 5,
            "closings": {"agree": 28, "differ": 1, "not_compared": 0, "missing": 1},
            "rejected": {"tier_unknown": 2},
        }
    ],
}
READ_COMPLETENESS: Final = operation(
    "readCompleteness",
    "How completely a merchant reports",
    "Gaps, late records, closings and refused records of a year, counted once a day, and the score: the lowest of the "
    "three shares. Not for keys of some stores only. Scope `read`.",
    tag="terminals",
    errors=("scope_missing", "merchant_not_yours"),
    parameters=[
        {"name": "year", "in": "query", "description": "The tax year, by default the newest counted.", "schema": YEAR},
        {
            "name": "merchant",
            "in": "query",
            "description": "For a software maker's key: the merchant's number.",
            "schema": NUMBER,
        },
    ],
    answer=answer(
        "What was counted.",
        exactly(
            {
                "merchant": NUMBER,
                "year": YEAR,
                "counted_at": WHEN,
                "score_permille": PERMILLE,
                "shares": {"type": "array", "minItems": 3, "maxItems": 3, "items": SHARE},
                "numbers_missing": COUNT,
                "months": {"type": "array", "maxItems": 12, "items": MONTH},
            }
        ),
        {"a year": EXAMPLE},
    ),
)
