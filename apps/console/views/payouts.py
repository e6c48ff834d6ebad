"""Payments: how each run adds up, and the files that two auditors approve."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.console.forms import ApproveFileForm
from apps.console.guard import auditors_only
from apps.console.operations.payouts import approve_file
from apps.console.queries.payouts import payouts_page
from apps.console.views.runs import done
from apps.payouts.models import Batch


@auditors_only
@require_safe
def payouts(request: HttpRequest) -> HttpResponse:
    """The reckoning of runs that are being paid, and the files."""
    found = payouts_page()
    files = [(*file, _form(file.batch)) for file in found.files]
    return render(request, "console/payouts.html", {"found": found, "files": files})


@auditors_only
@require_POST
def approve(request: HttpRequest) -> HttpResponse:
    """Approve the file whose SHA-256 was shown."""
    form = ApproveFileForm(request.POST)
    given = form.cleaned_data if form.is_valid() else {}
    return done(
        request,
        lambda: approve_file(
            given.get("batch", 0), request.user, password=given.get("password", ""), sha256=given.get("sha256", "")
        ),
        _("You have approved the file."),
        redirect("payouts"),
    )


def _form(batch: Batch) -> ApproveFileForm | None:
    return ApproveFileForm(auto_id=f"id_{batch.pk}_%s") if batch.state == Batch.State.DRAFT else None
