"""Erasing a year's purchases and entries at its retention date, with shops and times, the archive's files included.

Totals stay. From the first moment on the year counts as erased, and nothing of it is settled any more. Then it is done
lane by lane, each in one transaction, and the partitions go last: so one that died goes on where it stopped.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from django.conf import settings
from django.db import OperationalError, connection, transaction

from apps.accruals.models import ArchivePart, Entry, Withheld
from apps.accruals.operations.archiving import lock_year
from apps.accruals.operations.forgetting import forget_disputes_of_year
from apps.audit.operations import record_event
from apps.kernel.database import Cursor, raw_connection
from apps.purchases.following import Key
from apps.purchases.lanes import LANES
from apps.purchases.models import Claim, Closing, Purchase
from apps.schemes.models import TaxYear
from apps.schemes.queries import kept_years

TABLES: Final = ("accruals_entry", "purchases_purchase")  # the purchases last: whether they are there says what is left
STEPS: Final = LANES + 2  # the lanes, the files, the partitions
# Sales that a correction gave another time, each with the number that the correction has.
MOVED: Final = """
SELECT of_terminal_id, of_seq, terminal_id, seq FROM purchases_followup
WHERE of_lane = %(lane)s AND split_part(line, E'\\n', 6) LIKE '%%@%%'
"""
YEARS: Final = """
SELECT e.terminal_id, e.seq, max(e.tax_year)
FROM {table} e JOIN unnest(%(terminals)s::int4[], %(seqs)s::int4[]) AS k (terminal_id, seq)
    ON k.terminal_id = e.terminal_id AND k.seq = e.seq
WHERE e.tax_year = ANY(%(kept)s::int2[]) GROUP BY e.terminal_id, e.seq
"""
MOVE: Final = """
UPDATE purchases_purchase p SET tax_year = k.tax_year
FROM unnest(%(terminals)s::int4[], %(seqs)s::int4[], %(years)s::int2[]) AS k (terminal_id, seq, tax_year)
WHERE p.lane = %(lane)s AND p.tax_year = %(year)s AND (p.terminal_id, p.seq) = (k.terminal_id, k.seq)
"""
# A refused record's year is that of its time, if it says one, or the one in which it counted after it was mended.
MENDED: Final = """
SELECT r.terminal_id, r.seq FROM purchases_rejection r
WHERE r.lane = %(lane)s AND r.seq IS NOT NULL AND EXISTS (
    SELECT FROM purchases_followup f
    WHERE f.of_lane = %(lane)s AND (f.of_terminal_id, f.of_seq) = (r.terminal_id, r.seq))
"""
REFUSED: Final = """
WITH dated AS (
    SELECT terminal_id, identity, seq, received_at,
           CASE WHEN has_line THEN split_part(convert_from(record, 'UTF8'), E'\\n', 2) END AS at
    FROM purchases_rejection WHERE lane = %(lane)s
), of_year AS (
    SELECT terminal_id, identity FROM dated d
    WHERE (CASE WHEN at ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]' AND pg_input_is_valid(at, 'timestamptz')
                THEN at::timestamptz ELSE received_at END <@ tstzrange(%(starts_at)s, %(ends_at)s)
           OR EXISTS (SELECT FROM unnest(%(terminals)s::int4[], %(seqs)s::int4[]) AS c (terminal_id, seq)
                      WHERE (c.terminal_id, c.seq) = (d.terminal_id, d.seq)))
        AND NOT EXISTS (SELECT FROM unnest(%(kept_terminals)s::int4[], %(kept_seqs)s::int4[]) AS k (terminal_id, seq)
                        WHERE (k.terminal_id, k.seq) = (d.terminal_id, d.seq))
)
DELETE FROM purchases_rejection r USING of_year y
WHERE r.lane = %(lane)s AND (r.terminal_id, r.identity) = (y.terminal_id, y.identity)
RETURNING r.terminal_id, r.seq, r.spends_seq
"""
# What became of the year's sales and of its refused records, and what was filed under them.
WHAT_FOLLOWED: Final = (
    ("purchases_outcome", "lane", "terminal_id", "seq"),
    ("purchases_followup", "of_lane", "of_terminal_id", "of_seq"),
)
OF_SALES: Final = """
DELETE FROM {table} o WHERE o.{lane} = %(lane)s AND EXISTS (
    SELECT FROM purchases_purchase p
    WHERE p.lane = %(lane)s AND p.tax_year = %(year)s AND (p.terminal_id, p.seq) = (o.{terminal_id}, o.{seq}))
