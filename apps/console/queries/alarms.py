"""The alarms, for auditors: what looks wrong, the newest first, and what one of them is made of."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.core.paginator import Page, Paginator
from django.db.models import Count, Max, Q, QuerySet
from django.db.models.functions import ExtractYear
from django.utils import timezone

from apps.accruals.models import Entry
from apps.audit.models import Alarm
from apps.inspections.alarm_rules import Rule, rule_of
from apps.inspections.models import AlarmFinding, AlarmLook, AlarmRecord, AlarmReview, AlarmSearch
from apps.inspections.queries.alarm_rules import shipped_rules
from apps.merchants.models import Merchant, Terminal
from apps.residents.models import Resident
from apps.schemes.document import Scheme, Words
from apps.schemes.models import TaxYear
from apps.schemes.queries import scheme_of

ALARMS_A_PAGE: Final = 50
NEW: Final = "new"
STATES: Final = (NEW, *AlarmReview.State.values)


class Measured(NamedTuple):
    """A threshold or something measured, in words: money is minor units, a number a count, everything else text."""

    words: Words
    value: Any
    is_money: bool


class Subject(NamedTuple):
    """What an alarm is about: a terminal, a merchant, a resident, and the name of the first two."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class AlarmRow:
    """An alarm in words. `detail` are the particulars of one that was raised at once, as (name, value)."""

    alarm: Alarm
    title: Words
    subject: Subject | None
    state: str
    detail: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class AlarmsPage:
    """One page of alarms; how many there are of each kind, of the years that they are of."""

    rows: tuple[AlarmRow, ...]
    page: "Page[Alarm]"
    kinds: tuple[tuple[str, Words, int], ...]
    years: tuple[int, ...]


class Searched(NamedTuple):
    """The look that was asked for last, whether it is done or not, and when any rule looked last."""

    search: AlarmSearch | None
    looked_at: datetime | None

    @property
    def at_work(self) -> bool:
        """Whether it waits for a worker, or one is at it."""
        return self.search is not None and self.search.finished_at is None


class RecordRow(NamedTuple):
    """A record that caused an alarm: where, when, whose, how much; `gap_s` since the one before, where it is later.

    What is gone has no time.
    """

    terminal_id: int
    seq: int
    terminal: str
    resident_ref: UUID | None
    at: datetime | None
    kind: str
    amount_minor: int
    gap_s: int | None


@dataclass(frozen=True, slots=True)
class AlarmPage:
    """An alarm with its rule and what was measured; what is a resident's is shown for a purpose only."""

    row: AlarmRow
    rule: Rule
    finding: AlarmFinding | None
    review: AlarmReview | None
    thresholds: tuple[Measured, ...]
    measured: tuple[Measured, ...]
    scheme: Scheme | None
    refs: tuple[UUID, ...]


def alarms_page(*, kind: str, year: int | None, state: str, page: str | None) -> AlarmsPage:
    """The alarms of a kind, a year and a state, each or all: a constant number of queries."""
    of_year = _of_year(Alarm.objects.all(), year)
    chosen = _in_state(of_year.filter(kind=kind) if kind else of_year, state)
    ordered = chosen.select_related("finding", "review").order_by("-raised_at", "-pk")
    found = Paginator(ordered, ALARMS_A_PAGE).get_page(page)
    counts = _in_state(of_year, state).values_list("kind").annotate(count=Count("pk")).order_by("kind")
    alarms = list(found.object_list)
    subjects = _subjects(alarm.finding.subject for alarm in alarms if _finding_of(alarm))
    return AlarmsPage(
        rows=tuple(_row(alarm, subjects) for alarm in alarms),
        page=found,
        kinds=tuple((code, title_of(code), count) for code, count in counts),
        years=_years(),
    )


def alarm_page(alarm: Alarm) -> AlarmPage:
    """One alarm, its rule as it was, and the residents whose records caused it."""
    finding = _finding_of(alarm)
    rule = rule_of(finding.rule.document) if finding else shipped_rule(alarm.kind)
    scheme = scheme_of(TaxYear.objects.get(pk=finding.tax_year).scheme_version_id) if finding else None
    subjects = _subjects([finding.subject] if finding else [])
    return AlarmPage(
        row=_row(alarm, subjects),
        rule=rule,
        finding=finding,
        review=AlarmReview.objects.filter(pk=alarm.pk).select_related("case").first(),
        thresholds=in_words(rule, rule.thresholds),
        measured=in_words(rule, finding.measured if finding else {}),
        scheme=scheme,
        refs=_refs(alarm, finding),
    )


def searched() -> Searched:
    """When auditors' rules looked last, and what was asked for: two queries."""
    looked_at = AlarmLook.objects.aggregate(last=Max("looked_at"))["last"]
    return Searched(AlarmSearch.objects.order_by("-pk").first(), looked_at)


