"""Asking those who count purchases to judge residents' sales again, and what those took up."""

from collections.abc import Collection, Iterable
from datetime import datetime
from uuid import UUID

from apps.residents.models import JudgingDue


def judge_again(refs: Iterable[UUID], *, since: datetime, at: datetime) -> None:
    """Have all sales of these residents from a time on judged again. Inside the transaction of what changed."""
    JudgingDue.objects.bulk_create(JudgingDue(resident_id=ref, since=since, asked_at=at) for ref in refs)


def due_numbers(*, but: Collection[int], most: int) -> list[int]:
    """The numbers of the first askings that are committed, without those in `but`."""
    due = JudgingDue.objects.exclude(pk__in=but).order_by("pk")
    return list(due.values_list("pk", flat=True)[:most])


def take_up(numbers: Collection[int]) -> list[JudgingDue]:
    """Lock those of these askings that are still there and that nobody else has, in order."""
    return list(JudgingDue.objects.select_for_update(skip_locked=True).filter(pk__in=numbers).order_by("pk"))


def put_off(due: JudgingDue, *, since: datetime) -> None:
    """Go on later with the sales from a time on: those before are done."""
    JudgingDue.objects.filter(pk=due.pk).update(since=since)


def done(numbers: Collection[int]) -> None:
    """Take askings off: all their sales are judged."""
    JudgingDue.objects.filter(pk__in=numbers).delete()