"""
OF_REFUSED: Final = """
DELETE FROM {table} o USING unnest(%(terminals)s::int4[], %(seqs)s::int4[]) AS k (terminal_id, seq)
WHERE o.{lane} = %(lane)s AND (o.{terminal_id}, o.{seq}) = (k.terminal_id, k.seq)
"""
DROP_WITHIN_S: Final = 600
DROP_PAUSE_S: Final = 1
DROP_WAITS: Final = "1s"


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
    purchases, entries, withheld = (rows.objects.filter(tax_year=year).count() for rows in (Purchase, Entry, Withheld))
    parts = ArchivePart.objects.filter(tax_year=year, erased_at=None)
    return Erasure(purchases, entries, withheld, sum(len(part.files) for part in parts))


def has_uncounted(year: int) -> bool:
    """Whether purchases of a year wait to be counted, those set aside included."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT b.id FROM purchases_batch b JOIN purchases_purchase p ON p.lane = b.lane"
            " AND p.batch_id = b.id WHERE b.counted_at IS NULL AND p.tax_year = %s LIMIT 1",
            [year],
        )
        return cursor.fetchone() is not None


def erase_purchases(year: int, *, now: datetime, actor: str, seen: Callable[[int, int], None]) -> Erasure:
    """Erase a year's purchases and all that tells shops and times, in the archive too. Returns what there was.

    Whoever calls makes sure that it is time. What died half-way goes on; once all is erased nothing is done. `seen` is
    told how many steps are done, of how many.
    """
    found = to_be_erased(year)
    if not _is_there(TABLES[-1], year):
        return found
    row = _begin(year, found, now, actor)
    kept = kept_years()
    for lane in range(LANES):
        _erase_lane({"lane": lane, "year": year, "starts_at": row.starts_at, "ends_at": row.ends_at}, kept)
        seen(lane + 1, STEPS)
    Withheld.objects.filter(tax_year=year).delete()
    forget_disputes_of_year(year)
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


def _erase_lane(place: dict[str, object], kept: Sequence[int]) -> None:
    with transaction.atomic(), connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        moved = _keep_moved(cursor, place, kept)
        counted = _years(
            cursor, "accruals_entry", [Key(*row) for row in cursor.execute(MENDED, place)], [place["year"]]
        )
        stay = {"kept_terminals": [key.terminal_id for key in moved], "kept_seqs": [key.seq for key in moved]}
        refused = cursor.execute(REFUSED, place | stay | _named(counted)).fetchall()
        spent = _named([Key(terminal_id, seq) for terminal_id, seq, spends_seq in refused if spends_seq])
        for table, lane, terminal_id, seq in WHAT_FOLLOWED:
            columns = {"table": table, "lane": lane, "terminal_id": terminal_id, "seq": seq}
            cursor.execute(OF_SALES.format(**columns), place)
            cursor.execute(OF_REFUSED.format(**columns), place | spent)


def _keep_moved(cursor: Cursor, place: dict[str, object], kept: Sequence[int]) -> dict[Key, int]:
    """Have sales stay that their shop moved to a year that is kept, until that year's date. Returns each one's year."""
    by: dict[Key, set[Key]] = defaultdict(set)  # the numbers that entries of a sale stand under
    for of_terminal_id, of_seq, *own in cursor.execute(MOVED, place):
        sale = Key(of_terminal_id, of_seq)
        by[sale] |= {sale, Key(*own)}
    entries = _years(cursor, "accruals_entry", {key for keys in by.values() for key in keys}, kept)
    withheld = _years(cursor, "accruals_withheld", by, kept)
    years = {sale: max(withheld.get(sale, 0), *(entries.get(key, 0) for key in keys)) for sale, keys in by.items()}
    moved = {sale: year for sale, year in years.items() if year}
    if moved:
        cursor.execute(MOVE, place | _named(moved) | {"years": list(moved.values())})
    return moved


def _years(cursor: Cursor, table: str, keys: Collection[Key], years: Sequence[object]) -> dict[Key, int]:
    """The last of these years in which each record has a row in a table of residents."""
    if not keys:
        return {}
    rows = cursor.execute(YEARS.format(table=table), _named(keys) | {"kept": years})
    return {Key(terminal_id, seq): year for terminal_id, seq, year in rows}


def _named(keys: Collection[Key]) -> dict[str, object]:
    return {"terminals": [key.terminal_id for key in keys], "seqs": [key.seq for key in keys]}


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
    """Drop a partition. That locks its table for a moment, for which nobody has to wait longer than DROP_WAITS."""
    give_up_s = time.monotonic() + DROP_WITHIN_S
    while _is_there(table, year):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{DROP_WAITS}'")
                cursor.execute(f"DROP TABLE {table}_{year:d}")
        except OperationalError:
            if time.monotonic() > give_up_s:
                raise
            time.sleep(DROP_PAUSE_S)
