"""Erasing a year's purchases and entries at its retention date, with shops and times, the archive's files included.

Totals stay. From the first moment on the year counts as erased, and nothing of it is settled any more. Then it is done
lane by lane, each in one transaction, and the partitions go last: so one that died goes on where it stopped.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple

from django.conf import settings
from django.db import connection, transaction

from apps.accruals.models import ArchivePart, Withheld
from apps.accruals.operations.archiving import lock_year
from apps.accruals.operations.posting import Cursor
from apps.audit.operations import record_event
from apps.purchases.lanes import LANES
from apps.purchases.models import Claim, Closing
from apps.purchases.store import raw_connection
from apps.schemes.models import TaxYear

TABLES: Final = ("accruals_entry", "purchases_purchase")  # the purchases last: whether they are there says what is left
STEPS: Final = LANES + 2  # the lanes, the files, the partitions
COUNTS: Final = """
SELECT (SELECT count(*) FROM purchases_purchase WHERE tax_year = %(year)s),
       (SELECT count(*) FROM accruals_entry WHERE tax_year = %(year)s),
       (SELECT count(*) FROM accruals_withheld WHERE tax_year = %(year)s)
"""
# A sale that its shop moved to a year that is kept stays until that year's date.
KEEP_MOVED: Final = """
WITH moved AS (
    SELECT f.of_terminal_id AS terminal_id, f.of_seq AS seq, max(b.tax_year) AS tax_year
    FROM purchases_followup f JOIN LATERAL (
        SELECT tax_year FROM accruals_entry e WHERE (e.terminal_id, e.seq) = (f.terminal_id, f.seq)
        UNION ALL SELECT tax_year FROM accruals_entry e WHERE (e.terminal_id, e.seq) = (f.of_terminal_id, f.of_seq)
        UNION ALL SELECT tax_year FROM accruals_withheld w WHERE (w.terminal_id, w.seq) = (f.of_terminal_id, f.of_seq)
    ) b ON true JOIN schemes_taxyear t ON t.year = b.tax_year AND t.erased_at IS NULL
    WHERE f.of_lane = %(lane)s AND split_part(f.line, E'\\n', 6) LIKE '%%@%%'
    GROUP BY f.of_terminal_id, f.of_seq
), kept AS (
    UPDATE purchases_purchase p SET tax_year = m.tax_year FROM moved m
    WHERE p.lane = %(lane)s AND p.tax_year = %(year)s AND (p.terminal_id, p.seq) = (m.terminal_id, m.seq)
)
INSERT INTO kept_sales SELECT terminal_id, seq FROM moved
"""
SALES: Final = """
INSERT INTO erased_records SELECT terminal_id, seq FROM purchases_purchase WHERE lane = %(lane)s AND tax_year = %(year)s
"""
# A refused record's year is that of its time, if it says one, or the one in which it counted after it was mended.
REFUSED: Final = """
WITH dated AS (
    SELECT terminal_id, identity, seq, received_at,
           CASE WHEN has_line THEN split_part(convert_from(record, 'UTF8'), E'\\n', 2) END AS at
    FROM purchases_rejection WHERE lane = %(lane)s
), of_year AS (
    SELECT terminal_id, identity FROM dated d
    WHERE (CASE WHEN at ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]' AND pg_input_is_valid(at, 'timestamptz')
                THEN at::timestamptz ELSE received_at END <@ tstzrange(%(starts_at)s, %(ends_at)s)
           OR EXISTS (SELECT FROM accruals_entry e
                      WHERE e.tax_year = %(year)s AND (e.terminal_id, e.seq) = (d.terminal_id, d.seq)))
        AND NOT EXISTS (SELECT FROM kept_sales k WHERE (k.terminal_id, k.seq) = (d.terminal_id, d.seq))
), erased AS (
    DELETE FROM purchases_rejection r USING of_year y
    WHERE r.lane = %(lane)s AND (r.terminal_id, r.identity) = (y.terminal_id, y.identity)
    RETURNING r.terminal_id, r.seq, r.spends_seq
)
INSERT INTO erased_records SELECT terminal_id, seq FROM erased WHERE spends_seq
"""
OUTCOMES: Final = """
DELETE FROM purchases_outcome o USING erased_records e
WHERE o.lane = %(lane)s AND (o.terminal_id, o.seq) = (e.terminal_id, e.seq)
"""
FOLLOWUPS: Final = """
DELETE FROM purchases_followup f USING erased_records e
WHERE f.of_lane = %(lane)s AND (f.of_terminal_id, f.of_seq) = (e.terminal_id, e.seq)
"""


class Erasure(NamedTuple):
    """What of a year is to be erased."""

    purchases: int
    entries: int
    withheld: int
    files: int


def to_be_erased(year: int) -> Erasure:
    """What is there of a year that would be erased; nothing once it is."""
    if not _is_there(TABLES[-1], year):
        return Erasure(0, 0, 0, 0)
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, {"year": year})
        purchases, entries, withheld = cursor.fetchall()[0]
    parts = ArchivePart.objects.filter(tax_year=year, erased_at=None)
    return Erasure(purchases, entries, withheld, sum(len(part.files) for part in parts))


def has_uncounted(year: int) -> bool:
    """Whether purchases of a year wait to be counted, those set aside included."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM purchases_batch b JOIN purchases_purchase p ON p.lane = b.lane"
            " AND p.batch_id = b.id WHERE b.counted_at IS NULL AND p.tax_year = %s)",
            [year],
        )
        return bool(cursor.fetchone() == (True,))


