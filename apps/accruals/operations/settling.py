"""Settling what names an earlier record: returns, voids and corrections change the account of their sale.

A sale and all that follows it are looked at together, and what its account should show is compared with the entries
it has: the difference becomes the entry of the latest follow-up. So it does not matter in which order they came.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from apps.accruals.models import TEST_RUN
from apps.accruals.operations.posting import (
    Change,
    Cursor,
    Holder,
    OpenYear,
    Use,
    change_entry,
    hold_years,
    is_nobodys_fault,
    post,
    sale_entry,
    spend_counters,
)
from apps.accruals.tallies import Counted
from apps.audit.operations import Cause, raise_alarms
from apps.merchants.models import Mode
from apps.merchants.queries import terminal_names
from apps.purchases.acceptance import YearRules
from apps.purchases.following import Fate, Followed, Follower, Key, Original, Version, follow, follow_other
from apps.purchases.followups import (
    Thread,
    add_claim,
    due_keys,
    give_up,
    lock_threads,
    record_fates,
    settled,
)
from apps.purchases.queries import year_rules
from apps.purchases.records import CLAIM, read_line
from apps.purchases.store import raw_connection
from apps.residents.judging import CARD_CLONED, Verdict
from apps.residents.queries import checked_keyring, was_resident
from apps.residents.recognition import SealedTap, recognise

logger = logging.getLogger(__name__)
WAITING = Fate("waiting")
FOLLOWS_ITS_SALE = frozenset({"held", "unclaimed", "rejected"})


class Posted(NamedTuple):
    """An entry of a sale's thread."""

    key: Key
    resident_ref: UUID
    tax_year: int
    run: int
    at: datetime
    card: int | None
    counter: int | None
    tiers: list[str]
    amounts_minor: list[int]


@dataclass(slots=True)
class Account:
    """Whose account a sale is on, if on any, and what its entries add up to: (year, time) → tier → amount_minor."""

    holder: Holder | None = None
    shown: dict[tuple[int, datetime], dict[str, int]] = field(default_factory=dict)
    taken: set[tuple[Key, datetime]] = field(default_factory=set)

    def add(self, entry: Counted | Posted, key: Key) -> None:
        """Take an entry into account."""
        self.taken.add((key, entry.at))
        shown = self.shown.setdefault((entry.tax_year, entry.at), {})
        for tier, amount in zip(entry.tiers, entry.amounts_minor, strict=True):
            shown[tier] = shown.get(tier, 0) + amount


def settle_due() -> int:
    """Settle until nothing is due. Returns how many sales were looked at; one that fails is left out with an alarm."""
    total = 0
    while looked_at := _settle_or_give_up():
        total += looked_at
    return total


def _settle_or_give_up() -> int:
    try:
        return settle_some(now=timezone.now())
    except Exception as error:
        if is_nobodys_fault(error):
            raise
        logger.exception("Settling failed: what is due is now settled sale by sale.")
    with Cursor(raw_connection()) as cursor:
        keys = due_keys(cursor)
    return sum(_settle_one(key) for key in keys)


def _settle_one(key: Key) -> int:
    now = timezone.now()
    try:
        return settle_some(now=now, only=key)
    except Exception as error:
        if is_nobodys_fault(error):
            raise
        logger.exception("What names number %s of terminal %s cannot be settled.", key.seq, key.terminal_id)
        with transaction.atomic(), Cursor(raw_connection()) as cursor:
            give_up(cursor, key)
            raise_alarms(
                [Cause("followup_failed", f"{key.terminal_id}:{key.seq}", {"reason": type(error).__name__})], at=now
            )
        return 1


def settle_some(*, now: datetime, only: Key | None = None) -> int:
    """Settle some of the sales whose follow-ups are due, in one transaction. Returns how many; 0: nothing is due."""
    with transaction.atomic(), connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        keys = [only] if only else due_keys(cursor)
        if not keys:
            return 0
        rules = year_rules()
        settling = Settling(cursor, rules, hold_years(cursor, {year.year for year in rules}), now)
        settling.settle(lock_threads(cursor, keys))
    return len(keys)


