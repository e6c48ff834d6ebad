"""Searches that auditors keep under a name."""

from datetime import datetime

from django.db import IntegrityError, transaction

from apps.audit.operations import record_event
from apps.inspections.models import SavedSearch
from apps.inspections.queries.searches import SearchMissing
from apps.inspections.searching import Search, as_json
from apps.kernel.errors import KanpuError


class SearchNameTaken(KanpuError):
    """The auditor has a search of this name."""

    code = "search_name_taken"


def save_search(name: str, kind: str, search: Search, *, is_shared: bool, actor: str, at: datetime) -> SavedSearch:
    """Keep a search under a name. Raises SearchNameTaken."""
    try:
        with transaction.atomic():
            saved = SavedSearch.objects.create(
                owner=actor, name=name, kind=kind, filters=as_json(search), is_shared=is_shared, saved_at=at
            )
            _record("search.save", saved, actor=actor, at=at)
    except IntegrityError as error:
        raise SearchNameTaken(f"You have a search named {name}. Choose another name.") from error
    return saved


def change_search(pk: int, name: str, *, is_shared: bool, actor: str, at: datetime) -> None:
    """Rename an own search, share it or not. Raises SearchMissing and SearchNameTaken."""
    try:
        with transaction.atomic():
            saved = _own(pk, actor)
            saved.name, saved.is_shared = name, is_shared
            saved.save(update_fields=["name", "is_shared"])
            _record("search.change", saved, actor=actor, at=at)
    except IntegrityError as error:
        raise SearchNameTaken(f"You have a search named {name}. Choose another name.") from error


@transaction.atomic
def delete_search(pk: int, *, actor: str, at: datetime) -> None:
    """Delete an own search. Raises SearchMissing."""
    saved = _own(pk, actor)
    _record("search.delete", saved, actor=actor, at=at)
    saved.delete()


def _own(pk: int, actor: str) -> SavedSearch:
    saved = SavedSearch.objects.select_for_update().filter(pk=pk, owner=actor).first()
    if saved is None:
        raise SearchMissing(f"{actor} has no search {pk}.")
    return saved


def _record(action: str, saved: SavedSearch, *, actor: str, at: datetime) -> None:
    detail = {"name": saved.name, "kind": saved.kind, "filters": saved.filters, "is_shared": saved.is_shared}
    record_event(at=at, actor=actor, action=action, subject=f"saved_search:{saved.pk}", detail=detail)
