"""One refund again, from its purchases as they were received: what it comes to, and where it differs. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from apps.kernel.documents.render import Language
from apps.refunds.assessment import Assessment, Person
from apps.refunds.rules import Rules
from apps.refunds.words import Numbers, amount_text, months_words
from apps.schemes.document import Scheme, Words
from apps.schemes.purchase_rule import bases_of, shares_of_month

LANGUAGES: Final[tuple[Language, Language]] = ("ja", "en")


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


def differences(scheme: Scheme, rules: Rules, kept: Numbers, again: Assessment) -> list[Words]:
    """Where a kept refund and its replay differ, to the minor unit; nothing when they are the same."""
    found = list(_differing(scheme, rules, kept.spend_minor, again.spend_minor, Words("支出", "spend")))
    if kept.bases_minor is not None and again.bases_minor is not None:
        what = Words("買い物ごとの還付", "what purchases bring")
        found += _differing(scheme, rules, kept.bases_minor, again.bases_minor, what)
    if tuple(kept.cuts) != again.cuts:
        found.append(Words("条件または限度の適用が異なります。", "Conditions or limits were applied differently."))
    if kept.entitled_minor != again.refund_minor:
        found.append(_difference(scheme, Words("還付額", "Refund"), kept.entitled_minor, again.refund_minor))
    return found


def _differing(scheme: Scheme, rules: Rules, kept: Sequence[int], again: Sequence[int], what: Words) -> Iterable[Words]:
    names = {tier.code: tier.name for tier in scheme.tiers}
    for line, one, two in zip(rules.lines, kept, again, strict=True):
        if one != two:
            name, months = names[line.tier], months_words(line)
            place = Words(f"{name.ja}（{months.ja}）の{what.ja}", f"{name.en}, {months.en}, {what.en}")
            yield _difference(scheme, place, one, two)


def _difference(scheme: Scheme, what: Words, kept_minor: int, again_minor: int) -> Words:
    ja, en = (tuple(amount_text(scheme, a, lang) for a in (kept_minor, again_minor)) for lang in LANGUAGES)
    return Words(f"{what.ja}：記録は{ja[0]}、再計算は{ja[1]}", f"{what.en}: kept {en[0]}, replayed {en[1]}")
