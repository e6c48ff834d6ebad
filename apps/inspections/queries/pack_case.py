"""What a pack of a case is made of: the case, what the trail has of it, and the records that its subject names."""

from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Q

from apps.accruals.models import Entry, Total
from apps.audit.models import Alarm
from apps.inspections.models import Case, Source
from apps.inspections.packs.content import Content
from apps.inspections.packs.tables import Table, document
from apps.inspections.queries.pack_log import events_in_log
from apps.inspections.queries.pack_records import PURCHASE, codes_of, moment, sha256_of, thread_tables, threads_of, told
from apps.inspections.queries.pack_refund import entries_table, sales_of, terminals_of, totals_table
from apps.merchants.models import Terminal
from apps.purchases.following import Key
from apps.purchases.lanes import lane_of
from apps.purchases.models import Closing

AT_ONCE: Final = 5_000
CLOSING: Final = ("terminal", "seq", "tax_year", "at", "reported", "recorded", "agrees")
NOTE: Final = ("record", "added_by", "added_at")
HELD: Final = (
    "terminal_number", "seq", "tax_year", "state", "told_by", "told_at", "reply_ends_at", "replied_at", "proposed_by",
    "approved_by", "decided_at", "decision",
)  # fmt: skip
OF_TERMINAL: Final = """
SELECT p.seq, p.line, b.received_at FROM purchases_purchase p
JOIN purchases_batch b ON b.lane = p.lane AND b.id = p.batch_id
WHERE p.lane = %s AND p.terminal_id = %s AND p.seq > %s ORDER BY p.seq LIMIT %s
"""


def resident_in(subject: str) -> UUID | None:
    """The resident whom a subject names, or None."""
    kind, _, named = subject.partition(":")
    return UUID(named) if kind == "resident" else None


def case_content(case: Case) -> Content:
    """A pack of a case. Where its subject is a resident, whoever calls has recorded the access."""
    log = events_in_log(Q(subject=f"case:{case.pk}") | Q(subject=case.subject, detail__case=case.number))
    return Content(
        kind="case",
        name=f"kanpu-evidence-case-{case.pk}",
        about={"case": case.pk, "subject": case.subject},
        documents=(("case.json", document(_facts(case))), *_source(case), *log.documents),
        tables=(*subject_tables(case.subject), *evidence_tables(case), log.table),
        summary={"case": case.pk, "subject": case.subject, "source": Source(case.source).label},
    )


def evidence_tables(case: Case) -> tuple[Table, ...]:
    """What auditors filed with a case, and what is held against purchases. Words stay out: they may name somebody."""
    notes = [(note.record, note.added_by, moment(note.added_at)) for note in case.notes.order_by("pk") if note.record]
    held = [
        (
            one.terminal_id, one.seq, one.tax_year, one.state, one.told_by, moment(one.told_at),
            moment(one.reply_ends_at), one.replied_at and moment(one.replied_at), one.proposed_by, one.approved_by,
            one.decided_at and moment(one.decided_at), one.decision_id,
        )
        for one in case.annulments.order_by("pk")
    ]  # fmt: skip
    return Table("evidence", NOTE, notes, form="jsonl"), Table("annulments", HELD, held, form="jsonl")


def subject_tables(subject: str) -> tuple[Table, ...]:
    """The records that a subject names; none where it names something else."""
    kind, _, named = subject.partition(":")
    return SUBJECTS[kind](named) if kind in SUBJECTS else ()


def _facts(case: Case) -> Mapping[str, Any]:
    return {
        "case": case.pk, "source": case.source, "source_id": case.source_id, "subject": case.subject,
        "opened_at": case.opened_at.isoformat(), "opened_by": case.opened_by, "assigned_to": case.assigned_to,
        "closed_at": case.closed_at and case.closed_at.isoformat(),
    }  # fmt: skip


def _source(case: Case) -> Iterator[tuple[str, bytes]]:
    """The alarm that a case was opened from. A title that was typed stays out: it may name somebody."""
    if case.source == Source.ALARM and (alarm := Alarm.objects.filter(pk=case.source_id or 0).first()):
        told = {"kind": alarm.kind, "key": alarm.key, "detail": alarm.detail, "raised_at": alarm.raised_at.isoformat()}
        yield "source.json", document(told)


def _of_resident(named: str) -> tuple[Table, ...]:
    ref = UUID(named)
    entries = list(Entry.objects.filter(resident_ref=ref).order_by("tax_year", "terminal_id", "seq", "at"))
    threads = threads_of(sales_of(entries))
    codes = codes_of(terminals_of(entries, threads.values()))
    totals = Total.objects.filter(resident_ref=ref).order_by("tax_year", "run", "tier")
    return *thread_tables(threads.values(), codes), entries_table(entries, codes), totals_table(totals)


def _of_purchase(named: str) -> tuple[Table, ...]:
    terminal_id, _, seq = named.partition("/")
    threads = threads_of({Key(int(terminal_id), int(seq))})
    return thread_tables(threads.values(), codes_of({int(terminal_id), *terminals_of((), threads.values())}))


def _of_terminal(named: str) -> tuple[Table, ...]:
    codes = codes_of({int(named)})
    purchases = Table("records/purchases", PURCHASE, _purchases(int(named), codes), form="jsonl")
    return purchases, _closings([int(named)], codes)


def _of_merchant(named: str) -> tuple[Table, ...]:
    codes = codes_of(set(Terminal.objects.filter(merchant_id=int(named)).values_list("pk", flat=True)))
    return (_closings(sorted(codes), codes),)


def _purchases(terminal_id: int, codes: Mapping[int, str]) -> Iterator[tuple[Any, ...]]:
    """All that a terminal sent and was taken, some thousands at a time."""
    last = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(OF_TERMINAL, [lane_of(terminal_id), terminal_id, last, AT_ONCE])
            rows = cursor.fetchall()
        for seq, line, received_at in rows:
            yield codes[terminal_id], seq, *told(line, received_at), "", sha256_of(line)
        if len(rows) < AT_ONCE:
            return
        last = rows[-1][0]


def _closings(terminal_ids: list[int], codes: Mapping[int, str]) -> Table:
    rows = [
        (codes[c.terminal_id], c.seq, c.tax_year, moment(c.at), c.reported, c.recorded, c.agrees)
        for c in Closing.objects.filter(lane__in={lane_of(pk) for pk in terminal_ids}, terminal_id__in=terminal_ids)
    ]
    return Table("records/closings", CLOSING, sorted(rows, key=itemgetter(0, 1)), form="jsonl")


SUBJECTS: Final[Mapping[str, Callable[[str], tuple[Table, ...]]]] = {
    "resident": _of_resident,
    "purchase": _of_purchase,
    "terminal": _of_terminal,
    "merchant": _of_merchant,
}
