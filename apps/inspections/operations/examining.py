"""Working through a sample: what an auditor finds of an item, and taking that back."""

from datetime import datetime

from django.db import transaction

from apps.audit.operations import record_event
from apps.inspections.models import Case, Method, Result, Sample, SampleItem, Source
from apps.inspections.operations.cases import open_case
from apps.kernel.errors import KanpuError


class ItemDecided(KanpuError):
    """Somebody found something of this item before: that has to be taken back first."""

    code = "item_decided"


class ItemUndecided(KanpuError):
    """Nothing was found of this item yet."""

    code = "item_undecided"


class RightAmountMissing(KanpuError):
    """In a monetary-unit sample, a deviation needs the right amount, one that is not the recorded one."""

    code = "right_amount_missing"


@transaction.atomic
def decide_item(
    sample_id: int, position: int, result: Result, *, right_minor: int | None, note: str, at: datetime, actor: str
) -> SampleItem:
    """Keep what was found of an item. Raises ItemDecided, RightAmountMissing, SampleItem.DoesNotExist."""
    item = SampleItem.objects.select_for_update().get(sample_id=sample_id, position=position)
    if item.result:
        raise ItemDecided(f"{item.decided_by} found {item.result}. Take that back first.")
    is_monetary = Sample.objects.get(pk=sample_id).method == Method.MONETARY
    is_wrong = result == Result.DEVIATION
    if is_monetary and is_wrong and right_minor in (None, item.amount_minor):
        raise RightAmountMissing("Give the right amount: it is not the recorded one.")
    item.result, item.note, item.decided_at, item.decided_by = result, note, at, actor
    item.right_minor = right_minor if is_monetary and is_wrong else None
    item.save()
    record_event(
        at=at, actor=actor, action="sample.decide", subject=f"sample:{sample_id}",
        detail={"position": position, "result": result.value, "right_minor": item.right_minor},
    )  # fmt: skip
    return item


@transaction.atomic
def undo_item(sample_id: int, position: int, *, at: datetime, actor: str) -> None:
    """Take back what was found of an item; what it was stays in the trail. Raises ItemUndecided."""
    item = SampleItem.objects.select_for_update().get(sample_id=sample_id, position=position)
    if not item.result:
        raise ItemUndecided("Nothing was found of this item yet.")
    was = {"position": position, "result": item.result, "right_minor": item.right_minor, "by": item.decided_by}
    item.result, item.note, item.decided_at, item.decided_by, item.right_minor = "", "", None, "", None
    item.save()
    record_event(at=at, actor=actor, action="sample.undo", subject=f"sample:{sample_id}", detail=was)


def open_case_of_item(item: SampleItem, *, title: str, at: datetime, actor: str) -> Case:
    """Open a case about a drawn item, or return the one that is open."""
    subject = f"resident:{item.resident_ref}" if item.resident_ref else f"purchase:{item.terminal_id}/{item.seq}"
    return open_case(Source.SAMPLE, item.sample_id, subject=subject, title=title, at=at, actor=actor)
