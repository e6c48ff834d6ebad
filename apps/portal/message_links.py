"""Where a message leads: the page of the portal that it is about. Pure.

Whoever adds a kind of message adds the name of its page here, and which of its particulars are in the address.
"""

from collections.abc import Mapping
from typing import Any, Final

LINKS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "account_changed": ("my-payment", ()),
    "account_reviewed": ("my-payment", ()),
    "acting_ended": ("acting", ()),
    "card_ready": ("my-cards", ()),
    "card_resumed": ("my-cards", ()),
    "card_suspended": ("my-cards", ()),
    "contact_changed": ("my-mail", ()),
    "data_taken": ("my-data", ()),
    "decision_issued": ("my-decision", ("decision",)),
    "dispute_asked": ("my-dispute", ("dispute",)),
    "dispute_decided": ("my-dispute", ("dispute",)),
    "dispute_received": ("my-dispute", ("dispute",)),
    "glass_broken": ("my-accesses", ()),
    "held_purchases": ("my-held", ()),
    "household_consent": ("my-household", ()),
    "household_payment": ("my-household", ()),
    "letter_payable": ("my-payment", ()),
    "letter_uncashed": ("my-payment", ()),
    "letter_printed": ("sign-in", ()),
    "letter_returned": ("sign-in", ()),
    "looked": ("my-accesses", ()),
    "own_payment": ("my-payment", ()),
    "payment_failed": ("my-payment", ()),
    "payment_paid": ("my-payment", ()),
    "payment_returned": ("my-payment", ()),
    "proxy_accepted": ("acting", ()),
    "proxy_ended": ("my-proxies", ()),
    "proxy_named": ("my-proxies", ()),
    "proxy_used": ("my-accesses", ()),
    "purchase_cancelled": ("year", ("year",)),
    "purchase_cleared": ("my-hearing", ("hearing",)),
    "purchase_questioned": ("my-hearing", ("hearing",)),
    "question_answered": ("my-accesses", ()),
    "refund_lapses": ("my-statement", ("year", "run")),
    "refund_ready": ("my-statement", ("year", "run")),
    "share_failed": ("my-payment", ()),
    "share_paid": ("my-payment", ()),
    "share_returned": ("my-payment", ()),
}


def link_of(kind: str, detail: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]] | None:
    """The name of a message's page and what its address needs, or None where there is none."""
    name, needed = LINKS.get(kind, ("", ()))
    return (name, tuple(detail[key] for key in needed)) if name and all(key in detail for key in needed) else None
