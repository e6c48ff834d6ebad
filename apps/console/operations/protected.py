"""Protected residents: their shops and times are for named officers only."""

from typing import Final
from uuid import UUID

from django.utils import timezone

from apps.audit.access import Access
from apps.audit.operations import record_accesses
from apps.console.queries.office import is_protected
from apps.kernel.errors import KanpuError

REFUSED: Final = "refused: protected"


class ForNamedOfficers(KanpuError):
    """The resident is protected: shops and times are for named officers only."""

    code = "for_named_officers"


def check_may_see(resident_ref: UUID, *, access: Access, opens_protected: bool) -> None:
    """Whether the officer may see a resident's purchases; who may not is on record. Raises ForNamedOfficers."""
    if not opens_protected and is_protected(resident_ref):
        record_accesses(access, [resident_ref], what=REFUSED, at=timezone.now())
        raise ForNamedOfficers("The resident is protected: an officer for protected residents has to look at it.")
