"""The resident's years. Each page shows who signed in their own data; no address names a resident."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.audit.officers import is_auditor
from apps.portal.guard import resident_page
from apps.portal.queries import years
from apps.portal.queries.accounts import NoAccount, viewer_of
from apps.portal.viewer import ACTING, Right, Viewer
from apps.schemes.queries import YearNotStarted


@require_safe
@never_cache
@login_required
def home(request: HttpRequest) -> HttpResponse:
    """A resident's newest year; auditors are shown to the console, others of staff to the office.

    Who acts for a resident and may not see, or not any more, is shown for whom one can act.
    """
    try:
        viewer = viewer_of(request.user, Right.SEE, acting=request.session.get(ACTING, ""))
    except NoAccount:
        if request.session.get(ACTING):
            return redirect("acting")
        return redirect("console" if is_auditor(request.user) else "office")
    year = years.newest_year(viewer.ref)
    if year is None:
        raise Http404("No tax year was started.")
    return redirect("year", year=year)


@require_safe
@resident_page()
def year_page(request: HttpRequest, viewer: Viewer, year: int) -> HttpResponse:
    """The signed-in resident's year."""
    try:
        found = years.year_page(viewer.ref, year)
    except YearNotStarted as error:
        raise Http404(str(error)) from error
    return render(request, "portal/year.html", {"found": found, "may_pay": viewer.may(Right.PAYMENT)})
