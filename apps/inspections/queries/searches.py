"""Saved searches and exports, as auditors see them."""

from typing import Final

from django.db.models import Q

from apps.inspections.models import Export, SavedSearch
from apps.kernel.errors import KanpuError

EXPORTS_SHOWN: Final = 50


class SearchMissing(KanpuError):
    """There is no such search, or it is another's."""

    code = "search_missing"


class ExportMissing(KanpuError):
    """There is no such export of this auditor's, or its file was deleted."""

    code = "export_missing"


def searches_seen_by(actor: str) -> list[SavedSearch]:
    """An auditor's own searches and what others share: one query."""
    return list(SavedSearch.objects.filter(Q(owner=actor) | Q(is_shared=True)).order_by("name", "owner"))


def seen_search(pk: int, *, actor: str) -> SavedSearch:
    """One search that an auditor may use. Raises SearchMissing."""
    found = SavedSearch.objects.filter(Q(owner=actor) | Q(is_shared=True), pk=pk).first()
    if found is None:
        raise SearchMissing(f"There is no search {pk} for {actor}.")
    return found


def exports_of(actor: str) -> list[Export]:
    """An auditor's newest exports: one query."""
    return list(Export.objects.filter(actor=actor).order_by("-requested_at")[:EXPORTS_SHOWN])


def own_export(pk: int, *, actor: str) -> Export:
    """One export of an auditor's. Raises ExportMissing."""
    export = Export.objects.filter(pk=pk, actor=actor).first()
    if export is None:
        raise ExportMissing(f"{actor} has no export {pk}.")
    return export
