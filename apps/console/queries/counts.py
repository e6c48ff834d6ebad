"""What operators count: cards, orders, letters, and how the keys stand. Nobody's data."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from apps.kernel.errors import KanpuError
from apps.residents.models import Card, CardOrder, CardSuspension, Notice, SealingKey
from apps.residents.queries.vault import checked_vault_keys


@dataclass(frozen=True, slots=True)
class OfficeCounts:
    """Counts of this moment. `vault_problem` is the code of what is wrong with this process's vault keys, if it is."""

    cards: int
    waiting: int
    suspended: int
    orders: int
    printed: int
    returned: int
    sealing_keys: tuple[SealingKey, ...]
    vault_problem: str


def office_counts(*, now: datetime) -> OfficeCounts:
    """Six queries, which go through the cards and the letters."""
    good = Q(replaced_from=None, valid_until__gt=now)
    cards = Card.objects.aggregate(all=Count("pk"), waiting=Count("pk", filter=good & Q(active_from=None)))
    letters = Notice.objects.aggregate(
        printed=Count("pk", filter=Q(printed_at__isnull=False)),
        returned=Count("pk", filter=Q(returned_at__isnull=False)),
    )
    return OfficeCounts(
        cards=cards["all"],
        waiting=cards["waiting"],
        suspended=CardSuspension.objects.filter(lifted_at=None).count(),
        orders=CardOrder.objects.filter(card=None, cancelled_at=None).count(),
        printed=letters["printed"],
        returned=letters["returned"],
        sealing_keys=tuple(SealingKey.objects.order_by("mode", "pk")),
        vault_problem=_vault_problem(),
    )


def _vault_problem() -> str:
    try:
        checked_vault_keys()
    except KanpuError as error:
        return error.code
    return ""
