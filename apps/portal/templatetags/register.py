"""How pages write what is in the register and in the trail."""

from datetime import date, timedelta
from typing import Final

from django import template
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from apps.audit.models import AccessRecord
from apps.audit.purposes import purpose_words as of_staff
from apps.portal.parts import Part
from apps.portal.wording import COLUMNS, EVENTS, OPENED, PAGES, PORTAL, PURPOSES, ROLES

register = template.Library()
VAULT: Final = "vault:"


@register.filter
def event_words(kind: str) -> str:
    """A kind of register event."""
    return str(EVENTS[kind])


@register.filter
def role_words(record: AccessRecord) -> str:
    """In which role somebody looked."""
    return str(ROLES.get(record.role, record.role))


@register.filter
def why_words(record: AccessRecord) -> str:
    """What for; a purpose that an officer typed is as it was typed."""
    return str(PURPOSES[record.purpose]) if record.purpose in PURPOSES else of_staff(record.purpose)


@register.filter
def what_words(record: AccessRecord) -> str:
    """What was opened."""
    if record.what.startswith(PORTAL):
        return str(PAGES.get(record.what.removeprefix(PORTAL), _("a page of the portal")))
    if not record.what.startswith(VAULT):
        name, _space, which = record.what.partition(" ")
        if record.what in OPENED:
            return str(OPENED[record.what])
        return f"{OPENED[name]} {which}" if name in OPENED else record.what
    columns = record.what.removeprefix(VAULT).split(",")
    return _(", ").join(str(COLUMNS.get(column, column)) for column in columns)


@register.filter
def months(part: Part) -> str:
    """The months of a part of a year."""
    first, last = (date_format(day, "F") for day in (part.first_month, part.last_month))
    return first if first == last else _("%(first)s to %(last)s") % {"first": first, "last": last}


@register.filter
def day_before(day: date) -> date:
    """The last day of a period that ends before `day`."""
    return day - timedelta(days=1)
