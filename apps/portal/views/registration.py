"""What the register says of the resident who signed in; that it was looked at is on record."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from apps.portal.queries.accounts import NoAccount
from apps.portal.queries.registration import own_registration
from apps.residents.models import Resident


@require_GET
@never_cache
@login_required
def registration(request: HttpRequest) -> HttpResponse:
    """The resident's own registration."""
    try:
        found = own_registration(request.user)
    except (NoAccount, Resident.DoesNotExist) as error:
        raise Http404(str(error)) from error
    return render(request, "portal/registration.html", {"found": found})
