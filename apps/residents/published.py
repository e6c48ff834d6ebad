"""The published test cards: what each is for, and what becomes of a purchase with it. Pure."""

from typing import Final, NamedTuple


class Purpose(NamedTuple):
    """What a test card shows: the status and code of a purchase with it, in words of both languages."""

    status: str
    code: str
    ja: str
    en: str


PUBLISHED: Final = {
    "standard": Purpose(
        status="counted",
        code="",
        ja="通常のカード。購入は計上されます。",
        en="An ordinary card: what it buys is counted.",
    ),
    "second": Purpose(
        status="counted",
        code="",
        ja="別の住民の通常のカード。",
        en="An ordinary card of another resident.",
    ),
    "held": Purpose(
        status="held",
        code="card_suspended",
        ja="紛失届のあるカード。購入は保留されます。",
        en="A card reported lost: what it buys is held.",
    ),
    "unknown": Purpose(
        status="rejected",
        code="card_unknown",
        ja="登録のないカード。購入は却下されます。",
        en="A card nobody knows: what it buys is rejected.",
    ),
    "cloned": Purpose(
        status="held",
        code="card_cloned",
        ja="複製とみなされるカード。購入は保留されます。",
        en="A card taken for a copy: what it buys is held.",
    ),
}
