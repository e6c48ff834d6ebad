"""What auditors annul of a resident's purchases, and count again when an appeal was right."""

from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from apps.accruals.answers import ANNULLED
from apps.accruals.operations.posting import begin_judging, hold_years
from apps.accruals.operations.settling import Settling
from apps.accruals.operations.withdrawing import PurchaseMissing, own_sale
from apps.kernel.database import Cursor, raw_connection
from apps.purchases.following import Key
from apps.purchases.queries import year_rules
from apps.purchases.rulings import takes_off


def annul_sale(resident_ref: UUID, key: Key, *, now: datetime) -> str:
    """Take a counted sale off a resident's account for good: the resident's word counts it no more; all, or nothing.

    In a frozen year the next run gives the difference. Returns what the resident had said of it before, for
    `restore_sale`. Raises PurchaseMissing for another's sale, and for one that is not counted.
    """
    with transaction.atomic(), connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        begin_judging(cursor)
        rules = year_rules()
        years = hold_years(cursor, {year.year for year in rules})
        thread, account = own_sale(cursor, resident_ref, key)
        if account.holder is None or takes_off(thread.rulings):
            raise PurchaseMissing("The purchase does not count: nothing has to be annulled.")
        said = account.kept.answer if account.kept else ""
        Settling(cursor, rules, years, now, again=True, answers={key: ANNULLED}).settle([thread])
        if thread.outcome is None or thread.outcome.status != "rejected":
            raise PurchaseMissing("The purchase was voided, or its year is erased: nothing can be changed of it.")
        return said


def restore_sale(resident_ref: UUID, key: Key, *, said: str, now: datetime) -> None:
    """Judge an annulled sale again as if it had not been annulled: `said` is what annul_sale returned.

    In a frozen year the next run gives the difference. One that its shop voided since stays voided. Raises
    PurchaseMissing for another's sale.
    """
    with transaction.atomic(), connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        begin_judging(cursor)
        rules = year_rules()
        years = hold_years(cursor, {year.year for year in rules})
        thread, account = own_sale(cursor, resident_ref, key)
        if account.kept and account.kept.answer == ANNULLED:
            Settling(cursor, rules, years, now, again=True, answers={key: said}).settle([thread])
