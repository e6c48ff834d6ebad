"""The resident's statements, as a page and as files, and the program that checks them."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.kernel.errors import KanpuError
from apps.portal.guard import resident_page
from apps.portal.queries.statements import own_statement, own_statements, statement_page
from apps.portal.verifier import verifier_zip
from apps.portal.viewer import Viewer
from apps.refunds.documents.files import File, statement_json_file, statement_pdf_file
from apps.refunds.downloads import saved
from apps.refunds.templatetags.kanpu import language


@require_safe
@resident_page()
def statements(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """All of the resident's statements, the newest first."""
    return render(request, "portal/statements.html", {"found": own_statements(viewer.ref)})


@require_safe
@resident_page()
def statement(request: HttpRequest, viewer: Viewer, year: int, number: int) -> HttpResponse:
    """The signed-in resident's statement of a run."""
    try:
        found = statement_page(viewer.ref, year, number)
    except KanpuError as error:
        raise Http404(str(error)) from error
    return render(request, "portal/statement.html", {"found": found})


@require_safe
@resident_page()
def statement_file(_request: HttpRequest, viewer: Viewer, year: int, number: int, kind: str) -> HttpResponse:
    """The same as PDF in the page's language, or as JSON with its proof."""
    try:
        data = own_statement(viewer.ref, year, number)
    except KanpuError as error:
        raise Http404(str(error)) from error
    return saved(statement_json_file(data) if kind == "json" else statement_pdf_file(data, language=language()))


@require_safe
def verifier(_request: HttpRequest) -> HttpResponse:
    """The program that checks statements offline."""
    return saved(File("kanpu_verify.pyz", "application/zip", verifier_zip()))