def records_of(alarm: Alarm, finding: AlarmFinding) -> list[RecordRow]:
    """The records kept of an alarm, by their place, with what the entries say of them: two queries."""
    kept = list(AlarmRecord.objects.filter(alarm=alarm).order_by("position"))
    entries = Entry.objects.filter(
        tax_year=finding.tax_year, terminal_id__in={r.terminal_id for r in kept}, seq__in={r.seq for r in kept}
    )
    of_key = {(entry.terminal_id, entry.seq): entry for entry in entries}
    codes = dict(Terminal.objects.filter(pk__in={r.terminal_id for r in kept}).values_list("pk", "code"))
    found = [of_key.get((row.terminal_id, row.seq)) for row in kept]
    return [_record(*of_row, codes) for of_row in zip(kept, found, [None, *found], strict=False)]


def protected_among(refs: Iterable[UUID]) -> set[UUID]:
    """Those whom only named officers may open: one query."""
    return set(Resident.objects.filter(pk__in=list(refs), is_protected=True).values_list("pk", flat=True))


def title_of(code: str) -> Words:
    """What a rule is called; a code without a rule is its own name."""
    return shipped_rule(code).title


def shipped_rule(code: str) -> Rule:
    """The rule of a code as it is shipped."""
    plain = Rule(code=code, title=Words(code, code), explanation=Words("", ""), period="at_once")
    return next((rule for rule in shipped_rules() if rule.code == code), plain)


def in_words(rule: Rule, values: dict[str, Any]) -> tuple[Measured, ...]:
    """Thresholds or measured values, by the order of the rule's words."""
    return tuple(Measured(rule.words[name], values[name], name.endswith("_minor")) for name in in_order(rule, values))


def in_order(rule: Rule, values: Iterable[str]) -> list[str]:
    """The names that the rule has words for, in the order of its file: what is stored keeps none."""
    order = list(shipped_rule(rule.code).words)
    known = {name for name in values if name in rule.words}
    return sorted(known, key=lambda name: (order.index(name) if name in order else len(order), name))


def _of_year(alarms: "QuerySet[Alarm]", year: int | None) -> "QuerySet[Alarm]":
    if year is None:
        return alarms
    return alarms.filter(Q(finding__tax_year=year) | Q(finding=None, raised_at__year=year))


def _in_state(alarms: "QuerySet[Alarm]", state: str) -> "QuerySet[Alarm]":
    if state not in STATES:
        return alarms
    return alarms.filter(review=None) if state == NEW else alarms.filter(review__state=state)


def _years() -> tuple[int, ...]:
    searched = set(AlarmFinding.objects.values_list("tax_year", flat=True).distinct())
    at_once = Alarm.objects.filter(finding=None).annotate(
        year=ExtractYear("raised_at", tzinfo=timezone.get_current_timezone())
    )
    return tuple(sorted(searched | set(at_once.values_list("year", flat=True).distinct()), reverse=True))


def _finding_of(alarm: Alarm) -> AlarmFinding | None:
    return getattr(alarm, "finding", None)


def _row(alarm: Alarm, subjects: dict[str, Subject]) -> AlarmRow:
    finding, review = _finding_of(alarm), getattr(alarm, "review", None)
    detail: dict[str, Any] = {} if finding else alarm.detail
    return AlarmRow(
        alarm,
        title_of(alarm.kind),
        subjects[finding.subject] if finding else None,
        review.state if review else NEW,
        tuple((name, _words(value)) for name, value in detail.items()),
    )


def _subjects(named: Iterable[str]) -> dict[str, Subject]:
    """Terminals by code and merchants by name; residents stay unnamed. Two queries at most."""
    parts = {name: name.partition(":") for name in named}
    ids: dict[str, list[int]] = {"terminal": [], "merchant": []}
    for kind, _, number in parts.values():
        if kind in ids:
            ids[kind].append(int(number))
    names = {
        "terminal": dict(Terminal.objects.filter(pk__in=ids["terminal"]).values_list("pk", "code")),
        "merchant": dict(Merchant.objects.filter(pk__in=ids["merchant"]).values_list("pk", "name")),
    }
    return {
        name: Subject(kind, names[kind].get(int(number), number) if kind in names else "")
        for name, (kind, _, number) in parts.items()
    }


def _refs(alarm: Alarm, finding: AlarmFinding | None) -> tuple[UUID, ...]:
    of_records = AlarmRecord.objects.filter(alarm=alarm, resident_ref__isnull=False)
    refs = [*of_records.values_list("resident_ref", flat=True), finding.resident_ref if finding else None]
    return tuple(sorted({ref for ref in refs if ref}))


def _record(row: AlarmRecord, entry: Entry | None, before: Entry | None, codes: dict[int, str]) -> RecordRow:
    amount = sum(entry.amounts_minor) if entry else 0
    at, kind = (entry.at, entry.kind) if entry else (None, "")
    code = codes.get(row.terminal_id, str(row.terminal_id))
    gap_s = int((entry.at - before.at).total_seconds()) if entry and before and entry.at >= before.at else None
    return RecordRow(row.terminal_id, row.seq, code, row.resident_ref, at, kind, amount, gap_s)


def _words(value: Any) -> str:
    """A particular as people read it: amounts per tier with their thousands apart."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {amount:,}" for name, amount in value.items()) or "0"
    return str(value)
