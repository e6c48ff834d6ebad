"""What detectors need to know of a scheme: the amounts below which a purchase may be split, and basic food. Pure."""

from math import floor

from apps.schemes.document import Scheme
from apps.schemes.rates import lines_of_year


def limits_minor(scheme: Scheme, year: int) -> list[int]:
    """Amounts of one tier, in minor units, from which on a single purchase brings no more; none without such a cap."""
    rule = scheme.refund.purchase
    if rule is None or rule.cap is None:
        return []
    shares = {line.share for line in lines_of_year(scheme, year) if line.share > 0}
    return sorted({floor(rule.cap / share) for share in shares})


def basic_tiers(scheme: Scheme, year: int) -> list[str]:
    """The tiers of which the greatest share comes back in the year: basic food; none when nothing does."""
    lines = lines_of_year(scheme, year)
    most = max((line.share for line in lines), default=0)
    return sorted({line.tier for line in lines if line.share == most and most > 0})
