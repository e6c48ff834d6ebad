"""How pages of cases write what a case names, and lead there."""

from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from apps.inspections.models import Case
from apps.inspections.records import numbers_of

register = template.Library()
PAGES: Final = {
    "resident": "case-purchases", "purchase": "case-purchase", "run": "run", "dispute": "dispute", "alarm": "alarm",
    "merchant": "merchant",
}  # fmt: skip


class Parts(NamedTuple):
    """What a record is, and which."""

    kind: str
    reference: str


@register.filter
def record_parts(record: str) -> Parts:
    """A record's kind and reference."""
    kind, _, reference = record.partition(":")
    return Parts(kind, reference)


@register.filter
def record_address(record: str, case: Case) -> str:
    """The page of a record, or '' where it has none."""
    kind, _, reference = record.partition(":")
    arguments: list[Any] = [reference] if kind == "resident" else list(numbers_of(record))
    if kind in ("resident", "purchase"):
        arguments.insert(0, case.pk)
    try:
        return reverse(PAGES[kind], args=arguments) if kind in PAGES else ""
    except NoReverseMatch:  # a subject of another form
        return ""


@register.filter
def last_day(ends_at: datetime) -> date:
    """The last day of what ends at the end of a day."""
    return timezone.localdate(ends_at - timedelta(seconds=1))
