"""Who of staff looked at residents' data: so that browsing can be examined."""

from datetime import date

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_safe

from apps.audit.officers import Thing
from apps.console.guard import open_to_those_who_may
from apps.console.queries.accesses import actor_page, day_page


@open_to_those_who_may(Thing.ACCESSES)
@require_safe
def accesses(request: HttpRequest) -> HttpResponse:
    """A day's counts by office and actor; with `actor`, what that one looked at."""
    day = _day(request.GET.get("day", ""))
    actor = request.GET.get("actor", "").replace("\0", "")  # which no text of PostgreSQL has
    if actor:
        found = actor_page(day, actor, page=request.GET.get("page"))
        return render(request, "console/accesses_of_actor.html", {"found": found})
    return render(request, "console/accesses.html", {"found": day_page(day)})


def _day(text: str) -> date:
    try:
        return min(parse_date(text) or timezone.localdate(), timezone.localdate())
    except ValueError:
        return timezone.localdate()
