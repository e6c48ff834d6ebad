"""Which runs' refunds a payment settles: its own, and those that were carried into it."""

from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

from apps.payouts.models import Obligation


def own_parts(obligation_ids: Sequence[int]) -> dict[tuple[int, int], list[tuple[UUID, int]]]:
    """By year and run, whose refund is settled with how much: a query for each link of the longest chain."""
    parts: dict[tuple[int, int], list[tuple[UUID, int]]] = defaultdict(list)
    found = list(Obligation.objects.filter(pk__in=obligation_ids))
    while found:
        for one in found:
            parts[one.tax_year, one.run].append((one.resident_ref, one.own_minor))
        found = list(Obligation.objects.filter(carried_into__in=[one.pk for one in found if one.carried_in_minor]))
    return parts
