"""Starting a tax year: its row, and the partitions of its tables and of the year after."""

from datetime import date, datetime
from typing import Final

from django.db import connection, transaction

from apps.accruals.operations.archiving import close_part
from apps.schemes.models import SchemeVersion, TaxYear
from apps.schemes.operations import open_tax_year

PARTITIONED: Final = ("purchases_purchase", "accruals_entry", "accruals_total")


@transaction.atomic
def start_year(year: int, version: SchemeVersion, *, deadline: date | None, at: datetime, actor: str) -> TaxYear:
    """Start a tax year under a scheme version; again is harmless. Raises YearAlreadyStarted."""
    row = open_tax_year(year, version, deadline=deadline, at=at, actor=actor)
    with connection.cursor() as cursor:
        for table in PARTITIONED:
            for of_year in (year, year + 1):
                cursor.execute(
                    f"CREATE TABLE IF NOT EXISTS {table}_{of_year:d} PARTITION OF {table} FOR VALUES IN ({of_year:d})"
                )
    return row


@transaction.atomic
def freeze_run(year: int, *, now: datetime) -> int:
    """Close the year's open run and archive part and open the next ones. Returns the number of the closed run.

    What workers count from here on belongs to the next run. Waits for those that are counting.
    """
    row = TaxYear.objects.select_for_update().get(year=year)
    close_part(row, now=now)
    closed = row.open_run
    row.open_run += 1
    row.save(update_fields=["open_run"])
    return closed
