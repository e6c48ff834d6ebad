"""The OpenAPI operations of the sealing keys and the test cards."""

from typing import Final

from apps.merchants.openapi import BYTES_32, WHEN, WORDS, answer, exactly, operation
from apps.residents.published import PUBLISHED

KEYS: Final = operation(
    "readSealingKeys",
    "The public sealing keys",
    "No API key needed. A reader caches them and seals to the newest whose `seal_until` is ahead.",
    tag="keys and cards",
    with_key=False,
    parameters=[
        {
            "name": "mode",
            "in": "query",
            "description": "Test cards have keys of their own.",
            "schema": {"type": "string", "enum": ["live", "test"], "default": "live"},
        }
    ],
    answer=answer(
        "The keys, the newest last.",
        {
            "type": "array",
            "items": exactly(
                {"id": {"type": "integer", "minimum": 1, "maximum": 255}, "public_key": BYTES_32, "seal_until": WHEN}
            ),
        },
        {
            "one key": [
                {
                    "id": 1,
                    "public_key": "mN6Y5a7mYHQ1sSbiXeSVoN3RGdCoYK_Qk4QvlsJzmBg",
                    "seal_until": "2018-04-01T00:00:00+09:00",
                }
            ]
        },
    ),
)
STATUSES: Final = sorted({purpose.status for purpose in PUBLISHED.values()})
CARDS: Final = operation(
    "readTestCards",
    "The published test cards",
    "For test keys: cards to try a till with, their secrets included, and what becomes of what each buys.",
    tag="keys and cards",
    errors=("test_mode_only",),
    answer=answer(
        "The cards.",
        {
            "type": "array",
            "items": exactly(
                {
                    "name": {"type": "string", "enum": list(PUBLISHED)},
                    "card_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
                    "card_key": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                    "expect": exactly(
                        {
                            "status": {"type": "string", "enum": STATUSES},
                            "code": {"type": ["string", "null"]},
                        }
                    ),
                    "purpose": WORDS,
                }
            ),
        },
        {
            "the cards": [
                {
                    "name": name,
                    "card_id": "8aff7fb88048e8ceda921f3d8afa8a29",
                    "card_key": "3abf7965492dec6b5d0882aa5410dbe36ad4ca63d1591868ecd215bc59564739",
                    "expect": {"status": purpose.status, "code": purpose.code or None},
                    "purpose": {"ja": purpose.ja, "en": purpose.en},
                }
                for name, purpose in PUBLISHED.items()
            ]
        },
    ),
)
