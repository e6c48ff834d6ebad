"""Reading the register."""

from collections.abc import Collection
from datetime import datetime

from apps.residents.judging import CardRecord
from apps.residents.models import Card, Resident, SealingKey


def cards_by_index(indexes: Collection[bytes]) -> dict[bytes, CardRecord]:
    """The cards of these keyed indexes: one query."""
    rows = Card.objects.filter(card_index__in=indexes).values_list(
        "card_index", "pk", "resident_id", "resident__mode", "issuer_version",
        "valid_from", "valid_until", "suspended_from", "replaced_from",
    )  # fmt: skip
    return {bytes(row[0]): CardRecord(*row[1:]) for row in rows}


def sealing_keys(mode: str, *, now: datetime) -> list[SealingKey]:
    """The keys of a mode that readers may still seal to, the newest last."""
    return list(SealingKey.objects.filter(mode=mode, seal_until__gt=now).order_by("seal_until", "pk"))


def residents_without_card() -> list[Resident]:
    """Residents who have no card yet."""
    return list(Resident.objects.filter(cards=None).order_by("pk"))