def erase_purchases(year: int, *, now: datetime, actor: str, seen: Callable[[int, int], None]) -> Erasure:
    """Erase a year's purchases and all that tells shops and times, in the archive too. Returns what there was.

    Whoever calls makes sure that it is time. What died half-way goes on; once all is erased nothing is done. `seen` is
    told how many steps are done, of how many.
    """
    found = to_be_erased(year)
    if not _is_there(TABLES[-1], year):
        return found
    row = _begin(year, found, now, actor)
    for lane in range(LANES):
        _erase_lane({"lane": lane, "year": year, "starts_at": row.starts_at, "ends_at": row.ends_at})
        seen(lane + 1, STEPS)
    Withheld.objects.filter(tax_year=year).delete()
    Claim.objects.filter(tax_year=year).delete()
    Closing.objects.filter(tax_year=year, recorded=None).delete()  # what it would be compared with is gone
    _erase_files(year, now)
    seen(LANES + 1, STEPS)
    for table in TABLES:
        _drop(table, year)
    record_event(at=now, actor=actor, action="year.erased", subject=str(year), detail={})
    seen(STEPS, STEPS)
    return found


@transaction.atomic
def _begin(year: int, found: Erasure, now: datetime, actor: str) -> TaxYear:
    """Have nothing of the year settled any more from here on."""
    row = lock_year(year)
    if row.erased_at is None:
        row.erased_at = now
        row.save(update_fields=["erased_at"])
        record_event(at=now, actor=actor, action="year.erase", subject=str(year), detail=found._asdict())
    return row


def _erase_lane(place: dict[str, object]) -> None:
    with transaction.atomic(), connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        for table in ("kept_sales", "erased_records"):
            cursor.execute(f"CREATE TEMPORARY TABLE {table} (terminal_id int4, seq int4) ON COMMIT DROP")
        for statement in (KEEP_MOVED, SALES, REFUSED, OUTCOMES, FOLLOWUPS):
            cursor.execute(statement, place)


def _erase_files(year: int, now: datetime) -> None:
    """Delete all files of entries, damaged ones that were moved aside included; the register's snapshots stay."""
    for path in (settings.KANPU_ARCHIVE / str(year)).glob("run-*/month-*.parquet*"):
        path.unlink()
    ArchivePart.objects.filter(tax_year=year, erased_at=None).update(erased_at=now, erased=0)


def _is_there(table: str, year: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{table}_{year:d}"])
        return bool(cursor.fetchone() == (True,))


def _drop(table: str, year: int) -> None:
    """Take a partition off its table, which nobody waits for, and drop it."""
    partition = f"{table}_{year:d}"
    if not _is_there(table, year):
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = %s::regclass", [partition])
        attached = cursor.fetchone()
        if attached:
            how = "FINALIZE" if attached == (True,) else "CONCURRENTLY"
            cursor.execute(f"ALTER TABLE {table} DETACH PARTITION {partition} {how}")
        cursor.execute(f"DROP TABLE {partition}")
