"""What the office changes of a counted sale after a dispute: other amounts by tier, or that it is not the holder's."""

from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from apps.accruals.answers import DENIED
from apps.accruals.operations.posting import begin_judging, hold_years
from apps.accruals.operations.settling import Settling
from apps.accruals.operations.withdrawing import PurchaseMissing, own_sale
from apps.kernel.database import Cursor, raw_connection
from apps.kernel.errors import KanpuError
from apps.purchases.acceptance import YearRules, lines_defect, year_of
from apps.purchases.following import Amounts, Key, Version
from apps.purchases.followups import rule
from apps.purchases.queries import year_rules
from apps.purchases.records import MAX_AMOUNT_MINOR
from apps.purchases.rulings import Ruling, follow_ruled, takes_off


class AmountsInvalid(KanpuError):
    """Amounts that no sale of that day can have: nothing at all, too much, or a tier that was not in force."""

    code = "amounts_invalid"


def check_amounts(amounts: Amounts, at: datetime, rules: YearRules) -> None:
    """Whether a sale at a time of a year may have these amounts, in minor units by tier. Raises AmountsInvalid."""
    if not amounts or any(not 1 <= amount <= MAX_AMOUNT_MINOR for amount in amounts.values()):
        raise AmountsInvalid("Give the amount of at least one tier, each above 0.")
    if defect := lines_defect(tuple(amounts), at, rules):
        raise AmountsInvalid(f"The tier {defect.value} was not in force on that day.")


def amend_sale(resident_ref: UUID, key: Key, amounts: Amounts, *, now: datetime) -> None:
    """Give a resident's sale these amounts, minor units by tier, in place of what its till said; all, or nothing.

    Its returns stay. In a frozen year the next run gives the difference. Raises PurchaseMissing for another's sale, one
    that was voided or withdrawn, or whose year is erased, and AmountsInvalid.
    """
    with transaction.atomic(), connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        begin_judging(cursor)
        rules = year_rules()
        years = hold_years(cursor, {year.year for year in rules})
        thread, account = own_sale(cursor, resident_ref, key)
        followed = thread.original and follow_ruled(thread.original, thread.followers, thread.rulings, rules)
        if not followed or followed.sold is None or followed.voided or years[followed.sold.year].is_erased:
            raise PurchaseMissing("The purchase was voided, or its year is erased: nothing can be changed of it.")
        _check(amounts, followed.sold, rules)
        runs = Settling(cursor, rules, years, now).runs_of(followed, account)
        ruling = rule(cursor, key, Ruling.AMEND, "", runs=runs, now=now, amounts=amounts)
        thread.rulings.append(ruling)
        Settling(cursor, rules, years, now, amended={key: ruling}).settle([thread])


def deny_sale(resident_ref: UUID, key: Key, *, now: datetime) -> None:
    """Take a counted sale off a resident's account, as one that somebody else made; all, or nothing.

    In a frozen year the next run gives the difference. Raises PurchaseMissing for another's sale, and for one that is
    not counted.
    """
    with transaction.atomic(), connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        begin_judging(cursor)
        rules = year_rules()
        years = hold_years(cursor, {year.year for year in rules})
        thread, account = own_sale(cursor, resident_ref, key)
        if account.holder is None or takes_off(thread.rulings):
            raise PurchaseMissing("The purchase does not count: nothing has to be taken off.")
        Settling(cursor, rules, years, now, again=True, answers={key: DENIED}).settle([thread])
        if thread.outcome is None or thread.outcome.status != "rejected":
            raise PurchaseMissing("The purchase was voided, or its year is erased: nothing can be changed of it.")


def _check(amounts: Amounts, sold: Version, rules: list[YearRules]) -> None:
    year = year_of(sold.at, rules)
    if year is None:
        raise AmountsInvalid("The year of this purchase is not started.")
    check_amounts(amounts, sold.at, year)
