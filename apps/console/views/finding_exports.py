"""Results of a search as files."""

from typing import cast

from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.audit.access import Access
from apps.console.find_forms import ExportForm
from apps.console.guard import actor_of, auditors_only, role_in, standing_in
from apps.console.opened import access_to_search
from apps.console.problems import in_words
from apps.console.views.finding import ask_search_purpose, searched_form
from apps.inspections.models import Export
from apps.inspections.operations.exporting import bell, cancel_export, opened_export, request_export
from apps.inspections.queries.searches import ExportMissing, exports_of, own_export
from apps.inspections.searching import OF_RESIDENTS
from apps.kernel.errors import KanpuError


@auditors_only
@require_POST
def find_export(request: HttpRequest, kind: str) -> HttpResponse:
    """The results of the address's search as a file: a small one at once, else where it is made."""
    form, wanted = searched_form(request, kind), ExportForm(request.POST)
    if not (form.is_bound and form.is_valid() and wanted.is_valid()):
        return redirect(f"{reverse('find', args=[kind])}?{request.GET.urlencode()}")
    access = access_to_search(request)
    if access is None and kind in OF_RESIDENTS:
        return ask_search_purpose(request)
    if access is None:
        access = Access(actor_of(request), role_in(request), standing_in(request).office, "")
    try:
        export = request_export(
            kind, form.search(), wanted.cleaned_data["format"], access=access,
            opens_protected=standing_in(request).opens_protected, at=timezone.now(),
        )  # fmt: skip
    except KanpuError as error:
        return render(request, "console/find_problem.html", {"problem": in_words(error), "kind": kind}, status=409)
    return _file(export.pk, request) if export.state == Export.State.DONE else redirect("export", export.pk)


@auditors_only
@require_safe
def exports(request: HttpRequest) -> HttpResponse:
    """An auditor's own exports."""
    return render(request, "console/exports.html", {"exports": exports_of(actor_of(request))})


@auditors_only
@require_safe
def export(request: HttpRequest, export_id: int) -> HttpResponse:
    """One export: how far it is, what is in it."""
    found = _own(export_id, request)
    if found.state == Export.State.WAITING:
        bell.ring()  # the last ring may have been heard by nobody
    context = {"export": found, "at_work": found.is_at_work}
    return render(request, "console/export.html", context)


@auditors_only
@require_POST
def export_cancel(request: HttpRequest, export_id: int) -> HttpResponse:
    """Give it up."""
    try:
        cancel_export(export_id, at=timezone.now(), actor=actor_of(request))
    except ExportMissing as error:
        raise Http404(str(error)) from error
    return redirect("export", export_id)


@auditors_only
@require_safe
def export_file(request: HttpRequest, export_id: int) -> HttpResponse:
    """The file."""
    return _file(export_id, request)


def _own(export_id: int, request: HttpRequest) -> Export:
    try:
        return own_export(export_id, actor=actor_of(request))
    except ExportMissing as error:
        raise Http404(str(error)) from error


def _file(export_id: int, request: HttpRequest) -> HttpResponse:
    try:
        path = opened_export(export_id, actor=actor_of(request), at=timezone.now())
    except ExportMissing as error:
        raise Http404(str(error)) from error
    file = FileResponse(path.open("rb"), as_attachment=True, filename=f"export-{export_id}.zip")
    return cast("HttpResponse", file)  # it streams
