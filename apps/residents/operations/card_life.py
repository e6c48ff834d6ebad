"""What happens to a card in its life: handed over, suspended, resumed, ordered anew."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from psycopg.types.range import TimestamptzRange

from apps.audit.operations import record_event
from apps.audit.states import Change
from apps.kernel.errors import KanpuError
from apps.residents.models import Card, CardOrder, CardSuspension, HandOver, Resident
from apps.residents.operations.judging_due import judge_again
from apps.residents.operations.messages import tell

PHOTO_DOCUMENTS: Final = ("individual_number_card", "driving_licence", "passport", "residence_card", "disability_card")
OTHER_DOCUMENTS: Final = ("health_insurance", "pension", "student_card", "employee_card", "bank_book")
Channel = CardSuspension.Channel


class CardMissing(KanpuError):
    """The resident has no card that this can be done to."""

    code = "card_missing"


class CardNotSuspended(KanpuError):
    """The card is not suspended."""

    code = "card_not_suspended"


class LostInTheFuture(KanpuError):
    """A card cannot be lost later than now."""

    code = "lost_in_the_future"


class DocumentsInsufficient(KanpuError):
    """One document with a photo, or two others, must be checked."""

    code = "documents_insufficient"


class ChannelNotAllowed(KanpuError):
    """A card is resumed in the portal or in person only."""

    code = "channel_not_allowed"


class NotResident(KanpuError):
    """The holder does not live here any more."""

    code = "not_resident"


@transaction.atomic
def suspend_cards(
    resident_ref: UUID, *, lost_since: datetime, channel: Channel, at: datetime, actor: str
) -> list[CardSuspension]:
    """Suspend every card that was in the resident's hands at some time since it was lost. Returns the suspensions.

    So a card that was replaced or expired since is suspended for the time before; one that still waits for its
    hand-over is not. A card that is suspended already is so from the earlier of both times. Sales since then are judged
    again. Raises LostInTheFuture and CardMissing.
    """
    if lost_since > at:
        raise LostInTheFuture("Give the time since when the card is lost: it is not later than now.")
    _lock_cards_of(resident_ref)
    not_ended = Q(replaced_from=None) | Q(replaced_from__gt=lost_since)
    held = Card.objects.filter(not_ended, resident=resident_ref, active_from__isnull=False, valid_until__gt=lost_since)
    cards = list(held.order_by("pk"))
    if not cards:
        raise CardMissing("The resident has no card that could be suspended.")
    before = _suspended(cards)
    suspensions = [_suspend(card, lost_since, channel, at, actor) for card in cards]
    # No card was good before it was active: whoever lost one in the year 1 has nothing older judged again.
    judge_again([resident_ref], since=min(suspension.valid.lower for suspension in suspensions), at=at)
    record_event(
        at=at, actor=actor, action="card.suspend", subject=f"resident:{resident_ref}",
        detail={"cards": [card.pk for card in cards], "channel": channel, "lost_since": lost_since.isoformat()},
        before={"suspended_since": before}, after={"suspended_since": _suspended(cards)},
    )  # fmt: skip
    tell([resident_ref], "card_suspended", at=at)
    return suspensions


def _lock_cards_of(resident_ref: UUID) -> Resident:
    """Let one at a time change what a resident's cards are. Raises CardMissing."""
    resident = Resident.objects.select_for_update(no_key=True).filter(pk=resident_ref).first()
    if resident is None:
        raise CardMissing("There is no such resident, and so no card.")
    return resident


def _suspended(cards: Sequence[Card]) -> dict[str, object]:
    """Since when each of these cards is suspended, by its number."""
    spans = CardSuspension.objects.filter(card__in=cards, lifted_at=None).order_by("card").values_list("card", "valid")
    return {str(card): valid.lower for card, valid in spans}


def _suspend(card: Card, lost_since: datetime, channel: Channel, at: datetime, actor: str) -> CardSuspension:
    """The card's open suspension, from `lost_since` or earlier; spans before it that it meets become part of it."""
    since = max(lost_since, card.active_from or lost_since)
    met = list(card.suspensions.filter(valid__overlap=TimestamptzRange(since, None)))
    span = TimestamptzRange(min([since, *(other.valid.lower for other in met if other.valid.lower)]), None)
    is_open = next((other for other in met if other.lifted_at is None), None)
    card.suspensions.filter(pk__in=[other.pk for other in met if other is not is_open]).delete()
    if is_open is None:
        return CardSuspension.objects.create(card=card, valid=span, channel=channel, reported_at=at, reported_by=actor)
    is_open.valid = span
    is_open.save(update_fields=["valid"])
    return is_open


