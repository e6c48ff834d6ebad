"""What the register says of the resident who signed in; that it was looked at is on record."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.portal.guard import resident_page
from apps.portal.queries.registration import own_registration
from apps.portal.viewer import Right, Viewer
from apps.residents.models import Resident


@require_GET
@resident_page(Right.SELF)
def registration(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The resident's own registration."""
    try:
        found = own_registration(viewer.ref)
    except Resident.DoesNotExist as error:
        raise Http404(str(error)) from error
    return render(request, "portal/registration.html", {"found": found})
