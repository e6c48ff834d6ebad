"""Whether what a case names is there, and what an alarm is about."""

from collections.abc import Callable, Mapping
from typing import Final

from apps.accruals.models import Dispute
from apps.audit.models import Alarm
from apps.inspections.models import AlarmFinding, AlarmRecord
from apps.inspections.records import numbers_of
from apps.kernel.errors import KanpuError
from apps.merchants.models import Merchant, Terminal
from apps.purchases.lanes import lane_of
from apps.purchases.models import Purchase
from apps.refunds.models import Run
from apps.residents.models import Resident

EVIDENCE_AT_MOST: Final = 20  # of the records that caused an alarm; its page has all that are kept


class RecordMissing(KanpuError):
    """There is no such record."""

    code = "record_missing"


def _purchase_is_there(terminal_id: int, seq: int) -> bool:
    return Purchase.objects.filter(lane=lane_of(terminal_id), terminal_id=terminal_id, seq=seq).exists()


ARE_THERE: Final[Mapping[str, Callable[..., bool]]] = {
    "purchase": _purchase_is_there,
    "terminal": lambda number: Terminal.objects.filter(pk=number).exists(),
    "merchant": lambda number: Merchant.objects.filter(pk=number).exists(),
    "alarm": lambda number: Alarm.objects.filter(pk=number).exists(),
    "run": lambda year, number: Run.objects.filter(tax_year_id=year, number=number).exists(),
    "dispute": lambda number: Dispute.objects.filter(pk=number).exists(),
}


def check_there(record: str) -> None:
    """Whether a record is there that `records.named` named: one query. Raises RecordMissing."""
    kind, _, reference = record.partition(":")
    if kind == "resident":
        is_there = Resident.objects.filter(pk=reference).exists()
    else:
        is_there = ARE_THERE[kind](*numbers_of(record))
    if not is_there:
        raise RecordMissing(f"There is no {kind} {reference}.")


def records_of_alarm(alarm: Alarm) -> list[str]:
    """What an alarm is about first, then the records that caused it, as far as they are there."""
    finding = AlarmFinding.objects.filter(alarm=alarm).first()
    if finding:
        caused = AlarmRecord.objects.filter(alarm=alarm).order_by("position")[:EVIDENCE_AT_MOST]
        purchases = [f"purchase:{one.terminal_id}/{one.seq}" for one in caused]
        return [one for one in (finding.subject, *purchases) if _is_there(one)]
    detail = alarm.detail
    found = []
    if {"terminal_id", "seq"} <= detail.keys():
        found.append(f"purchase:{detail['terminal_id']}/{detail['seq']}")
    if "terminal_id" in detail:
        found.append(f"terminal:{detail['terminal_id']}")
    elif "terminal" in detail:
        found += [
            f"terminal:{pk}" for pk in Terminal.objects.filter(code=detail["terminal"]).values_list("pk", flat=True)
        ]
    if "resident_ref" in detail:
        found.append(f"resident:{detail['resident_ref']}")
    return [one for one in found if _is_there(one)]


def _is_there(record: str) -> bool:
    try:
        check_there(record)
    except RecordMissing:
        return False
    return True