@transaction.atomic
def resume_card(card_id: int, *, channel: Channel, at: datetime, actor: str) -> CardSuspension:
    """End a card's suspension now: its holder has it again. What was bought meanwhile stays held until it is confirmed.

    Raises ChannelNotAllowed, CardMissing, CardNotSuspended.
    """
    if channel not in (Channel.PORTAL, Channel.WINDOW):
        raise ChannelNotAllowed("A card is resumed in the portal or at a window, never by telephone or letter.")
    card, _ = _open_card(card_id, at)
    suspension = card.suspensions.filter(lifted_at=None).first()
    if suspension is None:
        raise CardNotSuspended("The card is not suspended.")
    since = suspension.valid.lower  # to come for a card that is active later: then it is suspended for no time at all
    suspension.valid = TimestamptzRange(since, max(at, since))
    suspension.lifted_at, suspension.lifted_by = at, actor
    suspension.save(update_fields=["valid", "lifted_at", "lifted_by"])
    CardOrder.objects.filter(resident=card.resident_id, reason="lost", card=None, cancelled_at=None).update(
        cancelled_at=at
    )
    judge_again([card.resident_id], since=at, at=at)  # of a till whose clock is fast
    change: Change = {"before": {"suspended_since": since}, "after": {"suspended_since": None, "lifted_at": at}}
    _record(card, "card.resume", {"channel": channel}, change, at=at, actor=actor)
    tell([card.resident_id], "card_resumed", at=at)
    return suspension


@transaction.atomic
def order_card(resident_ref: UUID, *, reason: CardOrder.Reason, at: datetime, actor: str) -> CardOrder:
    """Order another card, once: an order that is open already is returned. It is issued with the next file."""
    order, is_new = CardOrder.objects.get_or_create(
        resident_id=resident_ref, card=None, cancelled_at=None,
        defaults={"reason": reason, "ordered_at": at, "ordered_by": actor},
    )  # fmt: skip
    if is_new:
        record_event(
            at=at, actor=actor, action="card.order", subject=f"resident:{resident_ref}", detail={"reason": reason},
            before={"order": None}, after={"order": order.pk, "reason": reason},
        )  # fmt: skip
    return order


@transaction.atomic
def hand_over(card_id: int, *, documents: Sequence[str], office: str, at: datetime, actor: str) -> HandOver:
    """Give a card to its holder, whose identity documents were checked by kind; it is active from now on.

    The resident's card before it ends as this one begins, suspended or not, and so do older ones that nobody fetched.
    Raises DocumentsInsufficient, CardMissing and NotResident.
    """
    kinds = set(documents)
    if not kinds <= {*PHOTO_DOCUMENTS, *OTHER_DOCUMENTS} or not (kinds & set(PHOTO_DOCUMENTS) or len(kinds) >= 2):
        raise DocumentsInsufficient("Check one document with a photo, or two others, and name them by their kinds.")
    card, holder = _open_card(card_id, at)
    if card.active_from is not None:
        raise CardMissing("The card is active already.")
    if holder.resident_to and holder.resident_to <= at.astimezone(ZoneInfo(settings.TIME_ZONE)).date():
        raise NotResident("The holder is not resident any more: keep the card and destroy it.")
    card.active_from = max(at, card.valid_from)
    older = Q(active_from__isnull=False) | Q(pk__lt=card.pk)
    Card.objects.filter(older, resident=holder, replaced_from=None).exclude(pk=card.pk).update(
        replaced_from=card.active_from
    )
    card.save(update_fields=["active_from"])
    judge_again([holder.pk], since=at, at=at)
    change: Change = {"before": {"active_from": None}, "after": {"active_from": card.active_from}}
    detail: dict[str, object] = {"documents": sorted(kinds), "office": office}
    _record(card, "card.hand_over", detail, change, at=at, actor=actor)
    return HandOver.objects.create(card=card, at=at, actor=actor, office=office, documents=sorted(kinds))


def _open_card(card_id: int, at: datetime) -> tuple[Card, Resident]:
    """A card that has not ended, and its holder, whose cards nobody else changes meanwhile. Raises CardMissing."""
    ref = Card.objects.filter(pk=card_id).values_list("resident_id", flat=True).first()
    holder = _lock_cards_of(ref) if ref else None
    card = Card.objects.filter(pk=card_id, replaced_from=None, valid_until__gt=at).first()
    if card is None or holder is None:
        raise CardMissing("There is no such card, or it has ended.")
    return card, holder


def _record(card: Card, action: str, detail: dict[str, object], change: Change, *, at: datetime, actor: str) -> None:
    record_event(
        at=at, actor=actor, action=action, subject=f"resident:{card.resident_id}",
        detail={"card": card.pk, **detail}, **change,
    )  # fmt: skip
