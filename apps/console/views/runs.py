"""Years and their runs: how far they are, and the steps that auditors take."""

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.console.forms import SignForm
from apps.console.guard import actor_of, auditors_only, fresh_key
from apps.console.next_step import LONG
from apps.console.operations import auditing
from apps.console.problems import in_words
from apps.console.queries.runs import run_page
from apps.console.queries.years import year_row
from apps.console.queries.years import years as all_years
from apps.kernel.errors import KanpuError
from apps.refunds.models import StepName
from apps.refunds.operations.requesting import request_step
from apps.refunds.queries.runs import RunMissing


@auditors_only
@require_safe
def years(request: HttpRequest) -> HttpResponse:
    """The started years and how far their runs are."""
    found = all_years()
    return render(request, "console/years.html", {"years": found, "at_work": any(row.at_work for row in found)})


@auditors_only
@require_http_methods(["GET", "POST"])
def freeze(request: HttpRequest, year: int) -> HttpResponse:
    """Ask whether the year shall be frozen; a POST leaves it to a worker."""
    if request.method == "POST":
        return done(
            request,
            lambda: request_step(year, StepName.FREEZE, actor=actor_of(request)),
            _("The freeze is asked for: a worker begins with it."),
            redirect("console"),
        )
    row = year_row(year)
    if row is None:
        raise Http404("The tax year was not started.")
    return render(request, "console/confirm_freeze.html", {"row": row})


@auditors_only
@require_safe
def run(request: HttpRequest, year: int, number: int) -> HttpResponse:
    """One year-end run."""
    return _run(request, year, number, "console/run.html")


@auditors_only
@require_http_methods(["GET", "POST"])
def step(request: HttpRequest, year: int, number: int, name: str) -> HttpResponse:
    """Ask whether a step shall be taken; a POST takes it."""
    if name not in auditing.STEPS:
        raise Http404("There is no such step.")
    if request.method == "POST":
        return done(
            request,
            lambda: auditing.take_step(
                year, number, name, actor=actor_of(request), shown=request.POST.get("state", "")
            ),
            _("A worker begins with it.") if name in LONG else _("Done."),
            redirect("run", year=year, number=number),
        )
    return _run(request, year, number, "console/confirm_step.html", step=name)


@auditors_only
@require_POST
@fresh_key("run", "year", "number")
def sign(request: HttpRequest, year: int, number: int) -> HttpResponse:
    """Sign the digest that was shown."""
    form = SignForm(request.POST)
    given = {name: form.cleaned_data.get(name, "") for name in ("password", "digest")} if form.is_valid() else {}
    return done(
        request,
        lambda: auditing.sign(
            year, number, request.user, password=given.get("password", ""), digest=given.get("digest", "")
        ),
        _("You have signed the run."),
        redirect("run", year=year, number=number),
    )


def _run(request: HttpRequest, year: int, number: int, template: str, **more: str) -> HttpResponse:
    try:
        found = run_page(year, number)
    except RunMissing as error:
        raise Http404(str(error)) from error
    at_work = found.at_work or (found.pack is not None and found.pack.finished_at is None)
    return render(request, template, {"found": found, "at_work": at_work, "sign": SignForm(), **more})


def done(request: HttpRequest, work: Callable[[], object], said: str, then: HttpResponse) -> HttpResponse:
    """Do it, and go on to a page that says that it is done, or what went wrong."""
    try:
        work()
    except KanpuError as error:
        messages.error(request, in_words(error))
    else:
        messages.success(request, said)
    return then
