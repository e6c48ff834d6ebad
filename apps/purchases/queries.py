"""Reading purchases: what a terminal has sent, what waits to be counted."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Count, Sum

from apps.merchants.queries import TerminalName, terminal_names
from apps.purchases.acceptance import Defect, Standing, YearRules
from apps.purchases.chain import first_digest
from apps.purchases.lanes import lane_of
from apps.purchases.models import Batch, Closing, Followup, Poison, Purchase, Rejection, TerminalState
from apps.purchases.ranges import gaps, next_number
from apps.schemes.queries import OpenYear, scheme_of, started_years, tier_periods, tiers_all_year

MISSING_AT_MOST: Final = 100


def year_rules() -> list[YearRules]:
    """What each started year takes: one query (schemes are read once a process)."""
    return rules_of(started_years())


def rules_of(years: Iterable[OpenYear]) -> list[YearRules]:
    """What these years take: no query but for a scheme that this process has not read yet."""
    return [
        YearRules(
            year=year.year,
            starts_at=year.starts_at.astimezone(UTC),
            ends_at=year.ends_at.astimezone(UTC),
            deadline_at=year.deadline_at.astimezone(UTC),
            zone=ZoneInfo(scheme_of(year.scheme_version_id).time_zone),
            tiers=tier_periods(year.scheme_version_id),
            all_year=tiers_all_year(year.scheme_version_id, year.year),
        )
        for year in years
    ]


class ChainState(NamedTuple):
    """Where a terminal goes on: its next number, the digest before that, and the numbers that never came."""

    next_seq: int
    head: bytes
    missing: list[tuple[int, int]]


def chain_of(terminal_id: int, terminal_code: str) -> ChainState:
    """Where a terminal goes on: one query."""
    found = TerminalState.objects.filter(lane=lane_of(terminal_id), terminal_id=terminal_id)
    received, head = found.values_list("received", "head").first() or ((), None)
    ranges = [(r.lower, r.upper) for r in received]
    missing = gaps(ranges, most=MISSING_AT_MOST)
    return ChainState(next_number(ranges), bytes(head or first_digest(terminal_code)), missing)


class ClosingSeen(NamedTuple):
    """A closing as it was reported and as the records say; `agrees` is None while that cannot be told."""

    seq: int
    at: datetime
    tax_year: int
    reported: dict[str, int]
    recorded: dict[str, int] | None
    agrees: bool | None


def last_closing(terminal_id: int) -> ClosingSeen | None:
    """The terminal's closing of the highest number: one query."""
    closings = Closing.objects.filter(lane=lane_of(terminal_id), terminal_id=terminal_id).order_by("-seq")
    row = closings.values_list(*ClosingSeen._fields).first()
    return ClosingSeen(*row) if row else None


def what_stands(lane: int, terminal_id: int, seqs: Sequence[int]) -> dict[int, Standing]:
    """What stands under these received numbers of a terminal.

    A number whose record is no longer kept stands for a record that nothing equals: it is never free again.
    """
    standing = {seq: Standing(identity=b"") for seq in seqs}
    accepted = Purchase.objects.filter(lane=lane, terminal_id=terminal_id, seq__in=seqs).values_list("seq", "line")
    standing.update((seq, Standing(line=line)) for seq, line in accepted)
    refused = Rejection.objects.filter(lane=lane, terminal_id=terminal_id, seq__in=seqs, spends_seq=True)
    for seq, identity, *defect in refused.values_list("seq", "identity", "code", "param", "value", "reason"):
        if seq is not None:
            standing[seq] = Standing(identity=bytes(identity), defect=Defect(*defect))
    return standing


def uncounted(*, received_by: datetime | None = None) -> tuple[int, int]:
    """(batches, records) that are not counted, those set aside included; only those received by a time, if given.

    Returns, voids and corrections that nobody has looked at yet are records that are not counted.
    """
    batches, due = Batch.objects.filter(counted_at=None), Followup.objects.filter(due=True)
    if received_by is not None:
        batches, due = batches.filter(received_at__lte=received_by), due.filter(received_at__lte=received_by)
    waiting = batches.aggregate(batches=Count("id"), records=Sum("records"))
    return waiting["batches"], (waiting["records"] or 0) + due.count()


def lanes_with_work() -> list[int]:
    """The lanes in which batches wait."""
    return list(Batch.objects.filter(counted_at=None, failed_at=None).values_list("lane", flat=True).distinct())


def counted_records() -> int:
    """How many accepted records workers have dealt with."""
    counted = Batch.objects.filter(counted_at__isnull=False).aggregate(records=Sum("records"))
    return counted["records"] or 0


class PoisonSeen(NamedTuple):
    """Work that is set aside, with its terminal's code and how many records wait with it."""

    id: int
    kind: str
    terminal: str
    number: int
    records: int
    reason: str
    attempts: int
    first_failed_at: datetime
    last_failed_at: datetime
    request_id: UUID | None


POISON_SHOWN: Final = 200


def poison_seen() -> list[PoisonSeen]:
    """What is set aside, the last that failed first, at most POISON_SHOWN: three queries."""
    rows = list(Poison.objects.filter(settled_at=None).order_by("-last_failed_at", "-pk")[:POISON_SHOWN])
    names = terminal_names({row.terminal_id for row in rows})
    batches = {(lane_of(row.terminal_id), row.number) for row in rows if row.kind == Poison.Kind.BATCH}
    sizes = Batch.objects.filter(lane__in={lane for lane, _ in batches}, id__in=[number for _, number in batches])
    records = dict(sizes.values_list("id", "records"))
    return [_as_seen(row, names, records) for row in rows]


def _as_seen(row: Poison, names: Mapping[int, TerminalName], sizes: Mapping[int, int]) -> PoisonSeen:
    return PoisonSeen(
        row.pk,
        str(Poison.Kind(row.kind).label),
        names[row.terminal_id].code if row.terminal_id in names else "",
        row.number,
        sizes.get(row.number, 1) if row.kind == Poison.Kind.BATCH else 1,
        row.reason,
        row.attempts,
        row.first_failed_at,
        row.last_failed_at,
        row.request_id,
    )
