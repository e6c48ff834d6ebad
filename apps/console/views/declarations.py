"""Declared against reported: the differences, cases about them, and the import of returns."""

from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.console.declaration_forms import FILE_MAX_BYTES, DifferencesForm, ReturnsForm
from apps.console.guard import actor_of, auditors_only
from apps.console.problems import in_words
from apps.console.queries.declarations import DEFECTS, DeclarationMissing, declaration_of, differences_page
from apps.console.queries.merchants import MerchantMissing
from apps.console.views.runs import done
from apps.inspections.models import Source
from apps.inspections.operations.cases import open_case
from apps.inspections.operations.declaring import Imported, import_declarations
from apps.kernel.errors import KanpuError
from apps.residents.uploads import InMemory

DEFECTS_SHOWN: Final = 100


@auditors_only
@require_safe
def declarations(request: HttpRequest) -> HttpResponse:
    """The differences of a year, the largest first."""
    form = DifferencesForm(request.GET)
    form.is_valid()
    asked = form.cleaned_data
    try:
        found = differences_page(
            year=str(asked.get("year") or ""), kind=asked.get("kind") or "", least=asked.get("least"),
            page=request.GET.get("page"),
        )  # fmt: skip
    except MerchantMissing as error:
        raise Http404(str(error)) from error
    shown = DifferencesForm(initial={"year": found.year, "kind": found.kind, "least": found.least_yen})
    return render(request, "console/declarations.html", {"found": found, "form": form if form.errors else shown})


@auditors_only
@require_POST
def declaration_case(request: HttpRequest, declaration_id: int) -> HttpResponse:
    """Open a case about a return."""
    try:
        found = declaration_of(declaration_id)
    except DeclarationMissing as error:
        raise Http404(str(error)) from error
    period = {"from": found.from_date.isoformat(), "to": found.to_date.isoformat(), "name": found.merchant.name[:120]}
    title = _("%(name)s: sales declared from %(from)s to %(to)s") % period
    return done(
        request,
        lambda: open_case(
            Source.DECLARATION, found.pk, subject=f"merchant:{found.merchant_id}", title=title, at=timezone.now(),
            actor=actor_of(request),
        ),
        _("A case is open about this merchant's return."),
        redirect("declarations"),
    )  # fmt: skip


@csrf_exempt  # by the inner view instead: Django reads a form, files and all, to look at its token
@auditors_only
@require_http_methods(["GET", "HEAD", "POST"])
def import_returns(request: HttpRequest) -> HttpResponse:
    """Say how a file is held before anything of it is read; the form's token is looked at after that."""
    request.upload_handlers = [InMemory(request, FILE_MAX_BYTES)]
    return _import(request)


@csrf_protect
def _import(request: HttpRequest) -> HttpResponse:
    form = ReturnsForm(request.POST, request.FILES) if request.method == "POST" else ReturnsForm()
    if not form.is_valid():
        return render(request, "console/declarations_import.html", {"form": form})
    given, dry_run = form.cleaned_data, form.cleaned_data["how"] == "try"
    try:
        found = import_declarations(given["file"].read(), dry_run=dry_run, at=timezone.now(), actor=actor_of(request))
    except KanpuError as error:
        form.add_error("file", in_words(error))
        return render(request, "console/declarations_import.html", {"form": form})
    shown = {"form": form, "found": found, "dry_run": dry_run, "rows": _rows(found)}
    return render(request, "console/declarations_import.html", shown)


def _rows(found: Imported) -> list[tuple[int, str, str]]:
    """The first of what is wrong: line, column, why."""
    return [(line, column, str(DEFECTS.get(code, code))) for line, column, code in found.defects[:DEFECTS_SHOWN]]
