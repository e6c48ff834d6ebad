"""The files for the bank: all of them, one with its manifest and its transfers, and what two auditors do about it."""

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.console.forms import ApproveFileForm
from apps.console.guard import actor_of, auditors_only, fresh_key
from apps.console.operations.payouts import approve_file
from apps.console.payout_forms import BatchesForm
from apps.console.queries.payouts_batches import PaymentMissing, batch_of, batch_page, batches_page, manifest
from apps.console.views.runs import done
from apps.payouts.operations.batches import drop_batch, submit_batch


@auditors_only
@require_safe
def batches(request: HttpRequest) -> HttpResponse:
    """Files, the newest first, by year, run and state."""
    form = BatchesForm(request.GET)
    form.is_valid()
    asked = form.cleaned_data
    found = batches_page(
        year=asked.get("year"), number=asked.get("run"), state=asked.get("state") or "", page=request.GET.get("page")
    )
    kept = request.GET.copy()
    kept.pop("page", None)
    return render(request, "console/payouts_batches.html", {"found": found, "form": form, "asked": kept.urlencode()})


@auditors_only
@require_safe
def batch(request: HttpRequest, batch_id: int) -> HttpResponse:
    """One file."""
    try:
        found = batch_page(batch_id, page=request.GET.get("page"))
    except PaymentMissing as error:
        raise Http404(str(error)) from error
    shown = {"found": found, "batch": found.batch, "form": ApproveFileForm(), "at_work": found.batch.state == "writing"}
    return render(request, "console/payouts_batch.html", shown)


@auditors_only
@require_safe
def as_json(_request: HttpRequest, batch_id: int) -> HttpResponse:
    """What two people approve, as JSON."""
    try:
        found = batch_of(batch_id)
    except PaymentMissing as error:
        raise Http404(str(error)) from error
    name = found.file_name.replace(".txt", ".json")
    return JsonResponse(
        manifest(found),
        json_dumps_params={"indent": 2},
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


@auditors_only
@require_POST
@fresh_key("payout-batch", "batch_id")
def approve(request: HttpRequest, batch_id: int) -> HttpResponse:
    """Approve the file whose SHA-256 was shown."""
    form = ApproveFileForm(request.POST)
    given = form.cleaned_data if form.is_valid() else {}
    return done(
        request,
        lambda: approve_file(
            batch_id, request.user, password=given.get("password", ""), sha256=given.get("sha256", "")
        ),
        _("You have approved the file."),
        redirect("payout-batch", batch_id=batch_id),
    )


@auditors_only
@require_POST
@fresh_key("payout-batch", "batch_id")
def submit(request: HttpRequest, batch_id: int) -> HttpResponse:
    """Hand a file that two approved to the bank."""
    return done(
        request,
        lambda: submit_batch(batch_id, actor=actor_of(request)),
        _("The file lies where the bank takes it from."),
        redirect("payout-batch", batch_id=batch_id),
    )


@auditors_only
@require_POST
def drop(request: HttpRequest, batch_id: int) -> HttpResponse:
    """Give up a file that is not with the bank."""
    return done(
        request,
        lambda: drop_batch(batch_id, actor=actor_of(request)),
        _("The file is given up. What it was to pay is due again."),
        redirect("payout-batch", batch_id=batch_id),
    )
