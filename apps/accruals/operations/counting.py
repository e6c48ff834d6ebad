"""Counting accepted batches: claim, recognise, add. One transaction a claim: a batch is counted once, or not yet.

Workers claim thousands of purchases at a time and touch residents in one order, so they may wait for each other but
never deadlock. What costs most, opening tokens, comes before the first lock that others wait for.
"""

import gc
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from apps.accruals.operations.judging import judge_due
from apps.accruals.operations.posting import (
    OpenYear,
    Use,
    begin_judging,
    clone_alarm,
    hold_years,
    is_nobodys_fault,
    post,
    sale_entry,
    spend_counters,
)
from apps.accruals.operations.settling import settle_due
from apps.accruals.operations.withholding import Remembered, remember
from apps.accruals.tallies import Counted
from apps.audit.operations import raise_alarms
from apps.kernel.database import Cursor, again_after_conflict, raw_connection
from apps.kernel.errors import kind_of
from apps.kernel.metrics import COUNTED
from apps.merchants.queries import terminal_names
from apps.purchases.comparing import add_closings, compare_due, mark_closings_due
from apps.purchases.filing import file_followups, mark_due
from apps.purchases.following import Key, Version
from apps.purchases.followups import add_claim
from apps.purchases.outbox import (
    Claimed,
    Decision,
    claim_batches,
    claim_one,
    mark_counted,
    purchases_of,
    record_decisions,
    refused_keys,
    set_aside,
    waiting_batches,
)
from apps.purchases.queries import year_rules
from apps.purchases.records import FOLLOWING, SentLine, read_line
from apps.residents.judging import CARD_CLONED, Verdict
from apps.residents.queries import checked_keyring
from apps.residents.recognition import Recognised, SealedTap, recognise

logger = logging.getLogger(__name__)
Sale = tuple[Claimed, SentLine]


def count_all() -> int:
    """Count until no batch waits but those that others are counting; settle what names earlier records; judge again.

    Returns the number of records. A batch that cannot be counted is set aside with an alarm and keeps nobody waiting.
    Raises KeyringMissing, KeyringOutdated, and OperationalError when the database fails.
    """
    total = 0
    while counted := _count_or_set_aside():
        total += counted
        settle_due()
    settle_due()
    judge_due()
    compare_due(now=timezone.now())
    return total


def _count_or_set_aside() -> int:
    try:
        return count_some(now=timezone.now())
    except Exception as error:
        if is_nobodys_fault(error):
            raise
        logger.exception("Counting failed: the waiting batches are now counted one by one.")
    return sum(_count_one(lane, batch_id) for lane, batch_ids in waiting_batches().items() for batch_id in batch_ids)


def _count_one(lane: int, batch_id: int) -> int:
    """Count a single batch, or set it aside. Returns the number of records, or 1 for what was set aside."""
    now = timezone.now()
    try:
        return count_some(now=now, only=(lane, batch_id))
    except Exception as error:
        if is_nobodys_fault(error):
            raise
        logger.exception("Batch %s of lane %s is set aside.", batch_id, lane)
        set_aside(lane, batch_id, at=now, reason=kind_of(error))
        return 1


@again_after_conflict
def count_some(*, now: datetime, only: tuple[int, int] | None = None) -> int:
    """Claim some waiting batches and count them in one transaction. Returns the number of records; 0: none waits.

    `only` names one (lane, batch) to claim. Raises KeyringMissing and KeyringOutdated when this process has not the
    right keys.
    """
    with _no_look_for_cycles(), transaction.atomic(), connection.wrap_database_errors:
        keyring = checked_keyring(settings.KANPU_KEYRING)
        with Cursor(raw_connection()) as cursor:
            claim = claim_one(cursor, *only) if only else claim_batches(cursor)
            if not claim:
                return 0
            begin_judging(cursor)
            purchases = purchases_of(cursor, claim)
            refused = refused_keys(cursor, claim)
            sent = [(purchase, read_line(purchase.line)) for purchase in purchases]
            tapped = [(purchase, line) for purchase, line in sent if line.token]
            _count(cursor, tapped, recognise(keyring, _taps(tapped)), now)
            _make_claimable(cursor, [(purchase, line) for purchase, line in sent if line.claim], now)
            add_closings(cursor, [(purchase, line) for purchase, line in sent if line.kind == "closing"])
            if refused or any(line.kind in FOLLOWING for _, line in sent):
                file_followups(cursor, claim, now=now)
            mark_closings_due(cursor, claim)
            mark_due(cursor, [Key(p.terminal_id, p.seq) for p in purchases] + refused)
            mark_counted(cursor, claim, at=now)
    COUNTED.inc(counted := len(purchases) + len(refused))
    return counted


