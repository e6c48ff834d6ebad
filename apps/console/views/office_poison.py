"""What was set aside because it fails whenever it is tried, and putting it back on its queue."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from apps.audit.officers import Role
from apps.console.guard import actor_of, staff_only
from apps.console.views.office_frame import page
from apps.purchases.operations import replay
from apps.purchases.queries import poison_seen


@staff_only(Role.OPERATOR)
@require_safe
def poison(request: HttpRequest) -> HttpResponse:
    """What is set aside, why, and how often it failed."""
    return page(request, "poison.html", waiting=poison_seen())


@staff_only(Role.OPERATOR)
@require_POST
def replay_poison(request: HttpRequest) -> HttpResponse:
    """Put one of it, or all, back on its queue: workers take it up at once."""
    given = request.POST.get("poison", "")
    pks = [int(given)] if given.isascii() and given.isdecimal() and len(given) < 10 else None
    if given and pks is None:
        messages.error(request, _("There is nothing of this number. Look at the page again."))
        return redirect("office-poison")
    taken_up = replay(pks, actor=actor_of(request))
    told = ngettext("%(number)s is tried again.", "%(number)s are tried again.", taken_up)
    messages.success(request, told % {"number": taken_up})
    return redirect("office-poison")
