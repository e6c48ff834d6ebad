"""What a clerk does for a resident at a window or by letter: as in the portal, with office and channel on record.

Nothing here is done to a card of anybody but the resident who was opened.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from apps.audit.operations import record_event
from apps.residents.models import Card, CardOrder, CardSuspension, PaymentAccount
from apps.residents.operations.accounts import name_account, review_account
from apps.residents.operations.card_life import CardMissing, hand_over, order_card, resume_card, suspend_cards
from apps.residents.operations.recording import pause_recording, resume_recording
from apps.residents.vault.contents import Account

Channel = CardSuspension.Channel


@dataclass(frozen=True, slots=True)
class Acting:
    """Who acts for which resident, in which office, and how the resident asked for it."""

    resident_ref: UUID
    actor: str
    office: str
    channel: Channel
    at: datetime


@transaction.atomic
def suspend(by: Acting, *, lost_since: datetime) -> None:
    """Suspend the resident's cards from when they were lost on. Raises LostInTheFuture and CardMissing."""
    suspend_cards(by.resident_ref, lost_since=lost_since, channel=by.channel, at=by.at, actor=by.actor)
    record_act(by, "card.suspend")


@transaction.atomic
def resume(by: Acting, card_id: int) -> None:
    """The holder has the card again. Raises ChannelNotAllowed, CardMissing, CardNotSuspended."""
    _check_own(by, card_id)
    resume_card(card_id, channel=by.channel, at=by.at, actor=by.actor)
    record_act(by, "card.resume")


@transaction.atomic
def order(by: Acting, *, reason: CardOrder.Reason) -> None:
    """Order another card."""
    order_card(by.resident_ref, reason=reason, at=by.at, actor=by.actor)
    record_act(by, "card.order")


@transaction.atomic
def give(by: Acting, card_id: int, *, documents: Sequence[str]) -> None:
    """Hand a card over to its holder at the window. Raises DocumentsInsufficient and CardMissing."""
    _check_own(by, card_id)
    hand_over(card_id, documents=documents, office=by.office, at=by.at, actor=by.actor)


@transaction.atomic
def pause(by: Acting) -> None:
    """Record nothing of what the resident buys from now on."""
    pause_recording(by.resident_ref, at=by.at, actor=by.actor)
    record_act(by, "recording.pause")


@transaction.atomic
def unpause(by: Acting) -> None:
    """Record purchases again."""
    resume_recording(by.resident_ref, at=by.at, actor=by.actor)
    record_act(by, "recording.resume")


@transaction.atomic
def name_account_for(by: Acting, account: Account) -> None:
    """Let the resident's refunds go to this account. Raises what `name_account` raises."""
    name_account(by.resident_ref, account, channel=by.channel, at=by.at, actor=by.actor)
    record_act(by, "account.name")


@transaction.atomic
def review(by: Acting, account_id: UUID, *, reason: PaymentAccount.Reason) -> None:
    """Say whether the holder of an account is the resident. Raises NotUnderReview and ReviewedByAsker."""
    review_account(by.resident_ref, account_id, reason=reason, at=by.at, actor=by.actor)
    record_act(by, "account.review")


def _check_own(by: Acting, card_id: int) -> None:
    if not Card.objects.filter(pk=card_id, resident=by.resident_ref).exists():
        raise CardMissing("The resident has no such card.")


def record_act(by: Acting, act: str) -> None:
    """Put on record what was done for the resident, in which office and how it was asked for."""
    detail = {"act": act, "channel": by.channel, "office": by.office}
    record_event(at=by.at, actor=by.actor, action="office.act", subject=f"resident:{by.resident_ref}", detail=detail)
