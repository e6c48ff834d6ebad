"""The resident replies to what is held against a purchase."""

from datetime import datetime

from apps.inspections.operations.annulments import reply
from apps.portal.queries.hearings import own_annulment
from apps.portal.viewer import Viewer


def reply_own(viewer: Viewer, annulment_id: int, *, words: str, at: datetime) -> None:
    """Reply. Raises AnnulmentMissing for another's, ReplyTimeOver."""
    own_annulment(viewer.ref, annulment_id)
    reply(annulment_id, words=words, at=at, actor=viewer.actor)
