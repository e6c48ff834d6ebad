"""Who looked at the data of the resident who signed in."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.portal.guard import resident_page
from apps.portal.queries.accesses import own_accesses
from apps.portal.viewer import Viewer


@require_safe
@resident_page()
def accesses(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Accesses to the resident's data, the newest first."""
    found = own_accesses(viewer.ref, page=request.GET.get("page"))
    return render(request, "portal/accesses.html", {"found": found})
