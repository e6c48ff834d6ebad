"""Withdrawing a purchase: until its year is frozen its entries are erased, and all that they brought is given up."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from apps.accruals.models import TEST_RUN, ArchivePart
from apps.accruals.operations.accounts import Account, accounts_of, keys_of
from apps.accruals.operations.forgetting import forget_disputes_about, lock_disputes_about
from apps.accruals.operations.posting import Change, OpenYear, add_totals, change_entry, hold_years
from apps.accruals.operations.withholding import forget
from apps.audit.operations import record_event
from apps.kernel.database import Cursor, raw_connection
from apps.kernel.errors import KanpuError
from apps.purchases.following import Follower, Key
from apps.purchases.followups import Thread, lock_threads, rule
from apps.purchases.queries import year_rules
from apps.purchases.rulings import Ruling

# Parts that are closed may be written to files already, or somebody is writing them: they are written anew.
ERASE: Final = """
DELETE FROM accruals_entry e USING unnest(%(terminals)s::int4[], %(seqs)s::int4[]) AS k (t, s)
WHERE e.resident_ref = %(resident)s AND e.tax_year = ANY(%(years)s::int2[]) AND (e.terminal_id, e.seq) = (k.t, k.s)
RETURNING e.tax_year, e.part, e.run
"""
# Whoever has no entry has no refund, not one of 0: both assessments must find the same residents.
EMPTY_TOTALS: Final = """
DELETE FROM accruals_total t WHERE t.resident_ref = %(resident)s AND t.tax_year = ANY(%(years)s::int2[])
    AND NOT EXISTS (
        SELECT FROM accruals_entry e
        WHERE e.resident_ref = %(resident)s AND (e.tax_year, e.run) = (t.tax_year, t.run))
"""


class PurchaseMissing(KanpuError):
    """The resident has no such purchase."""

    code = "purchase_missing"


class TooLateToWithdraw(KanpuError):
    """The year of the purchase was frozen with it."""

    code = "too_late_to_withdraw"


def withdraw(resident_ref: UUID, terminal_id: int, seq: int, *, now: datetime, actor: str) -> None:
    """Erase a resident's purchase, named by its sale, with all that was booked of it, and give up what it brings.

    The shop learns nothing: what became of its records reads as before. The card's counter stays spent. What tills
    still send about the sale changes nothing. Raises PurchaseMissing, and TooLateToWithdraw once a run that has it is
    frozen.
    """
    with transaction.atomic(), connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        lock_disputes_about(Key(terminal_id, seq))  # first, as who decides one does
        years = hold_years(cursor, {rules.year for rules in year_rules()})
        thread, account = own_sale(cursor, resident_ref, Key(terminal_id, seq))
        if not is_in_open_runs(account, years):
            raise TooLateToWithdraw("The year of this purchase is frozen: it can no longer be withdrawn.")
        ruling = rule(cursor, thread.key, Ruling.WITHDRAW, "", runs={}, now=now)
        erase_sale(cursor, thread, account, ruling, years)
        forget(cursor, [thread.key])
        # Of which purchase is not said: what was erased would stand in the trail otherwise.
        record_event(at=now, actor=actor, action="purchase.withdraw", subject=f"resident:{resident_ref}", detail={})


def own_sale(cursor: Cursor, resident_ref: UUID, key: Key) -> tuple[Thread, Account]:
    """The locked thread and the account of a sale of the resident's. Raises PurchaseMissing."""
    thread = next((thread for thread in lock_threads(cursor, [key]) if thread.key == key), None)
    account = accounts_of(cursor, [thread])[key] if thread and thread.original else None
    if thread is None or account is None or account.resident_ref != resident_ref:
        raise PurchaseMissing("There is no such purchase, or it was withdrawn before.")
    return thread, account


def is_in_open_runs(account: Account, years: Mapping[int, OpenYear]) -> bool:
    """Whether no run that was frozen has an entry of the sale."""
    return all(run in (TEST_RUN, years[year].run) for year, run in account.runs)


def erase_sale(
    cursor: Cursor, thread: Thread, account: Account, ruling: Follower, years: Mapping[int, OpenYear]
) -> None:
    """Delete the entries of a sale, take them off the totals, and have files that hold them written anew.

    All are of open runs, and years and thread are locked by the caller; `ruling` is why. Disputes about it go with it.
    """
    forget_disputes_about(thread.key)
    if account.holder is None:
        return
    changes = [Change(*place, amounts, {}) for place, amounts in account.shown.items()]
    add_totals(cursor, [change_entry(account.holder, thread.key, ruling, c, years[c.tax_year]) for c in changes])
    keys = keys_of(thread)
    place = {"resident": account.holder.resident_ref, "years": sorted({year for year, _ in account.runs})}
    named = {**place, "terminals": [k.terminal_id for k in keys], "seqs": [k.seq for k in keys]}
    erased = Counter((year, part) for year, part, run in cursor.execute(ERASE, named) if run != TEST_RUN)
    for (year, part), entries in sorted(erased.items()):
        ArchivePart.objects.filter(tax_year=year, part=part).update(erased=F("erased") + entries)
    cursor.execute(EMPTY_TOTALS, place)
    account.forget()
