"""One sale of a resident's as it stands, with its history; and what a missing purchase may be the double of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import DurationField, Exists, ExpressionWrapper, F, OuterRef, Value
from django.db.models.functions import Abs, Extract

from apps.accruals.models import UNFINISHED, Dispute, Entry, Withheld
from apps.kernel.database import Cursor, raw_connection
from apps.purchases.acceptance import YearRules, year_of
from apps.purchases.following import Amounts, Followed, Key, follow, kind_of
from apps.purchases.followups import Thread, read_threads
from apps.purchases.models import Outcome, Purchase
from apps.purchases.queries import year_rules
from apps.purchases.records import read_line
from apps.purchases.rulings import follow_ruled, takes_off

DOUBLES_AT_MOST: Final = 20


class Happening(NamedTuple):
    """Something that was sent or ruled about a sale: its kind, when it came, and its amounts in minor units by tier."""

    kind: str
    at: datetime
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class SaleSeen:
    """A resident's sale: as the till says, as it stands (`sold`), what is left of it, and its history.

    It counts only while `is_counted`; `is_held` waits for the resident's answer. Amounts are minor units by tier.
    """

    key: Key
    at: datetime
    tax_year: int
    by_till: Amounts
    sold: Amounts
    left: Amounts
    is_counted: bool
    is_held: bool
    history: tuple[Happening, ...]

    @property
    def total_minor(self) -> int:
        """What was sold, all tiers together."""
        return sum(self.sold.values())


def holder_of(key: Key) -> UUID | None:
    """On whose account a sale is or was, or None where that is not known: two queries."""
    entry = Entry.objects.filter(terminal_id=key.terminal_id, seq=key.seq, kind="sale")
    withheld = Withheld.objects.filter(terminal_id=key.terminal_id, seq=key.seq)
    refs = (rows.values_list("resident_ref", flat=True).first() for rows in (entry, withheld))
    return next((ref for ref in refs if ref), None)


def sale_seen(resident_ref: UUID, key: Key) -> SaleSeen | None:
    """A sale that is or was on the resident's account, or None for another's: constantly many queries."""
    entries = Entry.objects.filter(resident_ref=resident_ref, terminal_id=key.terminal_id, seq=key.seq, kind="sale")
    withheld = Withheld.objects.filter(resident_ref=resident_ref, terminal_id=key.terminal_id, seq=key.seq).first()
    is_on = entries.exists()
    if not is_on and withheld is None:
        return None
    with connection.cursor(), Cursor(raw_connection()) as cursor:
        thread = read_threads(cursor, [key])[key]
    rules = year_rules()
    if thread.original is None:
        return None
    followed = follow_ruled(thread.original, thread.followers, thread.rulings, rules)
    if followed.sold is None:
        return None
    by_till = follow(thread.original, thread.followers, rules).sold
    is_counted = is_on and not takes_off(thread.rulings) and not followed.voided
    return SaleSeen(
        key,
        followed.sold.at,
        followed.sold.year,
        by_till.amounts if by_till else {},
        followed.sold.amounts,
        followed.left,
        is_counted,
        is_held=withheld is not None and withheld.status == "held",
        history=_history(thread, followed),
    )


def _history(thread: Thread, followed: Followed) -> tuple[Happening, ...]:
    sent = [Happening(kind_of(f), f.received_at, read_line(f.line).amounts) for f in thread.followers]
    ruled = [Happening(kind_of(f), f.received_at, read_line(f.line).amounts) for f in thread.rulings]
    first = read_line(thread.original.line).amounts if thread.original else {}
    sale = [Happening("sale", followed.sold.at, first)] if followed.sold else []
    return (*sale, *sorted([*sent, *ruled], key=lambda happening: happening.at))


class Double(NamedTuple):
    """A sale that a missing purchase may be: of the resident (`own`), or one that nobody has claimed."""

    terminal_id: int
    seq: int
    at: datetime
    own: bool


def doubles_of(resident_ref: UUID, at: datetime, total_minor: int, *, besides: Key | None = None) -> list[Double]:
    """What was sold for the same sum on the same day: to the resident, or without a card and not claimed yet."""
    rules = year_of(at, year_rules())
    if rules is None:
        return []
    start, end = _day_of(at, rules.zone)
    entries = Entry.objects.filter(
        resident_ref=resident_ref, tax_year=rules.year, month=start.month, at__gte=start, at__lt=end, kind="sale"
    ).values_list("terminal_id", "seq", "at", "amounts_minor")
    own = [
        Double(terminal_id, seq, at, own=True)
        for terminal_id, seq, at, amounts in entries
        if sum(amounts) == total_minor and (terminal_id, seq) != besides
    ]
    return own + _unclaimed(rules, at, total_minor)


def _day_of(at: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Where the day of a time begins and ends."""
    day = at.astimezone(zone).date()
    return datetime.combine(day, time(), zone), datetime.combine(day + timedelta(days=1), time(), zone)


def _unclaimed(rules: YearRules, at: datetime, total_minor: int) -> list[Double]:
    """Sales of the day that nobody claimed yet, the nearest in time first."""
    start, end = _day_of(at, rules.zone)
    outcomes = Outcome.objects.filter(lane=OuterRef("lane"), terminal_id=OuterRef("terminal_id"), seq=OuterRef("seq"))
    apart = Abs(Extract(ExpressionWrapper(F("at") - Value(at), DurationField()), "epoch"))
    sales = Purchase.objects.filter(
        Exists(outcomes.filter(status="unclaimed")),
        tax_year=rules.year, kind="sale", at__gte=start, at__lt=end, amount_minor=total_minor,
    ).order_by(apart, "terminal_id", "seq")  # fmt: skip
    return [Double(*row, own=False) for row in sales.values_list("terminal_id", "seq", "at")[:DOUBLES_AT_MOST]]


def alike(dispute: Dispute) -> list[Dispute]:
    """The resident's other unfinished or admitted disputes about a missing purchase of the same time: one query."""
    others = Dispute.objects.filter(
        resident_ref=dispute.resident_ref, kind=Dispute.Kind.MISSING, bought_at=dispute.bought_at
    ).exclude(pk=dispute.pk)
    return list(others.filter(state__in=(*UNFINISHED, "upheld", "partly"))[:DOUBLES_AT_MOST])


def shops_told(resident_ref: UUID, keys: Sequence[Key]) -> Mapping[Key, str]:
    """The shops that the resident named of admitted purchases, by their sales: one query."""
    told = Dispute.objects.filter(
        resident_ref=resident_ref,
        kind=Dispute.Kind.MISSING,
        terminal_id__in={key.terminal_id for key in keys},
        seq__in={key.seq for key in keys},
    ).exclude(shop="")
    return {dispute.sale: dispute.shop for dispute in told if dispute.sale}
