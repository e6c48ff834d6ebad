"""What residents ask of those who looked at their data."""

from typing import Final

from django.core.paginator import Page, Paginator
from django.db.models import F, QuerySet

from apps.audit.officers import Role
from apps.residents.models import AccessQuestion

QUESTIONS_A_PAGE: Final = 30
OF_OFFICES: Final = (Role.CLERK, Role.HELPDESK, Role.PROTECTED_OFFICER)


def questions(*, office: str | None) -> "QuerySet[AccessQuestion]":
    """Those an office is to answer: of accesses by its own officers. Without one, all: auditors step in anywhere."""
    found = AccessQuestion.objects.select_related("record")
    return found if office is None else found.filter(office=office, record__role__in=OF_OFFICES).exclude(office="")


def questions_page(*, office: str | None, page: str | None) -> "Page[AccessQuestion]":
    """A page of them, those first whose time ends next and then those that are answered: two queries."""
    found = questions(office=office).order_by(F("answered_at").desc(nulls_first=True), "reply_by_date", "pk")
    return Paginator(found, QUESTIONS_A_PAGE).get_page(page)


def question_of(question_id: int, *, office: str | None) -> AccessQuestion | None:
    """One of them, or None: one query."""
    return questions(office=office).filter(pk=question_id).first()
