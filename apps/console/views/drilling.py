"""From a refund down to a purchase as it was received."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.console.guard import auditors_only, standing_in
from apps.console.opened import access_to, access_to_search
from apps.console.views.finding import ask_search_purpose
from apps.inspections.operations.drilling import look_at_purchase, look_at_totals
from apps.kernel.errors import KanpuError


@auditors_only
@require_safe
def purchase(request: HttpRequest, terminal_id: int, seq: int) -> HttpResponse:
    """One record as it was received, and whose account it is on."""
    access = access_to_search(request)
    if access is None:
        return ask_search_purpose(request)
    try:
        found = look_at_purchase(
            terminal_id, seq, access=access, opens_protected=standing_in(request).opens_protected, at=timezone.now()
        )
    except KanpuError as error:
        raise Http404(str(error)) from error
    return render(request, "console/purchase.html", {"found": found, "file": found.file})


@auditors_only
@require_safe
def totals(request: HttpRequest, ref: UUID, year: int) -> HttpResponse:
    """What a year's refund is computed from, and by which rules."""
    access = access_to(request, ref) or access_to_search(request)
    if access is None:
        return ask_search_purpose(request)
    try:
        found = look_at_totals(ref, year, access=access, at=timezone.now())
    except KanpuError as error:
        raise Http404(str(error)) from error
    return render(request, "console/totals.html", {"found": found})
