"""The resident's years. Each page shows who signed in their own data; no address names a resident."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.audit.officers import is_auditor
from apps.portal.queries import years
from apps.portal.queries.accounts import NoAccount
from apps.schemes.queries import YearNotStarted


@require_safe
@never_cache
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """A resident's newest year; auditors are shown to the console, others of staff to the office."""
    try:
        year = years.newest_year(request.user)
    except NoAccount:
        return redirect("console" if is_auditor(request.user) else "office")
    if year is None:
        raise Http404("No tax year was started.")
    return redirect("year", year=year)


@require_safe
@never_cache
@login_required
def year_page(request: HttpRequest, year: int) -> HttpResponse:
    """The signed-in resident's year."""
    try:
        found = years.year_page(request.user, year, page=request.GET.get("page"))
    except (NoAccount, YearNotStarted) as error:
        raise Http404(str(error)) from error
    return render(request, "portal/year.html", {"found": found})
