"""The auditors' page for what another scheme would have given. To everybody else it does not exist."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from apps.console.guard import auditors_only
from apps.console.what_if import what_if_page
from apps.schemes.queries import YearNotStarted


@require_http_methods(["GET", "HEAD", "POST"])
@auditors_only
def what_if(request: HttpRequest, year: int) -> HttpResponse:
    """Ask by form or by address, `?scheme=jp-zero-food`; a file of one's own comes by POST and is not stored."""
    try:
        page = what_if_page(year, request.POST or request.GET, request.FILES)
    except YearNotStarted as error:
        raise Http404(str(error)) from error
    return render(request, "console/what_if.html", {"page": page})
