"""What must be, by the recorder alone, held against what is."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import timezone

from apps.accruals.models import Entry, Total
from apps.audit.models import Alarm
from apps.audit.operations.sequencing import sequence, write_checkpoint
from apps.audit.queries.verifying import verify_log
from apps.merchants.models import Terminal
from apps.purchases.models import Closing, Purchase, Rejection
from apps.purchases.queries import uncounted
from apps.refunds.operations.recounting import recount
from apps.schemes.models import TaxYear
from apps.schemes.queries import tax_year
from tests.chaos.ledger import Note

TOKYO: Final = ZoneInfo("Asia/Tokyo")
NEVER: Final = ("seq_conflict", "card_cloned", "seal_mismatch", "seal_missing", "closing_differs")
Place = tuple[str, int]  # terminal, seq
Cell = tuple[UUID, int, int, str]  # resident, year, month, tier


@dataclass(slots=True)
class Told:
    """What the recorder was told. `acked` is the code under which a record was refused, '' when it was taken."""

    intents: dict[Place, Note] = field(default_factory=dict)
    done: set[Place] = field(default_factory=set)
    acked: dict[Place, tuple[str, str]] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    acknowledgements: int = 0
    contradictions: list[str] = field(default_factory=list)


def told(notes: Iterable[Note]) -> Told:
    """The recorder's notes, read. Of two intents under a number the last is the one that may have come to be."""
    found = Told()
    for note in notes:
        match note["what"]:
            case "intent":
                found.intents[note["terminal"], note["seq"]] = note
            case "done":
                found.done.add((note["terminal"], note["seq"]))
            case "fault":
                found.faults[note["kind"]] += 1
            case "ack":
                found.acknowledgements += 1
                for seq, kind, _, code in note["records"]:
                    before = found.acked.setdefault((note["terminal"], seq), (kind, code))
                    if before != (kind, code):
                        found.contradictions.append(f"{note['terminal']} {seq} was {before}, then {kind} {code}")
    return found


@dataclass(slots=True)
class Found:
    """How it came out. `wrong` says in words what must not be."""

    purchases: int = 0
    acknowledged: int = 0
    counted: int = 0
    refused: int = 0
    lost: int = 0
    doubled: int = 0
    spend_minor: int = 0
    log_entries: int = 0
    wrong: list[str] = field(default_factory=list)

    def must(self, holds: bool, words: str) -> None:
        """One more thing that must be."""
        if not holds:
            self.wrong.append(words)


def expected_totals(told: Told) -> dict[Cell, tuple[int, int]]:
    """(amount, purchases) of each resident's months, from what was acknowledged: the reference in a few lines."""
    left: dict[Place, dict[str, int]] = {
        place: dict(told.intents[place]["lines"])
        for place, (kind, code) in told.acked.items()
        if kind == "sale" and not code
    }
    for place, (kind, code) in told.acked.items():
        note = told.intents.get(place)
        if note and not code and kind in ("return", "void"):
            sale = left.get((place[0], note["of"]), {})
            taken = note["lines"] if kind == "return" else [*sale.items()]
            for tier, amount in taken:
                sale[tier] = max(sale.get(tier, 0) - amount, 0)
    cells: dict[Cell, list[int]] = defaultdict(lambda: [0, 0])
    for place, amounts in left.items():
        note = told.intents[place]
        at = datetime.fromisoformat(note["at"]).astimezone(TOKYO)
        for tier, amount in amounts.items():
            if amount:
                cell = cells[UUID(note["resident"]), at.year, at.month, tier]
                cell[0] += amount
                cell[1] += 1
    return {cell: (amount, count) for cell, (amount, count) in cells.items()}


def _totals(residents: Iterable[UUID]) -> dict[Cell, tuple[int, int]]:
    cells: dict[Cell, list[int]] = defaultdict(lambda: [0, 0])
    for total in Total.objects.filter(resident_ref__in=list(residents)).exclude(tier=""):
        for month, (amount, count) in enumerate(zip(total.amounts_minor, total.purchases, strict=True), start=1):
            cell = cells[total.resident_ref, total.tax_year, month, total.tier]
            cell[0] += amount
            cell[1] += count
    return {cell: (amount, count) for cell, (amount, count) in cells.items() if amount or count}


