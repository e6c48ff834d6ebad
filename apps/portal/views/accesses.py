"""Who looked at the data of the resident who signed in."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.portal.queries.accesses import own_accesses
from apps.portal.queries.accounts import NoAccount


@require_safe
@never_cache
@login_required
def accesses(request: HttpRequest) -> HttpResponse:
    """Accesses to the resident's data, the newest first."""
    try:
        found = own_accesses(request.user, page=request.GET.get("page"))
    except NoAccount as error:
        raise Http404(str(error)) from error
    return render(request, "portal/accesses.html", {"found": found})
