"""One refund by its resident's reference, with its documents."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.console import operations
from apps.console.forms import RefundForm
from apps.console.guard import actor_of, auditors_only
from apps.console.problems import in_words
from apps.kernel.errors import KanpuError
from apps.refunds.downloads import saved
from apps.refunds.templatetags.kanpu import language


@auditors_only
@require_safe
def refunds(request: HttpRequest) -> HttpResponse:
    """Find a resident's refunds of a year; with `replay`, one of them computed again."""
    form, found = RefundForm(request.GET or None), None
    if form.is_valid():
        asked = form.cleaned_data
        try:
            found = operations.look_up_refunds(
                asked["resident"], asked["year"], replay_run=asked["replay"], actor=actor_of(request)
            )
        except KanpuError as error:
            form.add_error(None, in_words(error))
    return render(request, "console/refunds.html", {"form": form, "found": found})


@auditors_only
@require_safe
def statement(request: HttpRequest, ref: UUID, year: int, number: int, kind: str) -> HttpResponse:
    """The statement of a refund: as PDF in the page's language, or as JSON."""
    in_language = language() if kind == "pdf" else None
    try:
        file = operations.read_statement(ref, year, number, language=in_language, actor=actor_of(request))
    except KanpuError as error:
        raise Http404(str(error)) from error
    return saved(file)
