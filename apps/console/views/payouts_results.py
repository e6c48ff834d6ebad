"""What banks say: the files that were taken, line by line, and taking another one."""

import io

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from apps.console.guard import actor_of, auditors_only
from apps.console.payout_forms import FILE_MAX_BYTES, ResultsForm
from apps.console.problems import in_words
from apps.console.queries.payouts_batches import PaymentMissing
from apps.console.queries.payouts_results import problems_of, result_file, results_page
from apps.kernel.errors import KanpuError
from apps.payouts.models import ResultFile
from apps.payouts.operations.results import take_results
from apps.residents.uploads import InMemory


@csrf_exempt  # by the inner view instead: Django reads a form, files and all, to look at its token
@auditors_only
@require_http_methods(["GET", "HEAD", "POST"])
def results(request: HttpRequest) -> HttpResponse:
    """Say how a file is held before anything of it is read; the form's token is looked at after that."""
    request.upload_handlers = [InMemory(request, FILE_MAX_BYTES)]
    return _results(request)


@csrf_protect
def _results(request: HttpRequest) -> HttpResponse:
    form = ResultsForm(request.POST, request.FILES) if request.method == "POST" else ResultsForm()
    tried = None
    if form.is_bound and form.is_valid():
        try:
            taken, was_known = _take(form, actor_of(request))
        except KanpuError as error:
            form.add_error("file", in_words(error))
        else:
            if was_known or form.cleaned_data["how"] == "take":
                _say(request, taken, was_known=was_known)
                return redirect("payout-result", file_id=taken.pk)
            tried = taken
    shown = {"page": results_page(request.GET.get("page")), "form": form, "tried": tried}
    return render(request, "console/payouts_results.html", shown | {"problems": problems_of(tried) if tried else ()})


def _take(form: ResultsForm, actor: str) -> tuple[ResultFile, bool]:
    given = form.cleaned_data
    return take_results(
        io.BytesIO(given["file"].read()), given["file"].name, bank=given["bank"], actor=actor,
        dry_run=given["how"] == "try",
    )  # fmt: skip


def _say(request: HttpRequest, taken: ResultFile, *, was_known: bool) -> None:
    if was_known:
        messages.info(request, _("This very file was taken before. Nothing was changed."))
    elif taken.refused:
        messages.warning(request, _("The results are taken, but for the lines below."))
    else:
        messages.success(request, _("The results are taken."))


@auditors_only
@require_safe
def result(request: HttpRequest, file_id: int) -> HttpResponse:
    """One file, with each line that could not be taken."""
    try:
        found = result_file(file_id)
    except PaymentMissing as error:
        raise Http404(str(error)) from error
    return render(request, "console/payouts_result.html", {"file": found, "problems": problems_of(found)})
