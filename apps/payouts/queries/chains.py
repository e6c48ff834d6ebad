"""Which runs' refunds a payment settles: its own, and those that were carried into it."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from uuid import UUID

from apps.payouts.models import Obligation
from apps.refunds.models import Run, Settlement

State = Obligation.State


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
    """Whose refund of a run cannot lapse now: it is in a payment of which nothing was said yet, or it is carried over.

    What is carried nobody can claim, so it does not lapse before the refund that it was carried into does, and then
    with it. A query for each link of the longest chain, and one more if there is one.
    """
    owed = Obligation.objects.filter(tax_year=run.tax_year_id, run=run.number, resident_ref__in=list(refs))
    links = list(owed.select_related("carried_into"))
    found = {one.resident_ref for one in links if one.state in (State.IN_FLIGHT, State.CARRIED)}
    ends: list[Obligation] = []
    while links := [one.carried_into for one in links if one.carried_into]:
        ends += [one for one in links if one.state not in (State.IN_FLIGHT, State.CARRIED)]
        links = list(Obligation.objects.filter(pk__in=[one.pk for one in links]).select_related("carried_into"))
    return found - _lapsed(ends)


def _lapsed(obligations: Sequence[Obligation]) -> set[UUID]:
    """Of whose obligations among these the own refund lapsed."""
    refs = {one.resident_ref for one in obligations}
    lapsed = Settlement.objects.filter(resident_ref__in=refs, kind=Settlement.Kind.LAPSED)
    gone = set(lapsed.values_list("resident_ref", "tax_year", "run")) if refs else set()
    return {one.resident_ref for one in obligations if (one.resident_ref, one.tax_year, one.run) in gone}
