"""One refund by its resident's reference, with its documents."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.audit.officers import Thing
from apps.console.forms import RefundForm
from apps.console.guard import open_to_those_who_may
from apps.console.opened import access_to, may_read
from apps.console.operations import auditing
from apps.console.problems import in_words
from apps.console.views.purposes import ask_purpose
from apps.kernel.errors import KanpuError
from apps.refunds.downloads import saved
from apps.refunds.templatetags.kanpu import language


@open_to_those_who_may(Thing.REFUNDS)
@require_safe
def refunds(request: HttpRequest) -> HttpResponse:
    """Find a resident's refunds of a year; with `replay`, one of them computed again."""
    form, found = RefundForm(request.GET or None), None
    if form.is_valid():
        asked = form.cleaned_data
        access = access_to(request, asked["resident"])
        if access is None:
            return ask_purpose(request, asked["resident"])
        try:
            found = auditing.look_up_refunds(
                asked["resident"],
                asked["year"],
                replay_run=asked["replay"],
                access=access,
                opens_protected=may_read(request, asked["resident"]),
            )
        except KanpuError as error:
            form.add_error(None, in_words(error))
    return render(request, "console/refunds.html", {"form": form, "found": found})


@open_to_those_who_may(Thing.REFUNDS)
@require_safe
def statement(request: HttpRequest, ref: UUID, year: int, number: int, kind: str) -> HttpResponse:
    """The statement of a refund: as PDF in the page's language, or as JSON."""
    access = access_to(request, ref)
    if access is None:
        return ask_purpose(request, ref)
    in_language = language() if kind == "pdf" else None
    try:
        file = auditing.read_statement(ref, year, number, language=in_language, access=access)
    except KanpuError as error:
        raise Http404(str(error)) from error
    return saved(file)
