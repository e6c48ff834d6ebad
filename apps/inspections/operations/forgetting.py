"""Forgetting what joins purchases to residents in cases, inside the caller's transaction."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from apps.accruals.models import Entry, Withheld
from apps.audit.models import Alarm
from apps.inspections.models import (
    AlarmFinding,
    AlarmRecord,
    AlarmReview,
    Annulment,
    AnnulmentState,
    Case,
    Note,
)
from apps.inspections.models.annulments import IN_WORDS
from apps.inspections.operations.exporting import delete_exports_of, delete_exports_of_year
from apps.inspections.operations.packing import delete_packs_of
from apps.inspections.records import numbers_of
from apps.purchases.following import Key
from apps.purchases.lanes import lane_of
from apps.purchases.models import Purchase


def forget_resident(ref: UUID, *, at: datetime) -> None:
    """Empty all texts of cases that are about a resident or a purchase of theirs; what is undecided is dropped."""
    of_resident = Annulment.objects.filter(resident_ref=ref)
    cases = set(Case.objects.filter(subject=f"resident:{ref}").values_list("pk", flat=True))
    cases |= set(of_resident.values_list("case_id", flat=True))
    emptied = dict.fromkeys(IN_WORDS, "") | {"erased_at": at}
    undecided = of_resident.exclude(state=AnnulmentState.APPROVED)
    undecided.filter(erased_at=None).update(state=AnnulmentState.DROPPED, proposed_by="", proposed_at=None, **emptied)
    of_resident.filter(erased_at=None).update(**emptied)
    _empty(Note.objects.filter(Q(case__in=cases) | Q(record=f"resident:{ref}")), at)
    Case.objects.filter(pk__in=cases, erased_at=None).update(title="", reasons="", erased_at=at)
    delete_exports_of([ref], at=at)
    delete_packs_of(Case.objects.filter(pk__in=cases))


def forget_purchase(sale: Key) -> None:
    """Delete what is held against a sale and the files that have it; cases and their evidence name it no more.

    While its entries are still there.
    """
    of_sale = {"terminal_id": sale.terminal_id, "seq": sale.seq}
    of_entries, of_withheld = Entry.objects.filter(**of_sale), Withheld.objects.filter(**of_sale)
    refs = {ref for rows in (of_entries, of_withheld) for ref in rows.values_list("resident_ref", flat=True)}
    subjects = [f"purchase:{sale.terminal_id}/{sale.seq}", f"terminal:{sale.terminal_id}"]
    subjects += [f"resident:{ref}" for ref in refs]
    annulled = Annulment.objects.filter(**of_sale)
    _forget_records_of_alarms(sale)
    delete_exports_of(refs, at=timezone.now())
    delete_packs_of(Case.objects.filter(Q(subject__in=subjects) | Q(pk__in=annulled.values("case"))))
    annulled.delete()
    _forget([f"purchase:{sale.terminal_id}/{sale.seq}"])


def forget_year(year: int) -> None:
    """The same for all purchases of a year, while those are still there; cases about one of them name it no more."""
    delete_exports_of_year(year, at=timezone.now())
    _forget_alarms(Alarm.objects.filter(finding__tax_year=year))
    delete_packs_of(Case.objects.all())
    Annulment.objects.filter(tax_year=year).delete()
    named = set(Note.objects.filter(record__startswith="purchase:").values_list("record", flat=True))
    named |= set(Case.objects.filter(subject__startswith="purchase:").values_list("subject", flat=True))
    _forget([record for record in named if _is_of(year, *numbers_of(record))])


def _forget_records_of_alarms(sale: Key) -> None:
    """Alarms name a sale no more; those of which no record is left are forgotten."""
    named = AlarmRecord.objects.filter(terminal_id=sale.terminal_id, seq=sale.seq)
    alarms = list(named.values_list("alarm", flat=True))
    named.delete()
    _forget_alarms(Alarm.objects.filter(pk__in=alarms, records=None))


@transaction.atomic
def _forget_alarms(alarms: "QuerySet[Alarm]") -> None:
    """Delete alarms: their keys say which card was where on which day. In a case they stay, and say only their rule."""
    numbers = list(alarms.values_list("pk", flat=True))
    AlarmRecord.objects.filter(alarm__in=numbers).delete()
    of_cases = Alarm.objects.filter(pk__in=numbers, review__state=AlarmReview.State.IN_CASE)
    AlarmFinding.objects.filter(alarm__in=of_cases.values("pk")).update(measured={})
    of_cases.update(key=Concat(Value("forgotten:"), Cast("pk", TextField())), detail={})
    Alarm.objects.filter(pk__in=numbers).exclude(review__state=AlarmReview.State.IN_CASE).delete()


def _forget(records: list[str]) -> None:
    """Empty evidence that names these records; cases that are about one are about themselves from then on."""
    _empty(Note.objects.filter(record__in=records), timezone.now())
    for case in Case.objects.filter(subject__in=records):
        case.subject = f"case:{case.pk}"
        case.save(update_fields=["subject"])


def _is_of(year: int, terminal_id: int, seq: int) -> bool:
    of_year = Q(lane=lane_of(terminal_id), tax_year=year, terminal_id=terminal_id, seq=seq)
    return Purchase.objects.filter(of_year).exists()


def _empty(notes: "QuerySet[Note]", at: datetime) -> None:
    notes.filter(erased_at=None).update(text="", record="", erased_at=at)