def check(told: Told, residents: Iterable[UUID], sealed: Iterable[str]) -> Found:
    """Hold the recorder's notes against the database, the totals against the entries, the log against its copies."""
    found = Found(wrong=list(told.contradictions))
    _check_records(told, found)
    _check_sales(told, found)
    expected, there = expected_totals(told), _totals(residents)
    found.spend_minor = sum(amount for amount, _ in there.values())
    differing = {cell for cell in expected.keys() | there.keys() if expected.get(cell) != there.get(cell)}
    found.must(not differing, f"{len(differing)} totals differ from the recorder's: {_first(differing)}")
    for year in TaxYear.objects.values_list("year", flat=True):
        again = recount(year, version=tax_year(year).scheme_version, actor="chaos", seen=lambda _: None, dry_run=True)
        found.must(not again.differences, f"{again.differences} totals of {year} differ from its entries")
    closings = dict(Closing.objects.order_by("seq").values_list("terminal_id", "agrees"))
    codes = dict(Terminal.objects.values_list("code", "pk"))
    differ = [code for code in sealed if closings.get(codes[code]) is not True]
    found.must(not differ, f"the closings of {differ} do not agree")
    found.must(uncounted() == (0, 0), f"{uncounted()} batches and records are not counted")
    _check_alarms_and_log(found)
    return found


def _check_records(told: Told, found: Found) -> None:
    """Each record that was rung up was acknowledged, and what was acknowledged is kept."""
    codes = dict(Terminal.objects.values_list("pk", "code"))
    kept = {(codes[terminal], seq) for terminal, seq in Purchase.objects.values_list("terminal_id", "seq")}
    spent = Rejection.objects.filter(spends_seq=True).values_list("terminal_id", "seq")
    refused = {(codes[terminal], seq) for terminal, seq in spent}
    missing = [place for place, (_, code) in told.acked.items() if place not in (refused if code else kept)]
    silent = told.done - told.acked.keys()
    made_up = [
        p for p, (kind, _) in told.acked.items() if kind == "sale" and told.intents.get(p, {}).get("kind") != kind
    ]
    skewed = [p for p, (_, code) in told.acked.items() if code and not told.intents.get(p, {}).get("skewed")]
    found.purchases, found.acknowledged = len(told.done), len(told.acked)
    found.refused = sum(bool(code) for _, code in told.acked.values())
    found.lost += len(missing) + len(silent)
    found.must(not missing, f"{len(missing)} acknowledged records are not kept: {_first(missing)}")
    found.must(not silent, f"{len(silent)} records were rung up and never acknowledged: {_first(silent)}")
    found.must(not made_up, f"{len(made_up)} sales were acknowledged that nobody rang up: {_first(made_up)}")
    found.must(not skewed, f"{len(skewed)} records were refused without a reason: {_first(skewed)}")


def _check_sales(told: Told, found: Found) -> None:
    """Each acknowledged sale has one entry, and nothing else has."""
    codes = dict(Terminal.objects.values_list("pk", "code"))
    rows = Entry.objects.filter(kind="sale", terminal_id__in=codes).values_list("terminal_id", "seq", "tax_year")
    entries = Counter((codes[terminal], seq) for terminal, seq, year in rows if year != 2018)
    sales = {place for place, (kind, code) in told.acked.items() if kind == "sale" and not code}
    lost, doubled = sales - entries.keys(), [place for place, count in entries.items() if count > 1]
    uninvited = entries.keys() - sales
    found.counted = len(entries)
    found.lost += len(lost)
    found.doubled += len(doubled)
    found.must(not lost, f"{len(lost)} acknowledged purchases are not counted: {_first(lost)}")
    found.must(not doubled, f"{len(doubled)} purchases are counted twice: {_first(doubled)}")
    found.must(not uninvited, f"{len(uninvited)} purchases are counted that nobody acknowledged: {_first(uninvited)}")


def _check_alarms_and_log(found: Found) -> None:
    raised = Counter(
        Alarm.objects.filter(kind__in=NEVER).exclude(key__startswith="poison").values_list("kind", flat=True)
    )
    found.must(not raised, f"alarms that honest tills do not raise: {dict(raised)}")
    sequence()
    write_checkpoint(Path(settings.KANPU_AUDIT_LOG), Path(settings.KANPU_AUDIT_KEY), at=timezone.now())
    log = verify_log(Path(settings.KANPU_AUDIT_LOG))
    found.log_entries = log.entries
    found.must(not log.findings, f"the audit log: {log.findings[:3]}")


def _first(some: Iterable[Any]) -> list[Any]:
    return sorted(some)[:5]
