"""Settling what names an earlier record: returns, voids and corrections change the account of their sale.

A sale and all that follows it are looked at together, and what its account should show is compared with the entries
it has: the difference becomes the entry of the latest follow-up. So it does not matter in which order they came.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.accruals.answers import ANNULLED, CONFIRMED, DENIED
from apps.accruals.operations.accounts import Account, Kept, accounts_of
from apps.accruals.operations.posting import (
    Change,
    Holder,
    OpenYear,
    begin_judging,
    change_entry,
    clone_alarm,
    hold_years,
    is_nobodys_fault,
    post,
    sale_entry,
)
from apps.accruals.operations.verdicts import Judge, Judged, register_for
from apps.accruals.operations.withdrawing import erase_sale, is_in_open_runs
from apps.accruals.operations.withholding import Remembered, forget, remember
from apps.accruals.tallies import Counted
from apps.audit.operations import Cause, raise_alarms
from apps.kernel.database import Cursor, again_after_conflict, raw_connection
from apps.kernel.errors import kind_of
from apps.merchants.models import Mode
from apps.purchases.acceptance import YearRules
from apps.purchases.following import Fate, Followed, Follower, Key, Original, Version, follow_other
from apps.purchases.followups import Thread, due_keys, give_up, lock_threads, record_fates, rule, settled
from apps.purchases.models import Poison
from apps.purchases.poison import note_failure
from apps.purchases.queries import year_rules
from apps.purchases.rulings import Ruling, follow_ruled, is_withdrawn, takes_off
from apps.residents.judging import CARD_CLONED
from apps.residents.operations.messages import tell_each

logger = logging.getLogger(__name__)
WAITING = Fate("waiting")
FOLLOWS_ITS_SALE = frozenset({"held", "unclaimed", "rejected"})


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
            note_failure(Poison.Kind.FOLLOWUP, *key, reason=kind_of(error), at=now)
            raise_alarms([Cause("followup_failed", f"{key.terminal_id}:{key.seq}", {"reason": kind_of(error)})], at=now)
        return 1


@again_after_conflict
def settle_some(*, now: datetime, only: Key | None = None) -> int:
    """Settle some of the sales whose follow-ups are due, in one transaction. Returns how many; 0: nothing is due."""
    with transaction.atomic(), connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        keys = [only] if only else due_keys(cursor)
        if not keys:
            return 0
        begin_judging(cursor)
        rules = year_rules()
        settling = Settling(cursor, rules, hold_years(cursor, {year.year for year in rules}), now)
        settling.settle(lock_threads(cursor, keys))
    return len(keys)


@dataclass(slots=True)
class Settling:
    """One transaction's settling. With `again` every sale is judged again, by its card and its holder's days.

    `answers` are what residents or auditors say of sales just now, beside what was said before; `amended` are the
    amendments that were just filed, by their sales.
    """

    cursor: Cursor
    rules: Sequence[YearRules]
    years: Mapping[int, OpenYear]
    now: datetime
    again: bool = False
    answers: Mapping[Key, str] = field(default_factory=dict)
    amended: Mapping[Key, Follower] = field(default_factory=dict)

    def settle(self, threads: Sequence[Thread]) -> dict[Key, Account]:
        """Settle locked threads. Returns the sales' accounts as they were left."""
        accounts = accounts_of(self.cursor, threads)
        judge = self._judge_for(threads, accounts)
        done = Settled()
        for thread in threads:
            self._settle(thread, accounts[thread.key], judge, done)
        post(self.cursor, done.entries)
        remember(self.cursor, done.remembered, now=self.now)
        forget(self.cursor, done.forgotten)
        settled(self.cursor, threads, done.runs)
        record_fates(self.cursor, done.fates, now=self.now)
        raise_alarms(done.alarms, at=self.now)
        tell_each(sorted(done.cancelled, key=itemgetter(0)), "purchase_cancelled", at=self.now)
        return accounts

    def _judge_for(self, threads: Sequence[Thread], accounts: Mapping[Key, Account]) -> Judge:
        for key, answer in self.answers.items():
            if kept := accounts[key].kept or _kept_if_counted(accounts[key]):
                accounts[key].kept = kept._replace(answer=answer)
        asked = [accounts[t.key] for t in threads if t.original and (self.again or _is_mended(t, t.original))]
        return Judge(self.cursor, self.years, register_for(asked))

    def _settle(self, thread: Thread, account: Account, judge: Judge, done: "Settled") -> None:
        if thread.found is None:
            done.fates.update({f.key: WAITING for f in thread.followers if not f.code})
            return
        sale = thread.original
        if sale is None:
            done.fates.update(follow_other(thread.followers).fates)
            return
        followed = follow_ruled(sale, thread.followers, thread.rulings, self.rules)
        if is_withdrawn(thread.rulings) or (followed.sold and self.years[followed.sold.year].is_erased):
            done.fates.update(_fates(thread, sale, followed, judged=False))
            return
        before = thread.outcome
        judged = None
        if followed.sold and not followed.voided and (self.again or _is_mended(thread, sale)):
            judged = judge.judge(thread, sale, followed.sold, account)
            thread.outcome = judged.fate
        changed = _standing(before) != _standing(thread.outcome)
        done.fates.update(_fates(thread, sale, followed, judged=judged is not None and (changed or not self.again)))
        self._book(Matter(thread, sale, followed, account, judged), done, changed=changed)

    def _book(self, matter: "Matter", done: "Settled", *, changed: bool) -> None:
        """Bring entries, what is remembered, and rulings to what the sale's standing asks for."""
        thread, sale, followed, account, judged = matter
        runs = done.runs[thread.key] = self.runs_of(followed, account)
        is_new = account.holder is None
        if judged and followed.sold:
            if judged.fate is None and judged.holder and account.holder is None:
                entry = sale_entry(judged.holder, sale.key, followed.sold, self.years[followed.sold.year])
                account.holder = judged.holder
                account.add(entry, sale.key)
                done.entries.append(entry)
            self._keep(matter, followed.sold, judged, done)
        elif followed.voided and account.kept:
            done.forgotten.append(thread.key)
        ruling = None
        if (self.again and changed) or (account.holder and takes_off(thread.rulings) != _is_off_account(thread)):
            ruling = self._rule(thread, account, runs)
        if ruling and judged and not judged.is_remembered and is_in_open_runs(account, self.years):
            erase_sale(self.cursor, thread, account, ruling, self.years)
        if account.holder:
            if not (is_new or ruling or followed.left) and account.holder.mode == Mode.LIVE:
                done.cancelled += self._cancelled(account, account.holder)
            done.entries += self._difference(matter, account.holder, None if is_new else ruling)

    def _cancelled(self, account: Account, holder: Holder) -> list[tuple[UUID, dict[str, object]]]:
        """What its holder is told of a sale that counted and of which a shop left nothing: its month and its sum.

        Neither the shop nor the time, which are erased some day.
        """
        before = {place: sum(amounts.values()) for place, amounts in account.shown.items()}
        return [
            (holder.resident_ref, {"year": year, "month": self.years[year].day_of(at).month, "amount_minor": amount})
            for (year, at), amount in before.items()
            if amount
        ]

    def _keep(self, matter: "Matter", sold: Version, judged: Judged, done: "Settled") -> None:
        """Remember a sale that is not counted with whom it belongs to, or forget it."""
        key, account = matter.thread.key, matter.account
        answer = account.kept.answer if account.kept else ""
        holder, fate = judged.holder, judged.fate
        if holder and judged.is_remembered and (fate or answer == CONFIRMED):
            status, code = (fate.status, fate.code) if fate else ("counted", "")
            done.alarms += [clone_alarm(key)] if code == CARD_CLONED.code else []
            done.remembered.append(Remembered(holder, key, sold.year, sold.at, status, code, answer))
        elif account.kept:
            done.forgotten.append(key)

    def _rule(self, thread: Thread, account: Account, runs: Mapping[str, int]) -> Follower:
        answer = account.kept.answer if account.kept else ""
        outcome = thread.outcome if _is_off_account(thread) else None
        if outcome is None:
            kind = Ruling.CONFIRM if answer == CONFIRMED else Ruling.RELEASE
        elif outcome.status == "held":
            kind = Ruling.HOLD
        else:
            kind = {DENIED: Ruling.DENY, ANNULLED: Ruling.ANNUL}.get(answer, Ruling.REJECT)
        return rule(self.cursor, thread.key, kind, outcome.code if outcome else "", runs=runs, now=self.now)

    def runs_of(self, followed: Followed, account: Account) -> dict[str, int]:
        """The open run of each year that the sale is in, or was."""
        years = {year for year, _ in account.shown} | ({followed.sold.year} if followed.sold else set())
        return {str(year): self.years[year].run for year in sorted(years)}

    def _difference(self, matter: "Matter", holder: Holder, ruling: Follower | None) -> list[Counted]:
        """Entries for what the account should show and does not, under the ruling, or the latest follow-up."""
        thread, _, followed, account, _ = matter
        sold = followed.sold
        wanted = {(sold.year, sold.at): followed.left} if sold and not _is_off_account(thread) else {}
        entries = []
        for place in sorted({*account.shown, *wanted}):
            change = Change(*place, account.shown.get(place, {}), wanted.get(place, {}))
            if change.tiers:
                cause = ruling or self.amended.get(thread.key) or _cause(thread, account, change.at)
                entries.append(change_entry(holder, thread.key, cause, change, self.years[change.tax_year]))
        return entries


