"""Suspending cards for somebody on the telephone, at any hour: who answers is told whether it was done, and no more."""

from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from apps.audit.access import Access
from apps.audit.operations import Cause, raise_alarms, record_event
from apps.kernel.errors import KanpuError
from apps.residents.models import CardSuspension, PhoneMiss
from apps.residents.operations.card_life import CardMissing, LostInTheFuture, suspend_cards
from apps.residents.queries.register import protected_among
from apps.residents.queries.vault import read_vault, residents_named
from apps.residents.vault.addresses import is_address

MISSES: Final = 10
MISSES_WITHIN: Final = timedelta(hours=24)
MISS_LOCK: Final = 20150911  # the class of the advisory locks taken by who answers calls


class TooManyMisses(KanpuError):
    """Too many calls named nobody. `retry_at` says when the next may be tried."""

    code = "rate_limited"

    def __init__(self, retry_at: datetime) -> None:
        super().__init__(f"Too many particulars were nobody's. Try again after {retry_at:%Y-%m-%d %H:%M}.")
        self.retry_at = retry_at


def suspend_by_phone(
    name: str, birth_date: date, address: str, *, lost_since: datetime, access: Access, at: datetime
) -> bool:
    """Suspend the cards of the one resident of this name (in kana), birth date, and address or postal code.

    Of a protected resident the whole address must be told: a postal code could be found out by trying.
    Returns whether it took effect, whatever the reason. Addresses are opened in the vault, on record as `access`: so
    not inside a transaction. After MISSES within a day, no more is tried and an alarm is raised. Raises TooManyMisses,
    LostInTheFuture, VaultKeysMissing and VaultKeysOutdated.
    """
    if lost_since > at:
        raise LostInTheFuture("Give the time since when the card is lost: it is not later than now.")
    miss = _count_miss(access.actor, at)
    matching = _living_at(residents_named(name, birth_date), address, access, at)
    took_effect = len(matching) == 1 and _suspend(matching[0], lost_since, access.actor, at)
    with transaction.atomic():
        if len(matching) == 1:  # somebody who knew a resident, with a card to suspend or without
            miss.delete()
        detail = {"took_effect": took_effect}
        record_event(at=at, actor=access.actor, action="card.suspend_by_phone", subject="telephone", detail=detail)
    return took_effect


def _count_miss(actor: str, at: datetime) -> PhoneMiss:
    """Count a miss before it is known to be one, one at a time an actor. Raises TooManyMisses, with an alarm."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [MISS_LOCK, actor])
        misses = PhoneMiss.objects.filter(actor=actor, at__gt=at - MISSES_WITHIN)
        latest = list(misses.order_by("-at").values_list("at", flat=True)[:MISSES])
        if len(latest) < MISSES:
            return PhoneMiss.objects.create(actor=actor, at=at)
    raise_alarms([Cause("phone_guessing", f"{actor}:{at:%Y-%m-%d}", {"actor": actor})], at=at)
    raise TooManyMisses(latest[-1] + MISSES_WITHIN)


def _living_at(refs: list[UUID], address: str, access: Access, at: datetime) -> list[UUID]:
    if not refs:
        return []
    found = read_vault(refs, ["address"], access=access, at=at)
    protected = protected_among(refs)
    return [
        ref
        for ref, identity in found.items()
        if identity.address and is_address(address, identity.address, or_postal_code=ref not in protected)
    ]


def _suspend(resident_ref: UUID, lost_since: datetime, actor: str, at: datetime) -> bool:
    try:
        suspend_cards(resident_ref, lost_since=lost_since, channel=CardSuspension.Channel.PHONE, at=at, actor=actor)
    except CardMissing:
        return False
    return True
