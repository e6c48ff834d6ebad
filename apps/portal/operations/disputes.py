"""What residents do with disputes: each is one call of the domain, on their own only."""

from datetime import datetime

from apps.accruals.disputes import Missing
from apps.accruals.models import Dispute
from apps.portal.queries.disputes import own_dispute
from apps.portal.viewer import Viewer
from apps.purchases.following import Key
from apps.refunds.operations.disputing import (
    Objection,
    answer_question,
    appeal_dispute,
    dispute_purchase,
    report_missing,
    withdraw_dispute,
)


def dispute_own(viewer: Viewer, terminal_id: int, seq: int, objection: Objection, *, at: datetime) -> Dispute:
    """Dispute a purchase. Raises what dispute_purchase raises: PurchaseMissing for another's."""
    return dispute_purchase(viewer.ref, Key(terminal_id, seq), objection, at=at, actor=viewer.actor)


def report_own_missing(viewer: Viewer, missing: Missing, *, words: str, at: datetime) -> Dispute:
    """Report a missing purchase. Raises what report_missing raises."""
    return report_missing(viewer.ref, missing, words=words, at=at, actor=viewer.actor)


def answer_own_question(viewer: Viewer, dispute_id: int, *, text: str, picture: bytes | None, at: datetime) -> None:
    """Answer the office. Raises DisputeMissing for another's, DisputeClosed, PhotoNotAsked, PictureRefused."""
    own_dispute(viewer.ref, dispute_id)
    answer_question(dispute_id, text=text, picture=picture, at=at, actor=viewer.actor)


def withdraw_own_dispute(viewer: Viewer, dispute_id: int, *, at: datetime) -> None:
    """Give a dispute up. Raises DisputeMissing for another's, DisputeClosed."""
    own_dispute(viewer.ref, dispute_id)
    withdraw_dispute(dispute_id, at=at, actor=viewer.actor)


def appeal_own(viewer: Viewer, dispute_id: int, *, words: str, at: datetime) -> None:
    """Appeal. Raises DisputeMissing for another's, DisputeClosed, TooLate."""
    own_dispute(viewer.ref, dispute_id)
    appeal_dispute(dispute_id, words=words, at=at, actor=viewer.actor)
