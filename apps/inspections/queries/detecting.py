"""Looking for what a rule describes: one statement a rule, `detectors/<code>.sql`, over a span of a year's purchases;
a rule about returns goes by what declared and reported sales differ by.

A detector gives key, subject, resident_ref, weight, measured, terminals, seqs, resident_refs: one row for each cause.
Of entries it reads the year's under runs, never what test cards bought.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from apps.audit.models import Alarm
from apps.inspections.alarm_rules import Rule
from apps.inspections.limits import basic_tiers, limits_minor
from apps.inspections.queries.declarations import Difference, Kinds, differences, newest_declarations
from apps.schemes.models import TaxYear
from apps.schemes.queries import scheme_of

DETECTORS: Final = Path(__file__).parent.parent / "detectors"
MOST: Final = 500  # alarms of one look
SHOWN: Final = 100  # records kept of an alarm
# Those that have no alarm yet, the heaviest first, and how many there are in all.
FRESH: Final = """
WITH found AS ({detector})
SELECT key, subject, resident_ref, measured, terminals[1:%(shown)s], seqs[1:%(shown)s], resident_refs[1:%(shown)s],
       coalesce(cardinality(seqs), 0), count(*) OVER ()
FROM found f WHERE NOT EXISTS (SELECT FROM audit_alarm a WHERE a.kind = %(code)s AND a.key = f.key)
ORDER BY weight DESC, key LIMIT %(most)s
"""
DAYS: Final = """
SELECT min(at), max(at) FROM accruals_entry WHERE tax_year = %(year)s AND run > 0 AND part >= %(part)s
"""


class Span(NamedTuple):
    """From the first moment to before the last."""

    since: datetime
    until: datetime


class RecordKey(NamedTuple):
    """A record that caused an alarm, and whose it is."""

    terminal_id: int
    seq: int
    resident_ref: UUID


@dataclass(frozen=True, slots=True)
class Found:
    """A cause of an alarm: `key` is the same whenever it is found again. `records` are the first of `of_records`."""

    key: str
    subject: str
    resident_ref: UUID | None
    measured: dict[str, Any]
    records: tuple[RecordKey, ...]
    of_records: int


@dataclass(frozen=True, slots=True)
class Detected:
    """What a detector found that has no alarm yet, the heaviest first, and how many more there are."""

    found: tuple[Found, ...]
    more: int


def whole_year(year: TaxYear) -> Span:
    """All of a year's purchases."""
    return Span(year.starts_at, year.ends_at)


def touched_since(year: TaxYear, part: int) -> Span | None:
    """The days, with a day on either side, of what was counted in the part or later; None when nothing was."""
    with connection.cursor() as cursor:
        cursor.execute(DAYS, {"year": year.year, "part": part})
        first, last = cursor.fetchone()
    if first is None:
        return None
    zone = _zone(year)
    return Span(_midnight(first.astimezone(zone).date(), -1, zone), _midnight(last.astimezone(zone).date(), 2, zone))


def detect(rule: Rule, year: TaxYear, span: Span, *, most: int = MOST) -> Detected:
    """What the rule's detector finds within the span: at most `most`, and how many more there are."""
    if rule.period == "returns":
        return _above_declared(rule, year, most)
    scheme = scheme_of(year.scheme_version_id)
    values: dict[str, Any] = {
        **rule.thresholds,
        "year": year.year,
        "zone": scheme.time_zone,
        "since": span.since,
        "until": span.until,
        "limits": limits_minor(scheme, year.year),
        "basic": basic_tiers(scheme, year.year),
        "code": rule.code,
        "shown": SHOWN,
        "most": most,
    }
    with connection.cursor() as cursor:
        cursor.execute(FRESH.format(detector=statement(rule.code)), values)
        rows = cursor.fetchall()
    found = tuple(_found(row) for row in rows)
    return Detected(found, rows[0][-1] - len(rows) if rows else 0)


def _above_declared(rule: Rule, year: TaxYear, most: int) -> Detected:
    kinds = Kinds(above=True, below=False, least_yen=rule.thresholds["least_yen"])
    least_permille = rule.thresholds["above_percent"] * 10
    above = [
        _declared(one) for one in differences(newest_declarations(year=year.year), kinds)
        if one.compared.difference_permille is None or one.compared.difference_permille >= least_permille
    ]  # fmt: skip
    known = Alarm.objects.filter(kind=rule.code, key__in=[one.key for one in above]).values_list("key", flat=True)
    fresh = [one for one in above if one.key not in set(known)]
    return Detected(tuple(fresh[:most]), max(len(fresh) - most, 0))


def _declared(difference: Difference) -> Found:
    """A rate of a return; a newer version of it is another cause."""
    declaration, compared = difference.declaration, difference.compared
    measured = {
        "rate": compared.rate, "declared_yen": compared.declared_yen, "reported_yen": compared.reported_yen,
        "closings_missing": difference.closings_missing,
    }  # fmt: skip
    key, subject = f"declaration:{declaration.pk}:{compared.rate}", f"merchant:{declaration.merchant_id}"
    return Found(key, subject, None, measured, records=(), of_records=0)


@cache
def statement(code: str) -> str:
    """A detector's SQL."""
    return (DETECTORS / f"{code}.sql").read_text("utf-8")


def _found(row: Sequence[Any]) -> Found:
    key, subject, resident_ref, measured, terminals, seqs, refs, of_records, _ = row
    records = tuple(dict.fromkeys(_records(terminals, seqs, refs)))
    return Found(key, subject, resident_ref, _parsed(measured), records, of_records)


def _records(terminals: list[int], seqs: list[int], refs: list[UUID]) -> Iterator[RecordKey]:
    return (RecordKey(*record) for record in zip(terminals or [], seqs or [], refs or [], strict=True))


def _parsed(measured: str | Mapping[str, Any]) -> dict[str, Any]:
    return dict(json.loads(measured) if isinstance(measured, str) else measured)


def _zone(year: TaxYear) -> ZoneInfo:
    return ZoneInfo(scheme_of(year.scheme_version_id).time_zone)


def _midnight(day: date, days_on: int, zone: ZoneInfo) -> datetime:
    return datetime.combine(day + timedelta(days=days_on), time(), zone)
