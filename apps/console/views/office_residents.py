"""The pages of an opened resident. Each puts its own access on record before it reads."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.audit.access import Access
from apps.audit.officers import Thing
from apps.console.guard import open_to_those_who_may
from apps.console.office_forms import MINUTES, ChannelForm, OrderForm, SuspendForm
from apps.console.operations import office
from apps.console.views.office_frame import of_opened, resident_page


@open_to_those_who_may(Thing.PERSON)
@require_safe
@of_opened
def person(request: HttpRequest, access: Access, ref: UUID) -> HttpResponse:
    """Who the resident is."""
    found = office.look_at_person(ref, access=access, at=timezone.now())
    return resident_page(request, "person.html", access, ref, here="person", found=found)


@open_to_those_who_may(Thing.CARDS)
@require_safe
@of_opened
def cards(request: HttpRequest, access: Access, ref: UUID) -> HttpResponse:
    """Cards and what can be done with them."""
    now = timezone.localtime()
    found = office.look_at_cards(ref, access=access, at=now)
    suspend = SuspendForm(initial={"lost_since": now.strftime(MINUTES)})
    order = OrderForm(auto_id="order_%s")  # both forms ask for the channel
    return resident_page(request, "cards.html", access, ref, here="cards", found=found, suspend=suspend, order=order)


@open_to_those_who_may(Thing.LETTERS)
@require_safe
@of_opened
def letters(request: HttpRequest, access: Access, ref: UUID) -> HttpResponse:
    """Letters with codes."""
    found = office.look_at_letters(ref, access=access, at=timezone.now())
    return resident_page(request, "letters.html", access, ref, here="letters", notices=found)


@open_to_those_who_may(Thing.CHOICES)
@require_safe
@of_opened
def choices(request: HttpRequest, access: Access, ref: UUID) -> HttpResponse:
    """Whether purchases are recorded."""
    found = office.look_at_choices(ref, access=access, at=timezone.now())
    return resident_page(request, "choices.html", access, ref, here="choices", found=found, form=ChannelForm())


@open_to_those_who_may(Thing.PURCHASES)
@require_safe
@of_opened
def purchases(request: HttpRequest, access: Access, ref: UUID) -> HttpResponse:
    """Held purchases, and those that were counted."""
    asked = request.GET
    found = office.look_at_purchases(
        ref, year=asked.get("year"), page=asked.get("page"), held_page=asked.get("held"), access=access,
        at=timezone.now(),
    )  # fmt: skip
    return resident_page(request, "purchases.html", access, ref, here="purchases", found=found, form=ChannelForm())


@open_to_those_who_may(Thing.HOUSEHOLD)
@require_safe
@of_opened
def household(request: HttpRequest, access: Access, ref: UUID) -> HttpResponse:
    """Households and events of the register."""
    found = office.look_at_household(ref, access=access, at=timezone.now())
    return resident_page(request, "household.html", access, ref, here="household", found=found)
