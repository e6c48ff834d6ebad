"""Which packs were asked for."""

from apps.inspections.models import Pack


def newest_pack(subject: str) -> Pack | None:
    """The pack of a subject that was asked for last: one query."""
    return Pack.objects.filter(subject=subject).order_by("-requested_at", "-pk").first()


def pack_of(pack_id: int) -> Pack | None:
    """A pack by its number: one query."""
    return Pack.objects.filter(pk=pack_id).first()
