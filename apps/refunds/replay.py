"""One refund again, from its purchases as they were received: what it comes to, and where it differs. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from apps.refunds.assessment import Assessment, Person
from apps.refunds.leaves import line_label
from apps.refunds.rules import Rules
from apps.refunds.words import Numbers
from apps.schemes.document import Scheme, Words
from apps.schemes.purchase_rule import bases_of, shares_of_month


class Left(NamedTuple):
    """A purchase and what is left of it: who bought it, when, and the amounts per tier, in minor units."""

    resident_ref: UUID
    terminal: str
    seq: int
    at: datetime
    amounts: Mapping[str, int]
    records: int  # the sale and all that followed it


@dataclass(frozen=True, slots=True)
class Bought:
    """A resident's year, put together from purchases."""

    spend: dict[str, list[int]]
    bases: dict[str, list[int]]
    purchases: list[int]


def bought(purchases: Iterable[Left], scheme: Scheme, year: int) -> Bought:
    """Twelve months of spend, of what purchases bring and how many there were, in the scheme's time zone."""
    zone, found = ZoneInfo(scheme.time_zone), Bought({}, {}, [0] * 12)
    for purchase in purchases:
        month = purchase.at.astimezone(zone).month
        for tier, amount in purchase.amounts.items():
            found.spend.setdefault(tier, [0] * 12)[month - 1] += amount
        found.purchases[month - 1] += any(amount > 0 for amount in purchase.amounts.values())
        if scheme.refund.purchase:
            shares = shares_of_month(scheme, year, month)
            for tier, base in bases_of(scheme.refund.purchase, shares, purchase.amounts).items():
                found.bases.setdefault(tier, [0] * 12)[month - 1] += base
    return found


def replayed(person: Person, of_purchases: Bought) -> Person:
    """The same resident with what the purchases say in place of the totals."""
    return Person(
        person.ref,
        of_purchases.spend,
        of_purchases.bases,
        of_purchases.purchases,
        person.households,
        person.attributes,
    )


def differences(kept: Numbers, again: Assessment, rules: Rules) -> list[Words]:
    """Where a kept refund and its replay differ, to the minor unit; nothing when they are the same."""
    found = list(_differing("使った額", "spend", rules, kept.spend_minor, again.spend_minor))
    if kept.bases_minor is not None and again.bases_minor is not None:
        found += _differing("買い物ごとの還付", "what purchases bring", rules, kept.bases_minor, again.bases_minor)
    if tuple(kept.cuts) != again.cuts:
        found.append(Words("限度額の適用が異なります。", "The limits were applied differently."))
    if kept.entitled_minor != again.refund_minor:
        found.append(
            Words(
                f"還付額：記録は{kept.entitled_minor:,}、再計算は{again.refund_minor:,}（最小単位）",
                f"refund: kept {kept.entitled_minor:,}, replayed {again.refund_minor:,} minor units",
            )
        )
    return found


def _differing(ja: str, en: str, rules: Rules, kept: Sequence[int], again: Sequence[int]) -> Iterable[Words]:
    for line, one, two in zip(rules.lines, kept, again, strict=True):
        if one != two:
            label = line_label(line)
            yield Words(
                f"{label}の{ja}：記録は{one:,}、再計算は{two:,}（最小単位）",
                f"{en} of {label}: kept {one:,}, replayed {two:,} minor units",
            )