class Matter(NamedTuple):
    """A sale as it is looked at: what follows it makes of it, its account, and the verdict if it was judged."""

    thread: Thread
    sale: Original
    followed: Followed
    account: Account
    judged: Judged | None


@dataclass(slots=True)
class Settled:
    """What settling some threads comes to, written together at the end."""

    entries: list[Counted] = field(default_factory=list)
    fates: dict[Key, Fate] = field(default_factory=dict)
    remembered: list[Remembered] = field(default_factory=list)
    forgotten: list[Key] = field(default_factory=list)
    runs: dict[Key, dict[str, int]] = field(default_factory=dict)
    alarms: list[Cause] = field(default_factory=list)
    cancelled: list[tuple[UUID, dict[str, object]]] = field(default_factory=list)


def _cause(thread: Thread, account: Account, at: datetime) -> Follower:
    """The latest follow-up that has no entry at that time yet."""
    return next(f for f in reversed(thread.followers) if (f.key, at) not in account.taken)


def _kept_if_counted(account: Account) -> Kept | None:
    """What would be remembered of a sale that is on an account."""
    holder = account.holder
    if holder is None:
        return None
    year = max(year for year, _ in account.shown)
    return Kept(holder.resident_ref, year, holder.card, holder.counter, "counted", "", "")


def _is_mended(thread: Thread, sale: Original) -> bool:
    """Whether the sale was refused and may be mended, or a correction gives it another time: then it is judged anew."""
    return bool(sale.code) or any("@" in follower.line.rpartition("\n")[2] for follower in thread.followers)


def _is_off_account(thread: Thread) -> bool:
    return thread.outcome is not None and thread.outcome.status in FOLLOWS_ITS_SALE


def _standing(outcome: Fate | None) -> tuple[str, str]:
    """Whether a sale counts, and why it does not."""
    return (outcome.status, outcome.code) if outcome and outcome.status in FOLLOWS_ITS_SALE else ("counted", "")


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
