"""Opening a page for somebody else, which is put on record, and told to the resident once a day."""

from datetime import datetime

from apps.audit.operations import record_accesses
from apps.portal.queries.acting import access_of
from apps.portal.viewer import Viewer
from apps.portal.wording import PORTAL
from apps.residents.operations.proxies import note_acting


def note_use(viewer: Viewer, page: str, *, at: datetime) -> None:
    """Put on record that a page is opened for its resident, before it is read; nothing for who looks at the own page.

    Not inside a transaction. The record covers the resident's name as well, which the page says where that is allowed.
    """
    if viewer.grant is None or viewer.agent_ref is None:
        return
    record_accesses(access_of(viewer), [viewer.ref], what=f"{PORTAL}{page}", at=at)
    note_acting(viewer.agent_ref, viewer.grant, at=at)
