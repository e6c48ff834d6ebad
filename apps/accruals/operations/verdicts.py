"""Judging a sale in its thread: by its card's state at the time it now has, its holder's days, and the answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

from django.conf import settings

from apps.accruals.answers import verdict
from apps.accruals.operations.accounts import Account
from apps.accruals.operations.posting import Holder, OpenYear, Use, spend_counters
from apps.kernel.database import Cursor
from apps.merchants.queries import terminal_names
from apps.purchases.following import Fate, Original, Version
from apps.purchases.followups import Thread, add_claim
from apps.purchases.records import CLAIM, SentLine, read_line
from apps.residents.judging import (
    CARD_CLONED,
    CARD_NOT_VALID,
    COUNTED,
    CardRecord,
    Days,
    Judgement,
    Verdict,
    is_resident,
    judge_card,
)
from apps.residents.queries import cards_by_number, checked_keyring, days_of_residents
from apps.residents.recognition import Recognised, SealedTap, recognise


class Judged(NamedTuple):
    """Why a sale is on no account (None: it is on one), whose it is, and whether that is remembered."""

    fate: Fate | None
    holder: Holder | None = None
    is_remembered: bool = True


class Register(NamedTuple):
    """What the register says at the moment of cards, by number, and of residents' days."""

    cards: Mapping[int, CardRecord]
    days: Mapping[UUID, tuple[date, date | None, tuple[Days, ...]]]


def register_for(accounts: Sequence[Account]) -> Register:
    """What judging these accounts' sales needs: at most two queries."""
    cards = {account.card[0] for account in accounts if account.card}
    claimed = {account.resident_ref for account in accounts if account.resident_ref and not account.card}
    return Register(cards_by_number(cards) if cards else {}, days_of_residents(claimed) if claimed else {})


@dataclass(frozen=True, slots=True)
class Judge:
    """One transaction's judging."""

    cursor: Cursor
    years: Mapping[int, OpenYear]
    register: Register

    def judge(self, thread: Thread, sale: Original, sold: Version, account: Account) -> Judged:
        """The verdict on a sale at the time it has. Its counter is spent when it first comes on an account."""
        line = read_line(sale.line)
        day = self.years[sold.year].day_of(sold.at)
        if account.card:
            card = self.register.cards[account.card[0]]
            return self._of_card(Recognised(judge_card(card, sold.at, day), card, account.card[1]), account)
        if account.holder:
            return self._of_claimed(account.holder, account, day)
        if line.token:
            return self._of_card(self._open(line.token, sale, sold, day), account)
        return Judged(self._without_card(line, thread, sale, sold))

    def _of_card(self, seen: Recognised, account: Account) -> Judged:
        code, answer = (account.kept.code, account.kept.answer) if account.kept else ("", "")
        judgement = verdict(seen.judgement, code=code, answer=answer)
        if judgement.verdict is not Verdict.COUNTED or seen.card is None:
            return Judged(_fate(judgement), _holder(seen), judgement.is_remembered)
        use = Use(seen.card, seen.counter)
        if account.holder is None and not spend_counters(self.cursor, [use])[0]:
            return Judged(_fate(CARD_CLONED), use.holder)
        return Judged(None, use.holder)

    def _open(self, token: str, sale: Original, sold: Version, day: date) -> Recognised:
        code, mode = terminal_names([sale.key.terminal_id])[sale.key.terminal_id]
        keyring = checked_keyring(settings.KANPU_KEYRING)
        return recognise(keyring, [SealedTap(token, code, sale.key.seq, sold.at, day, mode)])[0]

    def _of_claimed(self, holder: Holder, account: Account, day: date) -> Judged:
        """One that was claimed by code: by residence, and by what its holder says of it."""
        judgement = COUNTED if is_resident(day, *self.register.days[holder.resident_ref]) else CARD_NOT_VALID
        answer = account.kept.answer if account.kept else ""
        return Judged(_fate(verdict(judgement, code="", answer=answer)), holder)

    def _without_card(self, line: SentLine, thread: Thread, sale: Original, sold: Version) -> Fate | None:
        """A sale that can be claimed, or that has a card or claim that is none; anything else stays as it is."""
        if line.claim and CLAIM.fullmatch(line.claim) and thread.outcome is None:
            add_claim(self.cursor, sale.key, line.claim, sold.year)
            return Fate("unclaimed")
        if line.claim and not CLAIM.fullmatch(line.claim):
            return Fate("rejected", "cryptogram_wrong")
        return thread.outcome


def _fate(judgement: Judgement) -> Fate | None:
    return None if judgement.verdict is Verdict.COUNTED else Fate(judgement.verdict, judgement.code)


def _holder(seen: Recognised) -> Holder | None:
    return Use(seen.card, seen.counter).holder if seen.card else None
