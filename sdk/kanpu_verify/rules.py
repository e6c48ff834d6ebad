"""What a scheme file says of a year, as far as a refund follows from one person's spend by tier and month. Exact.

Written from docs/refund-rules.md, not from the office's code.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple

Scheme = Mapping[str, Any]
UNLIMITED: Final = -1


class Line(NamedTuple):
    """A tier at one rate in months, and the share of a tax-included amount that comes back."""

    tier: str
    first_month: int
    last_month: int
    share: Fraction


def share_on(scheme: Scheme, tier_code: str, year: int, month: int) -> Fraction:
    """Return what share of an amount comes back that is spent on a tier in a month. Raises KeyError for no tier."""
    tier = next((tier for tier in scheme["tiers"] if tier["code"] == tier_code), None)
    if tier is None:
        raise KeyError(tier_code)
    day = f"{year:04}-{month:02}-01"
    refund = scheme["refund"]
    rule = tier.get("refund") or refund
    collected, rate = _on(tier.get("collected") or scheme["collected"], day), _on(tier["rates"], day)
    share = Fraction(rule.get("share") or 0)
    if rule["basis"] == "share_of_amount":
        return share
    if rule["basis"] == "share_of_tax":
        return share * rate / (1 + collected)
    difference = (collected - rate) / (1 + collected)
    return max(difference, Fraction(0)) if refund.get("surcharge") == "ignore" else difference


def yearly_cap(scheme: Scheme) -> int | None:
    """Return the one cap of a year for one person, UNLIMITED without any, None where a refund needs more to compute."""
    refund = scheme["refund"]
    limits: Sequence[Any] = refund.get("limits") or []
    if refund.get("purchase") or refund.get("eligibility") or len(limits) > 1:
        return None
    if not limits:
        return UNLIMITED
    cap = limits[0].get("cap") or {}
    is_plain = (limits[0]["per"], limits[0]["for"]) == ("year", "person") and not limits[0].get("at_least")
    return cap.get("amount") if is_plain else None


def refund_of(scheme: Scheme, lines: Sequence[Line], spend_minor: Sequence[int]) -> int | None:
    """Return the refund for what was spent on each line, in minor units; None where this cannot say."""
    cap = yearly_cap(scheme)
    if cap is None or len(lines) != len(spend_minor):
        return None
    brought = sum((line.share * spend for line, spend in zip(lines, spend_minor, strict=True)), Fraction(0))
    return _rounded(scheme["refund"]["rounding"], brought if cap == UNLIMITED else min(brought, Fraction(cap)))


def _rounded(rule: str, exact: Fraction) -> int | None:
    exact = max(exact, Fraction(0))
    if rule == "floor":
        return exact.__floor__()
    if rule == "kokuzei-tsusoku-120":
        return 1 if 0 < exact < 1 else exact.__floor__()
    return (exact + Fraction(1, 2)).__floor__() if rule == "half_up" else None


def _on(rates: Sequence[Any], day: str) -> Fraction:
    """The rate on a day: the last that has begun by then."""
    begun = [rate for rate in rates if rate["from"] <= day]
    return Fraction(max(begun, key=lambda rate: str(rate["from"]))["rate"])
