"""Looking at a drawn item: written down before anything is shown."""

from uuid import UUID

from django.utils import timezone

from apps.audit.access import Access
from apps.audit.operations import record_accesses
from apps.console.operations.protected import check_may_see
from apps.console.queries.samples import ItemPage, item_page
from apps.inspections.models import SampleItem


def look_at_item(item: SampleItem, resident_ref: UUID, *, access: Access, opens_protected: bool) -> ItemPage:
    """An item with its purchase or refund. Raises ForNamedOfficers."""
    check_may_see(resident_ref, access=access, opens_protected=opens_protected)
    record_accesses(access, [resident_ref], what=f"sample {item.sample_id}/{item.position}", at=timezone.now())
    return item_page(item, resident_ref)