@contextmanager
def _no_look_for_cycles() -> Iterator[None]:
    """What a claim makes goes with its last reference; going through all of it for cycles costs a sixth of the work."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _taps(tapped: Sequence[Sale]) -> list[SealedTap]:
    names = terminal_names({purchase.terminal_id for purchase, _ in tapped})
    zones = {rules.year: rules.zone for rules in year_rules()}
    taps = []
    for purchase, sent in tapped:
        code, mode = names[purchase.terminal_id]
        day = purchase.at.astimezone(zones[purchase.tax_year]).date()
        taps.append(SealedTap(sent.token, code, purchase.seq, purchase.at, day, mode))
    return taps


def _count(cursor: Cursor, tapped: Sequence[Sale], recognised: Sequence[Recognised], now: datetime) -> None:
    years = hold_years(cursor, {purchase.tax_year for purchase, _ in tapped})
    sales: list[tuple[Claimed, Use, Counted]] = []
    not_counted: list[tuple[Claimed, Recognised]] = []
    for (purchase, sent), seen in zip(tapped, recognised, strict=True):
        if seen.judgement.verdict is Verdict.COUNTED and seen.card:
            use = Use(seen.card, seen.counter)
            sales.append((purchase, use, _entry(purchase, sent, use, years[purchase.tax_year])))
        else:
            not_counted.append((purchase, seen))
    sales.sort(key=lambda sale: sale[1].card.resident_ref.int)  # as all is written from here on
    first = spend_counters(cursor, [use for _, use, _ in sales])
    post(cursor, [entry for (_, _, entry), is_first in zip(sales, first, strict=True) if is_first])
    cloned = [(purchase, use) for (purchase, use, _), is_first in zip(sales, first, strict=True) if not is_first]
    not_counted += [(purchase, Recognised(CARD_CLONED, use.card, use.counter)) for purchase, use in cloned]
    _withhold(cursor, not_counted, now)
    raise_alarms([clone_alarm(Key(purchase.terminal_id, purchase.seq)) for purchase, _ in cloned], at=now)


def _withhold(cursor: Cursor, not_counted: Sequence[tuple[Claimed, Recognised]], now: datetime) -> None:
    """Record why sales are not counted, and remember those whose card is known."""
    decisions = [Decision(purchase, seen.judgement.verdict, seen.judgement.code) for purchase, seen in not_counted]
    record_decisions(cursor, decisions, at=now)
    known = [
        Remembered(
            Use(seen.card, seen.counter).holder,
            Key(p.terminal_id, p.seq),
            p.tax_year,
            p.at,
            seen.judgement.verdict,
            seen.judgement.code,
        )
        for p, seen in not_counted
        if seen.card and seen.judgement.is_remembered
    ]
    remember(cursor, known, now=now)


def _entry(purchase: Claimed, sent: SentLine, use: Use, year: OpenYear) -> Counted:
    sold = Version(purchase.at, purchase.tax_year, sent.amounts)
    return sale_entry(use.holder, Key(purchase.terminal_id, purchase.seq), sold, year)


def _make_claimable(cursor: Cursor, sales: Sequence[Sale], now: datetime) -> None:
    """Sales without a card wait for whoever holds the receipt."""
    record_decisions(cursor, [Decision(purchase, "unclaimed", "") for purchase, _ in sales], at=now)
    for purchase, sent in sales:
        add_claim(cursor, Key(purchase.terminal_id, purchase.seq), sent.claim, purchase.tax_year)
