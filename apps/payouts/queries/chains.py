"""Which runs' refunds a payment settles: its own, and those that were carried into it."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from uuid import UUID

from apps.payouts.models import Obligation
from apps.refunds.models import Run


def own_parts(obligation_ids: Sequence[int]) -> dict[tuple[int, int], list[tuple[UUID, int]]]:
    """By year and run, whose refund is settled with how much: a query for each link of the longest chain."""
    parts: dict[tuple[int, int], list[tuple[UUID, int]]] = defaultdict(list)
    found = list(Obligation.objects.filter(pk__in=obligation_ids))
    while found:
        for one in found:
            parts[one.tax_year, one.run].append((one.resident_ref, one.own_minor))
        found = list(Obligation.objects.filter(carried_into__in=[one.pk for one in found if one.carried_in_minor]))
    return parts


def underway(run: Run, refs: Collection[UUID]) -> set[UUID]:
    """Whose refund of a run is in a payment that was made and of which nothing was said yet, itself or carried.

    A query for each link of the longest chain.
    """
    owed = Obligation.objects.filter(tax_year=run.tax_year_id, run=run.number, resident_ref__in=list(refs))
    found: set[UUID] = set()
    links = list(owed.values_list("resident_ref", "state", "carried_into"))
    while links:
        found |= {ref for ref, state, _ in links if state == Obligation.State.IN_FLIGHT}
        into = [next_id for _, _, next_id in links if next_id]
        links = list(Obligation.objects.filter(pk__in=into).values_list("resident_ref", "state", "carried_into"))
    return found
