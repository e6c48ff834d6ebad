"""Payments: how each run adds up, what could be paid of it now, paying again, and its end."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from apps.console.guard import actor_of, auditors_only
from apps.console.operations.auditing import take_step
from apps.console.payout_forms import ReissueForm
from apps.console.problems import in_words
from apps.console.queries.payouts import making_page, paying_of, payouts_page
from apps.console.queries.payouts_lists import would_reissue
from apps.console.views.runs import done
from apps.kernel.errors import KanpuError
from apps.payouts.operations.estimating import bell, request_estimate
from apps.payouts.operations.reissuing import reissue_run
from apps.refunds.models import Run, RunState
from apps.refunds.queries.runs import RunMissing, run_of

PAID = (RunState.PAYING, RunState.CLOSED)


@auditors_only
@require_safe
def payouts(request: HttpRequest) -> HttpResponse:
    """The reckoning of runs that are being paid, and the newest files."""
    return render(request, "console/payouts.html", {"found": payouts_page()})


@auditors_only
@require_http_methods(["GET", "HEAD", "POST"])
def make(request: HttpRequest, year: int, number: int) -> HttpResponse:
    """What could be paid of a run; a POST has it counted by a worker. Operators make the files."""
    if request.method == "POST":
        return done(
            request,
            lambda: request_estimate(year, number, at=timezone.now(), actor=actor_of(request)),
            _("A worker begins with it."),
            redirect("payout-make", year=year, number=number),
        )
    _paid(year, number)
    found = making_page(year, number)
    if found.estimate and not found.estimate.finished_at:
        bell.ring()  # the last ring may have been heard by nobody
    return render(request, "console/payouts_make.html", {"found": found, "at_work": found.at_work})


@auditors_only
@require_http_methods(["GET", "HEAD", "POST"])
def reissue(request: HttpRequest, year: int, number: int) -> HttpResponse:
    """How many payments would be made again; a POST lets them. Their file needs two approvals, as every one."""
    run = _paid(year, number)
    form = ReissueForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            _run, _failed, again = reissue_run(
                year, number=number, to_same_account=form.cleaned_data["which"] == "all", actor=actor_of(request)
            )
        except KanpuError as error:
            messages.error(request, in_words(error))
        else:
            said = ngettext(
                "%(count)s payment is due again. The next file has it.",
                "%(count)s payments are due again. The next file has them.",
                again,
            )
            messages.success(request, said % {"count": f"{again:,}"})
        return redirect("payout-make", year=year, number=number)
    return render(request, "console/payouts_reissue.html", {"found": would_reissue(run), "form": form})


@auditors_only
@require_http_methods(["GET", "HEAD", "POST"])
def close(request: HttpRequest, year: int, number: int) -> HttpResponse:
    """How a run adds up, and what keeps it open; a POST closes one that nothing does."""
    if request.method == "POST":
        return done(
            request,
            lambda: take_step(year, number, "close", actor=actor_of(request)),
            _("The run is closed."),
            redirect("payout-close", year=year, number=number),
        )
    return render(request, "console/payouts_close.html", {"paying": paying_of(_paid(year, number))})


def _paid(year: int, number: int) -> Run:
    """A run that is being paid, or was; for any other there is no page."""
    try:
        run = run_of(year, number)
    except RunMissing as error:
        raise Http404(str(error)) from error
    if run.state not in PAID:
        raise Http404(f"{run} is not being paid.")
    return run