@dataclass(slots=True)
class Settling:
    """One transaction's settling."""

    cursor: Cursor
    rules: Sequence[YearRules]
    years: Mapping[int, OpenYear]
    now: datetime

    def settle(self, threads: Sequence[Thread]) -> None:
        """Settle locked threads."""
        accounts = self._accounts(threads)
        entries: list[Counted] = []
        fates: dict[Key, Fate] = {}
        for thread in threads:
            entries += self._settle(thread, accounts[thread.key], fates)
        post(self.cursor, entries)
        settled(self.cursor, threads)
        record_fates(self.cursor, fates, now=self.now)

    def _settle(self, thread: Thread, account: Account, fates: dict[Key, Fate]) -> list[Counted]:
        if thread.found is None:
            fates.update({f.key: WAITING for f in thread.followers if not f.code})
            return []
        sale = thread.original
        if sale is None:
            fates.update(follow_other(thread.followers).fates)
            return []
        followed = follow(sale, thread.followers, self.rules)
        entries = []
        judged = _is_judged_again(thread, sale) and followed.sold is not None and not followed.voided
        if judged and followed.sold:
            entries = self._judge(thread, sale, followed.sold, account)
        fates.update(_fates(thread, sale, followed, judged=judged))
        if account.holder:
            entries += self._difference(thread, followed, account, account.holder)
        return entries

    def _accounts(self, threads: Sequence[Thread]) -> dict[Key, Account]:
        """The account of each sale. A record may hang from a sale and have a thread of its own: the sale's is meant."""
        sales = [thread for thread in threads if thread.original]
        thread_of = {key: sale.key for sale in sales for key in (sale.key, *(f.key for f in sale.followers))}
        accounts = {thread.key: Account() for thread in threads}
        rows = self.cursor.execute(
            "SELECT terminal_id, seq, resident_ref, tax_year, run, at, card, counter, tiers, amounts_minor"
            " FROM accruals_entry JOIN unnest(%b::int4[], %b::int4[]) AS k (t, s) ON (terminal_id, seq) = (k.t, k.s)",
            ([key.terminal_id for key in thread_of], [key.seq for key in thread_of]),
        )
        for terminal_id, seq, *rest in rows:
            entry = Posted(Key(terminal_id, seq), *rest)
            account = accounts[thread_of[entry.key]]
            mode = Mode.TEST if entry.run == TEST_RUN else Mode.LIVE
            account.holder = Holder(entry.resident_ref, mode, entry.card, entry.counter)
            account.add(entry, entry.key)
        return accounts

    def _judge(self, thread: Thread, sale: Original, sold: Version, account: Account) -> list[Counted]:
        """Judge a sale at the time it now has; the entry of one that is on no account yet and turns out good."""
        line = read_line(sale.line)
        on_account = account.holder is not None
        if line.token:
            thread.outcome = self._recognise(line.token, sale, sold, account)
        elif line.claim and account.holder:  # claimed before
            thread.outcome = self._of_claimed(account.holder, sold)
        elif line.claim and CLAIM.fullmatch(line.claim) and thread.outcome is None:
            add_claim(self.cursor, sale.key, line.claim, sold.year)
            thread.outcome = Fate("unclaimed")
        elif line.claim and not CLAIM.fullmatch(line.claim):  # a card or claim that was none
            thread.outcome = Fate("rejected", "cryptogram_wrong")
        if on_account or account.holder is None:
            return []
        entry = sale_entry(account.holder, sale.key, sold, self.years[sold.year])
        account.add(entry, sale.key)
        return [entry]

    def _recognise(self, token: str, sale: Original, sold: Version, account: Account) -> Fate | None:
        """Why the sale is on no account at its time, or None. A counter is spent when it first comes on one."""
        code, mode = terminal_names([sale.key.terminal_id])[sale.key.terminal_id]
        keyring = checked_keyring(settings.KANPU_KEYRING)
        day = self.years[sold.year].day_of(sold.at)
        seen = recognise(keyring, [SealedTap(token, code, sale.key.seq, sold.at, day, mode)])[0]
        if seen.judgement.verdict is not Verdict.COUNTED or seen.card is None:
            return Fate(seen.judgement.verdict, seen.judgement.code)
        use = Use(seen.card, seen.counter)
        if account.holder is None:
            if not spend_counters(self.cursor, [use])[0]:
                return Fate(CARD_CLONED.verdict, CARD_CLONED.code)
            account.holder = use.holder
        return None

    def _of_claimed(self, holder: Holder, sold: Version) -> Fate | None:
        """Why a sale that was claimed is not on its account at its time, or None."""
        if was_resident(holder.resident_ref, self.years[sold.year].day_of(sold.at)):
            return None
        return Fate("rejected", "card_not_valid")

    def _difference(self, thread: Thread, followed: Followed, account: Account, holder: Holder) -> list[Counted]:
        """Entries for what the account should show and does not, under the latest follow-up that has none yet."""
        sold = followed.sold
        wanted = {(sold.year, sold.at): followed.left} if sold and not _is_off_account(thread) else {}
        entries = []
        for place in sorted({*account.shown, *wanted}):
            change = Change(*place, account.shown.get(place, {}), wanted.get(place, {}))
            if change.tiers:
                cause = _cause(thread, account, change.at)
                entries.append(change_entry(holder, thread.key, cause, change, self.years[change.tax_year]))
        return entries


def _cause(thread: Thread, account: Account, at: datetime) -> Follower:
    """The latest follow-up that has no entry at that time yet."""
    return next(f for f in reversed(thread.followers) if (f.key, at) not in account.taken)


def _is_judged_again(thread: Thread, sale: Original) -> bool:
    """Whether the sale was refused and may be mended, or a correction gives it another time."""
    return bool(sale.code) or any("@" in follower.line.rpartition("\n")[2] for follower in thread.followers)


def _is_off_account(thread: Thread) -> bool:
    return thread.outcome is not None and thread.outcome.status in FOLLOWS_ITS_SALE


def _fates(thread: Thread, sale: Original, followed: Followed, *, judged: bool) -> dict[Key, Fate]:
    """What became of the sale and its follow-ups: those of a sale that is on no account share its fate."""
    fates = dict(followed.fates)
    of_sale = fates.pop(sale.key, None)
    outcome = thread.outcome
    if outcome and _is_off_account(thread):
        shared = Fate(outcome.status, outcome.code)
        fates = {key: shared if fate.status == "counted" else fate for key, fate in fates.items()}
    if of_sale and of_sale.status == "voided" and not (outcome and outcome.status == "rejected"):
        fates[sale.key] = of_sale
    elif judged and of_sale:
        fates[sale.key] = outcome or of_sale
    return fates
