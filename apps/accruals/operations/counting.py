"""Counting accepted batches: claim, recognise, add. One transaction a claim: a batch is counted once, or not yet.

Workers claim thousands of purchases at a time and touch residents in one order, so they may wait for each other but
never deadlock. What costs most, opening tokens, comes before the first lock that others wait for.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone
from psycopg.types.multirange import Multirange
from psycopg.types.range import Int8Range

from apps.accruals.models import TEST_RUN
from apps.accruals.tallies import Counted, SentLine, TotalKey, first_uses, read_line, tally
from apps.audit.operations import Cause, raise_alarms
from apps.kernel.errors import KanpuError
from apps.merchants.models import Mode
from apps.merchants.queries import terminal_names
from apps.purchases.outbox import (
    Claimed,
    Decision,
    claim_batches,
    claim_one,
    mark_counted,
    purchases_of,
    record_decisions,
    set_aside,
    waiting_batches,
)
from apps.purchases.ranges import to_ranges
from apps.residents.judging import CARD_CLONED, CardRecord, Verdict
from apps.residents.queries import checked_keyring
from apps.residents.recognition import Recognised, SealedTap, recognise
from apps.schemes.queries import YEAR_LOCK, scheme_of

logger = logging.getLogger(__name__)
Cursor = psycopg.Cursor[Any]
# The database went away, a deadlock was broken, or this process lacks keys: the work is fine and waits.
NOT_THE_BATCHES_FAULT = (OperationalError, InterfaceError, KanpuError)
ENTRY_COLUMNS = Counted.__match_args__
ENTRY_TYPES = (
    "uuid", "int2", "int4", "int4", "int2", "int2", "int2", "timestamptz", "int8", "int8", "text[]", "int8[]",
)  # fmt: skip


class OpenYear(NamedTuple):
    """The numbers a year counts under at the moment, and its time zone."""

    run: int
    part: int
    zone: ZoneInfo


class Use(NamedTuple):
    """A purchase by a card that may count."""

    purchase: Claimed
    sent: SentLine
    card: CardRecord
    counter: int


def count_all() -> int:
    """Count until no batch waits but those that others are counting. Returns the number of records.

    A batch that cannot be counted is set aside with an alarm and keeps nobody waiting. Raises KeyringMissing,
    KeyringOutdated, and OperationalError when the database fails.
    """
    total = 0
    while counted := _count_or_set_aside():
        total += counted
    return total


def _count_or_set_aside() -> int:
    try:
        return count_some(now=timezone.now())
    except NOT_THE_BATCHES_FAULT:
        raise
    except Exception:
        logger.exception("Counting failed: the waiting batches are now counted one by one.")
    return sum(_count_one(lane, batch_id) for lane, batch_ids in waiting_batches().items() for batch_id in batch_ids)


def _count_one(lane: int, batch_id: int) -> int:
    """Count a single batch, or set it aside. Returns the number of records, or 1 for what was set aside."""
    now = timezone.now()
    try:
        return count_some(now=now, only=(lane, batch_id))
    except NOT_THE_BATCHES_FAULT:
        raise
    except Exception as error:
        logger.exception("Batch %s of lane %s is set aside.", batch_id, lane)
        set_aside(lane, batch_id, at=now, reason=type(error).__name__)
        return 1


def count_some(*, now: datetime, only: tuple[int, int] | None = None) -> int:
    """Claim some waiting batches and count them in one transaction. Returns the number of records; 0: none waits.

    `only` names one (lane, batch) to claim. Raises KeyringMissing and KeyringOutdated when this process has not the
    right keys.
    """
    with transaction.atomic(), connection.wrap_database_errors:
        keyring = checked_keyring(settings.KANPU_KEYRING)
        connection.ensure_connection()
        with psycopg.Cursor(connection.connection) as cursor:
            claim = claim_one(cursor, *only) if only else claim_batches(cursor)
            if not claim:
                return 0
            purchases = purchases_of(cursor, claim)
            sent = [read_line(purchase.line) for purchase in purchases]
            tapped = [(p, s) for p, s in zip(purchases, sent, strict=True) if s.token]
            _count(cursor, tapped, recognise(keyring, _taps(tapped)), now)
            unclaimed = [Decision(p, "unclaimed", "") for p, s in zip(purchases, sent, strict=True) if s.claim]
            record_decisions(cursor, unclaimed, at=now)
            mark_counted(cursor, claim, at=now)
    return len(purchases)


def _taps(tapped: Sequence[tuple[Claimed, SentLine]]) -> list[SealedTap]:
    names = terminal_names({purchase.terminal_id for purchase, _ in tapped})
    taps = []
    for purchase, sent in tapped:
        code, mode = names[purchase.terminal_id]
        taps.append(SealedTap(sent.token, code, purchase.seq, purchase.at, mode))
    return taps


def _count(
    cursor: Cursor,
    tapped: Sequence[tuple[Claimed, SentLine]],
    recognised: Sequence[Recognised],
    now: datetime,
) -> None:
    years = hold_years(cursor, {purchase.tax_year for purchase, _ in tapped})
    uses: list[Use] = []
    decisions: list[Decision] = []
    for (purchase, sent), seen in zip(tapped, recognised, strict=True):
        if seen.judgement.verdict is Verdict.COUNTED and seen.card:
            uses.append(Use(purchase, sent, seen.card, seen.counter))
        else:
            decisions.append(Decision(purchase, seen.judgement.verdict, seen.judgement.code))
    first = first_uses([(use.card.card, use.counter) for use in uses], _spend_counters(cursor, uses))
    entries = [_entry(use, years[use.purchase.tax_year]) for use, is_first in zip(uses, first, strict=True) if is_first]
    cloned = [use.purchase for use, is_first in zip(uses, first, strict=True) if not is_first]
    _add_entries(cursor, entries)
    _add_totals(cursor, entries)
    decisions += [Decision(purchase, CARD_CLONED.verdict, CARD_CLONED.code) for purchase in cloned]
    record_decisions(cursor, decisions, at=now)
    raise_alarms([_clone_alarm(purchase) for purchase in cloned], at=now)


def hold_years(cursor: Cursor, years: set[int]) -> dict[int, OpenYear]:
    """The open run and part of each year, held until commit: who closes a run waits for us.

    Shared row locks alone would let ever new workers past somebody who waits to close; the advisory lock is first
    come, first served.
    """
    for year in sorted(years):
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s, %s)", (YEAR_LOCK, year))
    rows = cursor.execute(
        "SELECT year, open_run, open_part, scheme_version_id FROM schemes_taxyear WHERE year = ANY(%s)"
        " ORDER BY year FOR SHARE",
        (list(years),),
    ).fetchall()
    return {year: OpenYear(run, part, ZoneInfo(scheme_of(version).time_zone)) for year, run, part, version in rows}


def _spend_counters(cursor: Cursor, uses: Sequence[Use]) -> dict[int, list[tuple[int, int]]]:
    """Add the counters to their cards; returns what each card had used before. Locks cards in resident order."""
    counters: dict[tuple[UUID, int], list[int]] = defaultdict(list)
    for use in uses:
        counters[use.card.resident_ref, use.card.card].append(use.counter)
    keys = sorted(counters)
    rows = cursor.execute(
        "INSERT INTO accruals_cardcounter AS c (resident_ref, card, used)"
        " SELECT * FROM unnest(%b::uuid[], %b::int8[], %s::int8multirange[])"
        " ON CONFLICT (resident_ref, card) DO UPDATE SET used = c.used + excluded.used"
        " RETURNING c.card, OLD.used",
        (
            [resident for resident, _ in keys],
            [card for _, card in keys],
            [Multirange([Int8Range(*r) for r in to_ranges(counters[key])]) for key in keys],
        ),
    ).fetchall()
    return {card: [(r.lower, r.upper) for r in used or ()] for card, used in rows}


def _entry(use: Use, year: OpenYear) -> Counted:
    return Counted(
        resident_ref=use.card.resident_ref,
        tax_year=use.purchase.tax_year,
        terminal_id=use.purchase.terminal_id,
        seq=use.purchase.seq,
        run=TEST_RUN if use.card.mode == Mode.TEST else year.run,
        part=year.part,
        month=use.purchase.at.astimezone(year.zone).month,
        at=use.purchase.at,
        card=use.card.card,
        counter=use.counter,
        tiers=use.sent.tiers,
        amounts_minor=use.sent.amounts_minor,
    )


def _add_entries(cursor: Cursor, entries: Sequence[Counted]) -> None:
    columns = ", ".join(ENTRY_COLUMNS)
    with cursor.copy(f"COPY accruals_entry ({columns}) FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(ENTRY_TYPES)
        for e in sorted(entries, key=lambda e: (e.resident_ref, e.tax_year, e.terminal_id, e.seq)):
            copy.write_row(
                (e.resident_ref, e.tax_year, e.terminal_id, e.seq, e.run, e.part, e.month, e.at, e.card, e.counter,
                 list(e.tiers), list(e.amounts_minor))
            )  # fmt: skip


def _add_totals(cursor: Cursor, entries: Sequence[Counted]) -> None:
    added = tally(entries)
    key_columns = [[key[field] for key in added] for field in range(len(TotalKey._fields))]
    cursor.execute(
        "INSERT INTO accruals_total AS t (resident_ref, tax_year, run, month, tier, amount_minor, purchases)"
        " SELECT * FROM unnest(%b::uuid[], %b::int2[], %b::int2[], %b::int2[], %b::text[], %b::int8[], %b::int4[])"
        " ON CONFLICT (resident_ref, tax_year, run, month, tier) DO UPDATE"
        " SET amount_minor = t.amount_minor + excluded.amount_minor, purchases = t.purchases + excluded.purchases",
        (*key_columns, [t.amount_minor for t in added.values()], [t.purchases for t in added.values()]),
    )


def _clone_alarm(purchase: Claimed) -> Cause:
    place: dict[str, object] = {"terminal_id": purchase.terminal_id, "seq": purchase.seq}
    return Cause("card_cloned", f"{purchase.terminal_id}:{purchase.seq}", place)
