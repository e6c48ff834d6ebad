"""Asking those who count purchases to judge residents' sales again."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from apps.residents.models import JudgingDue


def judge_again(refs: Iterable[UUID], *, since: datetime, at: datetime) -> None:
    """Have all sales of these residents from a time on judged again. Inside the transaction of what changed."""
    JudgingDue.objects.bulk_create(JudgingDue(resident_id=ref, since=since, asked_at=at) for ref in refs)
