"""Starting a tax year: its row, and the partitions of its tables and of the year after."""

from datetime import date, datetime
from typing import Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from apps.accruals.operations.archiving import close_part, lock_year
from apps.schemes.models import SchemeVersion, TaxYear
from apps.schemes.operations import open_tax_year

# Totals are added to over and over, and none of what changes is in an index: as long as a page has room for the row's
# next version, no index is touched (HOT). So their pages are left partly empty. The others are only ever added to.
PARTITIONED: Final = {"purchases_purchase": 100, "accruals_entry": 100, "accruals_total": 70}  # fillfactor, percent


@transaction.atomic
def start_year(year: int, version: SchemeVersion, *, deadline: date | None, at: datetime, actor: str) -> TaxYear:
    """Start a tax year under a scheme version; again is harmless. Raises YearAlreadyStarted and DeadlineInvalid."""
    row = open_tax_year(year, version, deadline=deadline, at=at, actor=actor)
    erased = set(TaxYear.objects.exclude(erased_at=None).values_list("year", flat=True))
    with connection.cursor() as cursor:
        for table, fillfactor in PARTITIONED.items():
            for of_year in {year, year + 1} - erased:
                _make_partition(cursor, table, of_year, fillfactor)
    return row


def _make_partition(cursor: CursorWrapper, table: str, year: int, fillfactor: int) -> None:
    """Make a table and attach it: unlike CREATE … PARTITION OF, this lets others read and write meanwhile."""
    partition = f"{table}_{year:d}"
    cursor.execute("SELECT to_regclass(%s)", [partition])
    if cursor.fetchone() == (None,):
        storage = f"WITH (fillfactor = {fillfactor:d})"
        cursor.execute(f"CREATE TABLE {partition} (LIKE {table} INCLUDING ALL) {storage}")
        cursor.execute(f"ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES IN ({year:d})")


@transaction.atomic
def freeze_run(year: int, *, now: datetime) -> int:
    """Close the year's open run and archive part and open the next ones. Returns the number of the closed run.

    What workers count from here on belongs to the next run. Waits for those that are counting.
    """
    row = lock_year(year)
    close_part(row, now=now)
    closed = row.open_run
    row.open_run += 1
    row.save(update_fields=["open_run"])
    return closed
