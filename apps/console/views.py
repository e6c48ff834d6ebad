"""The auditors' pages. To everybody else they do not exist."""

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.audit.officers import is_auditor
from apps.console import queries
from apps.console.alarms import alarms_page
from apps.refunds.queries.runs import RunMissing

View = Callable[..., HttpResponse]


def auditors_only(view: View) -> View:
    """Send strangers to the sign-in and answer 404 to everybody who is no auditor."""

    @wraps(view)
    def guarded(request: HttpRequest, **kwargs: int) -> HttpResponse:
        if not is_auditor(request.user):
            raise Http404("For auditors only.")
        return view(request, **kwargs)

    return require_safe(never_cache(login_required(guarded)))


@auditors_only
def years(request: HttpRequest) -> HttpResponse:
    """The started years and how far their runs are."""
    return render(request, "console/years.html", {"years": queries.years()})


@auditors_only
def run(request: HttpRequest, year: int, number: int) -> HttpResponse:
    """One year-end run."""
    try:
        found = queries.run_page(year, number)
    except RunMissing as error:
        raise Http404(str(error)) from error
    return render(request, "console/run.html", {"found": found})


@auditors_only
def alarms(request: HttpRequest) -> HttpResponse:
    """What looks wrong."""
    found = alarms_page(kind=request.GET.get("kind", ""), page=request.GET.get("page"))
    return render(request, "console/alarms.html", {"found": found})
