"""What happens to a card in its life: handed over, suspended, resumed, ordered anew."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from psycopg.types.range import TimestamptzRange

from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.residents.models import Card, CardOrder, CardSuspension, HandOver
from apps.residents.operations.judging_due import judge_again

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


@transaction.atomic
def suspend_cards(
    resident_ref: UUID, *, lost_since: datetime, channel: Channel, at: datetime, actor: str
) -> list[CardSuspension]:
    """Suspend the resident's cards that are good, from when they were lost on. Returns the suspensions that are open.

    A card that is suspended already is so from the earlier of both times. Sales since then are judged again. Raises
    LostInTheFuture and CardMissing.
    """
    if lost_since > at:
        raise LostInTheFuture("Give the time since when the card is lost: it is not later than now.")
    cards = list(Card.objects.select_for_update().filter(resident=resident_ref, replaced_from=None, valid_until__gt=at))
    if not cards:
        raise CardMissing("The resident has no card that could be suspended.")
    suspensions = [_suspend(card, lost_since, channel, at, actor) for card in cards]
    judge_again([resident_ref], since=lost_since, at=at)
    record_event(
        at=at, actor=actor, action="card.suspend", subject=f"resident:{resident_ref}",
        detail={"cards": [card.pk for card in cards], "channel": channel, "lost_since": lost_since.isoformat()},
    )  # fmt: skip
    return suspensions


def _suspend(card: Card, since: datetime, channel: Channel, at: datetime, actor: str) -> CardSuspension:
    """An open suspension from `since`; what it meets of earlier ones becomes part of it."""
    met = list(card.suspensions.filter(valid__overlap=TimestamptzRange(since, None)))
    starts = [span.valid.lower for span in met if span.valid.lower] + [since]
    card.suspensions.filter(pk__in=[span.pk for span in met]).delete()
    return CardSuspension.objects.create(
        card=card, valid=TimestamptzRange(min(starts), None), channel=channel, reported_at=at, reported_by=actor
    )


@transaction.atomic
def resume_card(card_id: int, *, channel: Channel, at: datetime, actor: str) -> CardSuspension:
    """End a card's suspension now: its holder has it again. What was bought meanwhile stays held until it is confirmed.

    Raises ChannelNotAllowed, CardMissing, CardNotSuspended.
    """
    if channel not in (Channel.PORTAL, Channel.WINDOW):
        raise ChannelNotAllowed("A card is resumed in the portal or at a window, never by telephone or letter.")
    card = _open_card(card_id, at)
    suspension = card.suspensions.filter(lifted_at=None).first()
    if suspension is None:
        raise CardNotSuspended("The card is not suspended.")
    suspension.valid = TimestamptzRange(suspension.valid.lower, at)
    suspension.lifted_at, suspension.lifted_by = at, actor
    suspension.save(update_fields=["valid", "lifted_at", "lifted_by"])
    CardOrder.objects.filter(resident=card.resident_id, reason="lost", card=None, cancelled_at=None).update(
        cancelled_at=at
    )
    judge_again([card.resident_id], since=at, at=at)  # of a till whose clock is fast
    _record(card, "card.resume", at, actor, {"channel": channel})
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
            at=at, actor=actor, action="card.order", subject=f"resident:{resident_ref}", detail={"reason": reason}
        )
    return order


@transaction.atomic
def hand_over(card_id: int, *, documents: Sequence[str], office: str, at: datetime, actor: str) -> HandOver:
    """Give a card to its holder, whose identity documents were checked by kind; it is active from now on.

    The resident's card before it ends now. Raises DocumentsInsufficient and CardMissing.
    """
    if not (set(documents) & set(PHOTO_DOCUMENTS) or len(set(documents) & set(OTHER_DOCUMENTS)) >= 2):
        raise DocumentsInsufficient("Check one document with a photo, or two others.")
    card = _open_card(card_id, at)
    if card.active_from is not None:
        raise CardMissing("The card is active already.")
    before = Card.objects.filter(resident=card.resident_id, active_from__isnull=False, replaced_from=None)
    before.update(replaced_from=at)
    card.active_from = max(at, card.valid_from)
    card.save(update_fields=["active_from"])
    judge_again([card.resident_id], since=at, at=at)
    _record(card, "card.hand_over", at, actor, {"documents": sorted(documents), "office": office})
    return HandOver.objects.create(card=card, at=at, actor=actor, office=office, documents=sorted(set(documents)))


def _open_card(card_id: int, at: datetime) -> Card:
    card = Card.objects.select_for_update().filter(pk=card_id, replaced_from=None, valid_until__gt=at).first()
    if card is None:
        raise CardMissing("There is no such card, or it has ended.")
    return card


def _record(card: Card, action: str, at: datetime, actor: str, detail: dict[str, object]) -> None:
    record_event(
        at=at, actor=actor, action=action, subject=f"resident:{card.resident_id}", detail={"card": card.pk, **detail}
    )
