"""Admitting a purchase that no till sent: the office enters it as a sale without a card, at once on the account."""

import base64
import json
import secrets
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from django.db import connection, transaction

from apps.accruals.disputes import Missing
from apps.accruals.operations.claiming import ClaimNotResident
from apps.accruals.operations.posting import Holder, begin_judging, hold_years, post, sale_entry
from apps.kernel.database import Cursor, raw_connection
from apps.kernel.errors import KanpuError
from apps.merchants.models import Mode
from apps.merchants.operations.office import lock_office_terminal
from apps.purchases.following import Fate, Key, Version
from apps.purchases.followups import record_fates
from apps.purchases.lanes import lane_of
from apps.purchases.models import Batch
from apps.purchases.operations import accept_batch
from apps.purchases.outbox import claim_one, mark_counted
from apps.purchases.queries import chain_of, year_rules
from apps.purchases.store import Sender
from apps.residents.queries import mode_of_resident, was_resident

SOFTWARE: Final = "refund office"


class NotAdmitted(KanpuError):
    """The purchase cannot be entered as it is told. `defect` is the protocol's code."""

    code = "purchase_not_admitted"

    def __init__(self, defect: str) -> None:
        super().__init__(f"The purchase is refused like one that a till sends: {defect}.")
        self.defect = defect


def admit_sale(resident_ref: UUID, missing: Missing, *, reported_at: datetime, now: datetime, actor: str) -> Key:
    """Enter a missing purchase and put it on the resident's account. Returns what names the sale.

    It is accepted like a till's record that came when the resident reported it: so the deadline that counts is that of
    the report. In a frozen year the next run gives what it brings. Raises NotAdmitted and ClaimNotResident.
    """
    with transaction.atomic(), connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        begin_judging(cursor)
        holder = Holder(resident_ref, mode_of_resident(resident_ref))
        years = hold_years(cursor, {rules.year for rules in year_rules()})
        key, year = _accept(cursor, holder, missing, reported_at=reported_at, now=now, actor=actor)
        if years[year].is_erased:
            raise NotAdmitted("year_closed")
        if not was_resident(resident_ref, day := years[year].day_of(missing.at)):
            raise ClaimNotResident(f"The resident did not live here on {day}: the purchase brings nothing.")
        sold = Version(missing.at, year, missing.amounts)
        post(cursor, [sale_entry(holder, key, sold, years[year])])
        record_fates(cursor, {key: Fate("counted")}, now=now)
    return key


def _accept(
    cursor: Cursor, holder: Holder, missing: Missing, *, reported_at: datetime, now: datetime, actor: str
) -> tuple[Key, int]:
    """Have the office's terminal report the sale, and take its batch off the outbox. Returns its name and year."""
    terminal = lock_office_terminal(Mode(holder.mode), at=now, actor=actor)
    lane, seq = lane_of(terminal.pk), chain_of(terminal.pk, terminal.code).next_seq
    sender = Sender(lane, terminal.pk, terminal.code, terminal.merchant_id, None, uuid4(), SOFTWARE)
    answer = accept_batch(sender, [_record(seq, missing)], now=reported_at)
    if answer.decided.refusals:
        raise NotAdmitted(answer.decided.refusals[0].defect.code)
    batch = Batch.objects.get(lane=lane, terminal_id=terminal.pk, counted_at=None)
    mark_counted(cursor, claim_one(cursor, lane, batch.id), at=now)
    return Key(terminal.pk, seq), answer.decided.accepted[0][1]


def _record(seq: int, missing: Missing) -> bytes:
    """A sale without a card; its claim is a random number, so there is no code that anybody could claim it with."""
    lines = [{"tier": tier, "amount": amount} for tier, amount in missing.amounts.items()]
    claim = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
    return json.dumps({"seq": seq, "at": missing.at.isoformat(), "claim": claim, "lines": lines}).encode()
