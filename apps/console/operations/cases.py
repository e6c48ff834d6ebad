"""Looking at purchases in a case: written down before anything is shown."""

from uuid import UUID

from django.utils import timezone

from apps.accruals.queries.shown import FoundPage
from apps.audit.access import Access
from apps.audit.operations import record_accesses
from apps.console.operations.protected import check_may_see
from apps.console.queries.cases import PurchaseInCase, purchase_in_case, purchases_of
from apps.inspections.models import Case
from apps.purchases.following import Key


def look_at_purchase(
    case: Case, resident_ref: UUID, sale: Key, *, access: Access, opens_protected: bool
) -> PurchaseInCase | None:
    """A purchase and what is held against it in a case, None where it is not there. Raises ForNamedOfficers."""
    check_may_see(resident_ref, access=access, opens_protected=opens_protected)
    record_accesses(access, [resident_ref], what=f"case-purchase {case.number}", at=timezone.now())
    return purchase_in_case(case, resident_ref, sale)


def look_at_purchases(
    case: Case, resident_ref: UUID, *, page: int, access: Access, opens_protected: bool
) -> FoundPage | None:
    """A page of a resident's purchases, None before any year was started. Raises ForNamedOfficers."""
    check_may_see(resident_ref, access=access, opens_protected=opens_protected)
    record_accesses(access, [resident_ref], what=f"case-purchases {case.number}", at=timezone.now())
    return purchases_of(resident_ref, page=page)
