"""Looking for alarms: each rule's search over what was counted since it looked last."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple

from django.db import connection, transaction

from apps.audit.models import Alarm
from apps.audit.operations import Cause, raise_alarms
from apps.inspections.models import AlarmFinding, AlarmLook, AlarmRecord
from apps.inspections.operations.alarm_rules import load_rules
from apps.inspections.queries.alarm_rules import AlarmRuleUnknown, InForce, rules_in_force
from apps.inspections.queries.detecting import MOST, Detected, Found, Span, detect, touched_since, whole_year
from apps.kernel.progress import Seen, nothing_seen
from apps.schemes.models import TaxYear
from apps.schemes.queries import check_kept, kept_years, tax_year

LOCK: Final = 7_318_002
# Records go with the entries that they name: withdrawn by the resident, or erased with their year.
FORGET: Final = """
DELETE FROM inspections_alarmrecord r
WHERE NOT EXISTS (SELECT FROM accruals_entry e WHERE e.terminal_id = r.terminal_id AND e.seq = r.seq)
"""


class Looked(NamedTuple):
    """What a rule's look raised, or would raise, and how many more it leaves to the next."""

    code: str
    raised: int
    more: int
    keys: tuple[str, ...]


def find_alarms(
    year: int, *, codes: Sequence[str] = (), dry_run: bool = False, at: datetime, actor: str, seen: Seen = nothing_seen
) -> list[Looked]:
    """Look at a year by each rule that is on, or by those named, and raise an alarm for each new cause.

    A rule that has looked before looks at the days of what was counted since, a rule that changed at all of the year; a
    rule over a year looks at all when anything was, one over returns at all returns. Again raises nothing new.
    `dry_run` looks at the whole year and writes nothing. Raises YearNotStarted, YearErased, AlarmRuleUnknown.
    """
    row = tax_year(year)
    check_kept(row)
    load_rules(at=at, actor=actor)
    chosen = _chosen(codes)
    looked = []
    for done, known in enumerate(chosen):
        seen(done, len(chosen))
        looked.append(_would_raise(known, row) if dry_run else _look(known, year, at=at))
    seen(len(chosen), len(chosen))
    return looked


def find_in_kept_years(*, at: datetime, actor: str, seen: Seen = nothing_seen) -> int:
    """Look at every year that is kept, and forget records that are no more. Returns how many alarms were raised.

    `seen` is told of rules in years.
    """
    years, raised = kept_years(), 0
    for before, year in enumerate(years):
        looked = find_alarms(year, at=at, actor=actor, seen=partial(_seen_in, seen, before, len(years)))
        raised += sum(rule.raised for rule in looked)
    with connection.cursor() as cursor:
        cursor.execute(FORGET)
    return raised


def _seen_in(seen: Seen, years_before: int, years: int, done: int, rules: int) -> None:
    seen(years_before * rules + done, years * rules)


def _chosen(codes: Sequence[str]) -> list[InForce]:
    searched = {code: known for code, known in rules_in_force().items() if known.rule.is_searched}
    if unknown := set(codes) - searched.keys():
        raise AlarmRuleUnknown(
            f"No rule is searched by the code {', '.join(sorted(unknown))}. There are: {', '.join(searched)}"
        )
    return [known for code, known in searched.items() if (code in codes if codes else known.row.is_on)]


def _would_raise(known: InForce, year: TaxYear) -> Looked:
    detected = detect(known.rule, year, whole_year(year), most=MOST)
    return _looked(known, detected)


def _looked(known: InForce, detected: Detected) -> Looked:
    return Looked(known.rule.code, len(detected.found), detected.more, tuple(found.key for found in detected.found))


@transaction.atomic
def _look(known: InForce, year: int, *, at: datetime) -> Looked:
    """One rule's look, in one transaction: what it raises and how far it looked."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK, year])
    row = tax_year(year)  # parts before its open one are complete
    last = AlarmLook.objects.filter(code=known.rule.code, tax_year=year).first()
    span = _span(known, row, last)
    detected = detect(known.rule, row, span) if span else Detected((), 0)
    _raise(known, year, detected.found, at=at)
    AlarmLook.objects.update_or_create(
        code=known.rule.code, tax_year=year,
        defaults={
            "rule": known.row, "looked_at": at, "left": detected.more,
            "part": last.part if detected.more and last else 1 if detected.more else row.open_part,
        },
    )  # fmt: skip
    return _looked(known, detected)


def _span(known: InForce, year: TaxYear, last: AlarmLook | None) -> Span | None:
    """What is to be looked at; None when nothing was counted since."""
    if last is None or last.rule_id != known.row.pk or last.left or known.rule.period == "returns":
        return whole_year(year)
    touched = touched_since(year, last.part)
    return whole_year(year) if touched and known.rule.period == "year" else touched


def _raise(known: InForce, year: int, found: Sequence[Found], *, at: datetime) -> None:
    code = known.rule.code
    raise_alarms([Cause(code, one.key, {"rule_version": known.row.version}) for one in found], at=at)
    alarms = dict(Alarm.objects.filter(kind=code, key__in=[one.key for one in found]).values_list("key", "pk"))
    AlarmFinding.objects.bulk_create(
        AlarmFinding(
            alarm_id=alarms[one.key], rule=known.row, tax_year=year, subject=one.subject,
            resident_ref=one.resident_ref, measured=one.measured, records=max(one.of_records, len(one.records)),
        )
        for one in found
    )  # fmt: skip
    AlarmRecord.objects.bulk_create(
        AlarmRecord(
            alarm_id=alarms[one.key], position=position, terminal_id=record.terminal_id, seq=record.seq,
            resident_ref=record.resident_ref,
        )
        for one in found
        for position, record in enumerate(one.records)
    )  # fmt: skip
