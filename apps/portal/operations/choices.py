"""What residents choose in the portal: whether purchases are recorded."""

from datetime import datetime

from apps.portal.viewer import Viewer
from apps.residents.operations.recording import pause_recording, resume_recording


def set_recording(viewer: Viewer, *, recorded: bool, at: datetime) -> None:
    """Record the resident's purchases from now on, or do not."""
    (resume_recording if recorded else pause_recording)(viewer.ref, at=at, actor=viewer.actor)
