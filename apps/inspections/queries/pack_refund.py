"""What a pack of one resident's refund in a run is made of: from purchases as received to the leaf."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

from django.db.models import Q

from apps.accruals.models import Entry, Total
from apps.inspections.packs.content import Content
from apps.inspections.packs.tables import Table, document
from apps.inspections.queries.pack_log import events_in_log
from apps.inspections.queries.pack_records import (
    codes_of,
    moment,
    thread_tables,
    threads_of,
)
from apps.inspections.queries.pack_run import common_documents, evidence_table, proved_run, summary_of
from apps.purchases.following import Follower, Key
from apps.purchases.followups import Thread
from apps.refunds.models import Run
from apps.refunds.queries.replays import Replay, replay
from apps.refunds.queries.statements import statement_of
from apps.refunds.rules import rules_of
from apps.schemes.queries import scheme_of

ENTRY: Final = ("terminal", "seq", "of_terminal", "of_seq", "kind", "at", "month", "run", "tier", "amount_minor")
TOTAL: Final = ("tax_year", "run", "tier", "month", "amount_minor", "purchases", "bases_minor")
LEFT: Final = ("terminal", "seq", "at", "lines", "plain")


def refund_content(resident_ref: UUID, year: int, number: int) -> Content:
    """A pack of a resident's refund. Whoever calls has recorded the access.

    Raises RunMissing, StatementMissing, and YearErased when there are no purchases any more.
    """
    run = proved_run(year, number)
    statement = statement_of(resident_ref, year, number)
    scheme = scheme_of(run.tax_year.scheme_version_id)
    again = replay(resident_ref, year, number)
    log = events_in_log(Q(subject=f"run:{year}/{number}"))
    recomputed = {
        "identical": again.identical,
        "refund_minor": again.refund_minor,
        "differences": [{"ja": words.ja, "en": words.en} for words in again.differences],
    }
    return Content(
        kind="refund",
        name=f"kanpu-evidence-{year}-{number}-{resident_ref}",
        about={"year": year, "run": number, "resident_ref": str(resident_ref)},
        documents=(
            *common_documents(run, rules_of(scheme, year), scheme),
            ("statement.json", document(statement)),
            ("recomputation/result.json", document(recomputed)),
            *log.documents,
        ),
        tables=(*resident_tables(resident_ref, run, again), evidence_table(run), log.table),
        summary={
            **summary_of(run, scheme),
            "resident_ref": str(resident_ref),
            "entitled_own_minor": statement["entitled_minor"],
            "due_own_minor": statement["due_minor"],
            "recomputed_minor": again.refund_minor,
            "identical": again.identical,
        },
    )


def resident_tables(resident_ref: UUID, run: Run, again: Replay) -> tuple[Table, ...]:
    """A resident's records up to a run: as received, as counted, added up, and what is left of each purchase."""
    up_to = {"tax_year": run.tax_year_id, "run__range": (1, run.number)}
    entries = list(Entry.objects.filter(resident_ref=resident_ref, **up_to).order_by("terminal_id", "seq", "at"))
    threads = {key: _up_to(thread, run) for key, thread in threads_of(sales_of(entries)).items()}
    codes = codes_of(terminals_of(entries, threads.values()))
    totals = Total.objects.filter(resident_ref=resident_ref, **up_to).order_by("tax_year", "run", "tier")
    return (
        *thread_tables(threads.values(), codes),
        entries_table(entries, codes),
        totals_table(totals),
        Table("recomputation/left", LEFT, list(_left_rows(again, threads, codes))),
    )


def sales_of(entries: Collection[Entry]) -> set[Key]:
    """The sales that entries belong to."""
    return {Key(entry.of_terminal_id or entry.terminal_id, entry.of_seq or entry.seq) for entry in entries}


def terminals_of(entries: Collection[Entry], threads: Collection[Thread]) -> set[int]:
    """All terminals that entries and what follows their sales name."""
    of_threads = {key.terminal_id for t in threads for f in (*t.followers, *t.rulings) for key in (f.key, f.of)}
    return of_threads | {e.terminal_id for e in entries} | {key.terminal_id for key in sales_of(entries)}


def entries_table(entries: Collection[Entry], codes: Mapping[int, str]) -> Table:
    """What was counted, a row for each tier."""
    return Table("records/entries", ENTRY, list(_entry_rows(entries, codes)), summed=("amount_minor",))


def totals_table(totals: Iterable[Total]) -> Table:
    """A resident's totals, a row for each month that is not empty."""
    return Table("records/totals", TOTAL, list(_total_rows(totals)), summed=("amount_minor", "purchases"))


def _up_to(thread: Thread, run: Run) -> Thread:
    """The thread with what was settled up to a run only, as its replay takes it."""
    known = _known(thread.followers, run), _known(thread.rulings, run)
    return replace(thread, followers=known[0], rulings=known[1])


def _known(followers: Collection[Follower], run: Run) -> list[Follower]:
    """Those that were settled up to a run, as its replay takes them."""
    year = str(run.tax_year_id)
    return [follower for follower in followers if (follower.runs or {}).get(year, 0) <= run.number]


def _entry_rows(entries: Collection[Entry], codes: Mapping[int, str]) -> Iterator[tuple[Any, ...]]:
    """A row for each tier of an entry; the card stays out of it."""
    for entry in entries:
        of = entry.of_terminal_id or entry.terminal_id, entry.of_seq or entry.seq
        for tier, amount in zip(entry.tiers, entry.amounts_minor, strict=True):
            yield (
                codes[entry.terminal_id], entry.seq, codes.get(of[0], f"#{of[0]}"), of[1], entry.kind,
                moment(entry.at), entry.month, entry.run, tier, amount,
            )  # fmt: skip


def _total_rows(totals: Iterable[Total]) -> Iterator[tuple[Any, ...]]:
    for total in totals:
        bases: Sequence[int | None] = total.bases_minor or [None] * 12
        months = zip(total.amounts_minor, total.purchases, bases, strict=True)
        for month, (amount, purchases, base) in enumerate(months, start=1):
            if amount or purchases or base:
                yield total.tax_year, total.run, total.tier, month, amount, purchases, base


def _left_rows(again: Replay, threads: Mapping[Key, Thread], codes: Mapping[int, str]) -> Iterator[tuple[Any, ...]]:
    plain = {
        (codes[key.terminal_id], key.seq)
        for key, thread in threads.items()
        if not thread.followers and not thread.rulings
    }
    for left in again.purchases:
        lines = ",".join(f"{tier}={amount}" for tier, amount in sorted(left.amounts.items()))
        yield left.terminal, left.seq, moment(left.at), lines, int((left.terminal, left.seq) in plain)
