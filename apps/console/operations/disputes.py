"""Looking at disputes: written down before anything is shown."""

from django.utils import timezone

from apps.accruals.models import Dispute
from apps.audit.access import Access
from apps.audit.operations import record_accesses
from apps.console.operations.protected import check_may_see
from apps.console.queries.disputes import Examined, examined
from apps.kernel.documents.render import Language
from apps.kernel.errors import KanpuError
from apps.refunds.documents.files import File, letter_file
from apps.refunds.queries.disputes import letter_of_dispute, page_of_dispute
from apps.residents.operations.photos import open_photo


class PhotoMissing(KanpuError):
    """There is no photo, or it is deleted."""

    code = "photo_missing"


def look_at_dispute(dispute: Dispute, *, access: Access, opens_protected: bool) -> Examined:
    """A dispute with its purchase. Raises ForNamedOfficers."""
    _looked(dispute, f"dispute {dispute.number}", access, opens_protected=opens_protected)
    return examined(dispute)


def look_at_photo(dispute: Dispute, *, access: Access, opens_protected: bool) -> bytes:
    """The photo of a dispute as JPEG. Raises ForNamedOfficers, PhotoMissing and what opening the vault raises."""
    check_may_open(dispute, access=access, opens_protected=opens_protected)
    if dispute.photo is None:
        raise PhotoMissing("There is no photo: none was sent, or it is deleted since the dispute is decided.")
    return open_photo(dispute.photo, what=f"dispute-photo {dispute.number}", access=access, at=timezone.now())


def read_dispute_letter(dispute: Dispute, *, language: Language, access: Access, opens_protected: bool) -> File:
    """The letter of a decided dispute. Raises ForNamedOfficers, DocumentUnprintable."""
    _looked(dispute, f"dispute-letter {dispute.number}", access, opens_protected=opens_protected)
    return letter_file(letter_of_dispute(page_of_dispute(dispute)), language=language)


def check_may_open(dispute: Dispute, *, access: Access, opens_protected: bool) -> None:
    """Whether the officer may see the dispute, and so decide it; who may not is on record. Raises ForNamedOfficers."""
    check_may_see(dispute.resident_ref, access=access, opens_protected=opens_protected)


def _looked(dispute: Dispute, what: str, access: Access, *, opens_protected: bool) -> None:
    check_may_open(dispute, access=access, opens_protected=opens_protected)
    record_accesses(access, [dispute.resident_ref], what=what, at=timezone.now())
