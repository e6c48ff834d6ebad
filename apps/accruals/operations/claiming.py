"""Claiming a sale without a card by the code on its receipt: once, by whoever holds the receipt."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from apps.accruals.claims import claim_of
from apps.accruals.models import ClaimAttempt
from apps.accruals.operations.posting import Holder, begin_judging, hold_years, post, sale_entry
from apps.audit.operations import Cause, raise_alarms, record_event
from apps.kernel.database import Cursor, raw_connection
from apps.kernel.errors import KanpuError
from apps.merchants.queries import terminal_names
from apps.purchases.acceptance import YearRules
from apps.purchases.doorbell import doorbell
from apps.purchases.following import Fate, Key, Version, follow
from apps.purchases.followups import Thread, find_claimed, lock_threads, mark_all_due, record_fates
from apps.purchases.queries import year_rules
from apps.residents.queries import mode_of_resident, was_resident

GUESSES: Final = 10
GUESS_LOCK: Final = 20150901  # the class of the advisory locks taken by resident
GUESSES_WITHIN: Final = timedelta(hours=24)


class ClaimUnknown(KanpuError):
    """No sale has this code, or its shop has not sent it yet, or it is on two sales and so on none."""

    code = "claim_unknown"


class ClaimTaken(KanpuError):
    """The sale was claimed before, by this resident or another."""

    code = "claim_taken"


class ClaimVoid(KanpuError):
    """The sale was voided: nothing is left to claim."""

    code = "claim_void"


class ClaimNotResident(KanpuError):
    """The resident did not live here on the day of the sale."""

    code = "claim_not_resident"


class ClaimTooLate(KanpuError):
    """The filing deadline of the sale's year is over."""

    code = "year_closed"


class TooManyGuesses(KanpuError):
    """Too many codes that were none. `retry_at` says when the next may be tried."""

    code = "rate_limited"

    def __init__(self, retry_at: datetime) -> None:
        super().__init__(f"Too many codes were tried. Try again after {retry_at:%Y-%m-%d %H:%M}.")
        self.retry_at = retry_at


def claim_purchase(resident_ref: UUID, code: str, *, now: datetime, actor: str) -> Key:
    """Put the sale with this code on its receipt on the resident's account. Returns what names the sale.

    Wrong codes are counted: after GUESSES within a day no more are taken, and an alarm is raised. Raises
    ClaimCodeInvalid (a misread code, which is no guess), TooManyGuesses, ClaimUnknown, ClaimTaken, ClaimVoid,
    ClaimNotResident and ClaimTooLate.
    """
    claim = claim_of(code)
    attempt = _count_guess(resident_ref, now)
    try:
        key = _claim(resident_ref, claim, now, actor)
    except (ClaimVoid, ClaimNotResident, ClaimTooLate):  # the code is right
        attempt.delete()
        raise
    ClaimAttempt.objects.filter(pk=attempt.pk).update(succeeded=True)
    doorbell.ring()  # its returns, if there are any
    return key


def _count_guess(resident_ref: UUID, now: datetime) -> ClaimAttempt:
    """Count a guess before it is looked at, one at a time a resident. Raises TooManyGuesses, with an alarm."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [GUESS_LOCK, str(resident_ref)])
        wrong = ClaimAttempt.objects.filter(resident_ref=resident_ref, succeeded=False, at__gt=now - GUESSES_WITHIN)
        latest = list(wrong.order_by("-at").values_list("at", flat=True)[:GUESSES])
        if len(latest) < GUESSES:
            return ClaimAttempt.objects.create(resident_ref=resident_ref, at=now, succeeded=False)
    cause = Cause("claim_guessing", f"{resident_ref}:{now:%Y-%m-%d}", {"resident_ref": str(resident_ref)})
    raise_alarms([cause], at=now)
    raise TooManyGuesses(latest[-1] + GUESSES_WITHIN)


def _claim(resident_ref: UUID, claim: str, now: datetime, actor: str) -> Key:
    with transaction.atomic(), connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        begin_judging(cursor)
        holder = Holder(resident_ref, mode_of_resident(resident_ref))
        rules = {year.year: year for year in year_rules()}
        years = hold_years(cursor, rules)
        thread = lock_threads(cursor, [_only(find_claimed(cursor, claim), holder.mode)])[0]
        sold = _to_be_had(thread, list(rules.values()))
        if now >= rules[sold.year].deadline_at:
            raise ClaimTooLate(f"The filing deadline of {sold.year} is over.")
        if not was_resident(resident_ref, day := years[sold.year].day_of(sold.at)):
            raise ClaimNotResident(
                f"The sale is of {day}, and you were not resident on that day: it brings you nothing."
            )
        post(cursor, [sale_entry(holder, thread.key, sold, years[sold.year])])
        record_fates(cursor, {thread.key: Fate("counted")}, now=now)
        mark_all_due(cursor, thread.key)
        # Of which purchase is not said: it may be withdrawn, and the trail is for ever.
        record_event(at=now, actor=actor, action="purchase.claim", subject=f"resident:{resident_ref}", detail={})
    return thread.key


def _only(keys: list[Key], mode: str) -> Key:
    """The one sale of this mode among them."""
    names = terminal_names({key.terminal_id for key in keys})
    mine = [key for key in keys if names[key.terminal_id].mode == mode]
    if len(mine) != 1:
        raise ClaimUnknown("No sale has this code. If it is new, the shop may not have sent it yet: try tomorrow.")
    return mine[0]


def _to_be_had(thread: Thread, rules: list[YearRules]) -> Version:
    """The sale as it goes on the account, before what follows it: as it was sent, or as it was mended."""
    status = thread.outcome.status if thread.outcome else ""
    if status == "voided":
        raise ClaimVoid("This sale was voided by the shop.")
    if status != "unclaimed" or thread.original is None:
        raise ClaimTaken("This sale was claimed before.")
    sold = follow(thread.original, thread.followers if thread.original.code else [], rules).sold
    if sold is None:
        raise ClaimTooLate("The year of this sale is not open.")
    return sold
