"""What waits, what failed, and who is held: lists by numbers; whose a payment is is shown for a purpose."""

import csv
from typing import Any, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.console.guard import actor_of, auditors_only
from apps.console.opened import access_to
from apps.console.operations.payouts import end_hold, look_at_hold, look_at_payment, place_hold
from apps.console.payout_forms import REASONS, HoldForm
from apps.console.problems import in_words
from apps.console.queries import payouts_lists as lists
from apps.console.queries.payouts import WAITS, runs_paid
from apps.console.queries.payouts_batches import PaymentMissing
from apps.console.views.purposes import ask_purpose
from apps.console.views.runs import done
from apps.kernel.errors import KanpuError

BOM = "\ufeff"  # by it Excel knows UTF-8


class _Echo:
    """What a CSV writer writes to: it gives each line back."""

    def write(self, line: str) -> str:
        """The line."""
        return line


@auditors_only
@require_safe
def waiting(request: HttpRequest) -> HttpResponse:
    """What of a run waits, for what."""
    found = lists.waiting_page(
        run=request.GET.get("run", ""), reason=request.GET.get("reason", ""), page=request.GET.get("page")
    )
    return render(request, "console/payouts_waiting.html", {"found": found})


@auditors_only
@require_safe
def waiting_file(request: HttpRequest) -> HttpResponse:
    """The same as CSV: nobody is named in it."""
    run, reason = lists.chosen(runs_paid(), request.GET.get("run", "")), request.GET.get("reason", "")
    writer = csv.writer(_Echo())
    rows = lists.waiting_table(run, reason if reason in WAITS else "") if run else iter((lists.COLUMNS,))
    lines = (BOM + line if number == 0 else line for number, line in enumerate(map(writer.writerow, rows)))
    name = f"waiting-{run.tax_year_id}-{run.number}.csv" if run else "waiting.csv"
    file = StreamingHttpResponse(cast("Any", lines), content_type="text/csv; charset=utf-8")
    file.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return cast("HttpResponse", file)


@auditors_only
@require_safe
def failures(request: HttpRequest) -> HttpResponse:
    """What failed or came back of a run."""
    found = lists.failures_page(run=request.GET.get("run", ""), page=request.GET.get("page"))
    return render(request, "console/payouts_failed.html", {"found": found})


@auditors_only
@require_safe
def payment(request: HttpRequest, obligation_id: int) -> HttpResponse:
    """What a run owes one resident, for a stated purpose."""
    try:
        one = lists.obligation_of(obligation_id)
    except PaymentMissing as error:
        raise Http404(str(error)) from error
    access = access_to(request, one.resident_ref)
    if access is None:
        return ask_purpose(request, one.resident_ref)
    return render(request, "console/payouts_payment.html", {"found": look_at_payment(one, access=access)})


@auditors_only
@require_http_methods(["GET", "HEAD", "POST"])
def holds(request: HttpRequest) -> HttpResponse:
    """Whose payments are held, by numbers; a POST holds a resident's."""
    form, only_open = HoldForm(request.POST or None), request.GET.get("show") != "all"
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            place_hold(given["resident"], given["reason"], at=timezone.now(), actor=actor_of(request))
        except KanpuError as error:
            form.add_error("resident", in_words(error))
        else:
            messages.success(request, _("Nothing is paid to this resident until the hold is lifted."))
            return redirect("payout-holds")
    found = lists.holds_page(only_open=only_open, page=request.GET.get("page"))
    rows = [(hold, REASONS[hold.reason]) for hold in found.object_list]
    shown = {"page": found, "rows": rows, "form": form, "only_open": only_open}
    return render(request, "console/payouts_holds.html", shown)


@auditors_only
@require_http_methods(["GET", "HEAD", "POST"])
def hold(request: HttpRequest, hold_id: int) -> HttpResponse:
    """One hold, for a stated purpose; a POST lifts it."""
    try:
        found = lists.hold_of(hold_id)
    except PaymentMissing as error:
        raise Http404(str(error)) from error
    access = access_to(request, found.resident_ref)
    if access is None:
        return ask_purpose(request, found.resident_ref)
    if request.method == "POST":
        return done(
            request,
            lambda: end_hold(found, at=timezone.now(), actor=actor_of(request)),
            _("The hold is lifted. The next file has what is owed to this resident."),
            redirect("payout-holds"),
        )
    look_at_hold(found, access=access)
    return render(request, "console/payouts_hold.html", {"hold": found, "reason": REASONS[found.reason]})
