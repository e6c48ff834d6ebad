"""Reading purchases: what a terminal has sent, what waits to be counted."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from django.db.models import Count, Sum

from apps.purchases.models import Batch, Purchase, Rejection
from apps.purchases.records import YearRules
from apps.schemes.queries import scheme_of, started_years, tier_periods


def year_rules() -> list[YearRules]:
    """What each started year takes: one query (schemes are read once a process)."""
    return [
        YearRules(
            year=year.year,
            starts_at=year.starts_at,
            ends_at=year.ends_at,
            deadline_at=year.deadline_at,
            zone=ZoneInfo(scheme_of(year.scheme_version_id).time_zone),
            tiers=tier_periods(year.scheme_version_id),
        )
        for year in started_years()
    ]


def known_identities(lane: int, terminal_id: int, seqs: Sequence[int]) -> dict[int, str | bytes]:
    """What stands under these numbers of a terminal: an accepted record's line, a refused one's SHA-256."""
    accepted = Purchase.objects.filter(lane=lane, terminal_id=terminal_id, seq__in=seqs).values_list("seq", "line")
    known: dict[int, str | bytes] = dict(accepted)
    refused = Rejection.objects.filter(lane=lane, terminal_id=terminal_id, seq__in=seqs, spends_seq=True)
    known.update((seq, bytes(identity)) for seq, identity in refused.values_list("seq", "identity") if seq)
    return known


def uncounted() -> tuple[int, int]:
    """(batches, records) that wait for a worker."""
    waiting = Batch.objects.filter(counted_at=None).aggregate(batches=Count("id"), records=Sum("records"))
    return waiting["batches"], waiting["records"] or 0


def lanes_with_work() -> list[int]:
    """The lanes in which batches wait."""
    return list(Batch.objects.filter(counted_at=None).values_list("lane", flat=True).distinct())


def counted_records() -> int:
    """How many accepted records workers have dealt with."""
    counted = Batch.objects.filter(counted_at__isnull=False).aggregate(records=Sum("records"))
    return counted["records"] or 0
