"""Counting a year anew: all its totals from its entries, as they are or as they would be under another scheme."""

from collections.abc import Callable
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple

from django.db import connection, transaction

from apps.accruals.measuring import Measure, measure_of
from apps.accruals.models import TEST_RUN
from apps.accruals.operations.archiving import lock_year
from apps.accruals.queries import lines_by_resident
from apps.accruals.tallies import rebuilt
from apps.audit.operations import record_event
from apps.kernel.database import Cursor, raw_connection
from apps.kernel.errors import KanpuError
from apps.schemes.document import Scheme
from apps.schemes.models import SchemeVersion, TaxYear
from apps.schemes.purchase_rule import shares_of_month
from apps.schemes.queries import check_kept, tax_year

RESIDENTS_A_CHUNK: Final = 5_000
LAST_RUN: Final = 2**15 - 1
COLUMNS: Final = "resident_ref, tax_year, run, tier, amounts_minor, purchases, bases_minor"
TYPES: Final = ("uuid", "int2", "int2", "text", "int8[]", "int4[]", "int8[]")
# A total that is missing counts as one at nothing.
DIFFERENCES: Final = """
SELECT count(*) FROM (SELECT * FROM accruals_total WHERE tax_year = %s) AS o
FULL JOIN recounted AS n ON (n.resident_ref, n.run, n.tier) = (o.resident_ref, o.run, o.tier)
CROSS JOIN (SELECT array_fill(0, ARRAY[12])::int8[]) AS z (ero)
WHERE coalesce(o.amounts_minor, ero) <> coalesce(n.amounts_minor, ero)
   OR coalesce(o.purchases, ero::int4[]) <> coalesce(n.purchases, ero::int4[])
   OR coalesce(o.bases_minor, ero) <> coalesce(n.bases_minor, ero)
"""
# Also what was returned or voided: the second assessment reads every entry.
BOUGHT: Final = """
SELECT DISTINCT tier, month FROM accruals_entry, unnest(tiers) AS tier WHERE tax_year = %s ORDER BY month, tier
"""


class SchemeDoesNotFit(KanpuError):
    """The year cannot be counted under this scheme: other days, another currency, or no rate for what was bought."""

    code = "scheme_does_not_fit"


class Recount(NamedTuple):
    """How many residents and totals a year has, and how many totals differ from those that were there."""

    residents: int
    totals: int
    differences: int


@transaction.atomic
def recount_year(
    year: int, *, version: SchemeVersion, now: datetime, actor: str, seen: Callable[[int], None], dry_run: bool
) -> Recount:
    """Build all totals of a year from its entries, run by run, as they are under `version`, and put the year under it.

    Counting waits meanwhile. With the scheme that the year has, no total should differ. `seen` is told how many
    residents are done; with `dry_run` nothing is changed. The caller makes sure that no run was assessed under another
    scheme. Raises YearNotStarted, YearErased, and SchemeDoesNotFit naming tier and month.
    """
    check_kept(tax_year(year))  # a year that was not started, or is erased, is said first
    row, scheme = lock_year(year), version.scheme()
    _check_days_and_money(row, scheme)
    with connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        cursor.execute("CREATE TEMPORARY TABLE recounted (LIKE accruals_total) ON COMMIT DROP")
        residents = _rebuild(cursor, year, measure_of(scheme, year), seen)
        _check_rates(cursor, scheme, year)
        recount = Recount(
            residents, _number(cursor, "SELECT count(*) FROM recounted"), _number(cursor, DIFFERENCES, year)
        )
        if not dry_run:
            cursor.execute("DELETE FROM accruals_total WHERE tax_year = %s", (year,))
            cursor.execute(
                f"INSERT INTO accruals_total ({COLUMNS}) SELECT {COLUMNS} FROM recounted ORDER BY resident_ref"
            )
        cursor.execute("DROP TABLE recounted")
    if not dry_run:
        _record(row, version, recount, now, actor)
    return recount


def _check_days_and_money(row: TaxYear, scheme: Scheme) -> None:
    """Entries have their month and their minor units for good."""
    old = row.scheme_version.scheme()
    for name in ("time_zone", "currency", "minor_unit_digits"):
        if getattr(scheme, name) != getattr(old, name):
            raise SchemeDoesNotFit(
                f"The purchases of {row.year} were counted with {name} {getattr(old, name)}, the scheme {scheme.code}"
                f" has {getattr(scheme, name)}. Take a scheme with the same."
            )


def _rebuild(cursor: Cursor, year: int, measure: Measure | None, seen: Callable[[int], None]) -> int:
    """Fill the scratch table, some residents at a time. Returns how many there are."""
    rows = (
        [
            (ref, year, run, tier, total.amounts_minor, total.purchases, total.bases_minor)
            for (run, tier), total in rebuilt(lines, measure).items()
        ]
        for ref, lines in lines_by_resident(year, runs=(TEST_RUN, LAST_RUN))
    )
    residents = 0
    while chunk := list(islice(rows, RESIDENTS_A_CHUNK)):
        with cursor.copy(f"COPY recounted ({COLUMNS}) FROM STDIN (FORMAT binary)") as copy:
            copy.set_types(TYPES)
            for of_one in chunk:
                for row in of_one:
                    copy.write_row(row)
        residents += len(chunk)
        seen(residents)
    return residents


def _check_rates(cursor: Cursor, scheme: Scheme, year: int) -> None:
    known = {(tier, month) for month in range(1, 13) for tier in shares_of_month(scheme, year, month)}
    missing = [place for place in cursor.execute(BOUGHT, (year,)) if tuple(place) not in known]
    if missing:
        places = ", ".join(f"{tier} in month {month}" for tier, month in missing)
        raise SchemeDoesNotFit(f"The scheme {scheme.code} has no rate for what was bought in {year}: {places}.")


def _number(cursor: Cursor, statement: str, *values: int) -> int:
    row = cursor.execute(statement, values).fetchone()
    return int(row[0]) if row else 0


def _record(row: TaxYear, version: SchemeVersion, recount: Recount, now: datetime, actor: str) -> None:
    detail = {"from": str(row.scheme_version), "to": str(version), **recount._asdict()}
    row.scheme_version = version
    row.save(update_fields=["scheme_version"])
    record_event(at=now, actor=actor, action="year.recount", subject=str(row.year), detail=detail)
