"""The register's table, sent by a clerk. The file stays in memory: nothing of it is written to a disk in clear."""

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from apps.console.defects import defect_words
from apps.console.guard import actor_of, clerks_only
from apps.console.office_forms import FILE_MAX_BYTES, ImportForm
from apps.console.problems import in_words
from apps.console.views.office_frame import page
from apps.kernel.errors import KanpuError
from apps.residents.operations.importing.upload import Uploaded, register_upload
from apps.residents.uploads import InMemory

DEFECTS_SHOWN: Final = 100


@csrf_exempt  # by the inner view instead: Django reads a form, files and all, to look at its token
@clerks_only
@require_http_methods(["GET", "HEAD", "POST"])
def import_register(request: HttpRequest) -> HttpResponse:
    """Say how a file is held before anything of it is read; the form's token is looked at after that."""
    request.upload_handlers = [InMemory(request, FILE_MAX_BYTES)]
    return _import(request)


@csrf_protect
def _import(request: HttpRequest) -> HttpResponse:
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    if not form.is_valid():
        return page(request, "import.html", form=form)
    given = form.cleaned_data
    dry_run = given["how"] == "try"
    try:
        found = register_upload(
            given["file"].read(), municipality=given["municipality"], as_of=given["as_of"], dry_run=dry_run,
            at=timezone.now(), actor=actor_of(request),
        )  # fmt: skip
    except KanpuError as error:
        form.add_error("file", in_words(error))
        return page(request, "import.html", form=form)
    return page(request, "import.html", form=form, found=found, dry_run=dry_run, rows=_rows(found))


def _rows(found: Uploaded) -> list[tuple[int, str, str]]:
    """The first of what is wrong: line, column, why."""
    return [(defect.line, defect.column, defect_words(defect)) for defect in found.defects[:DEFECTS_SHOWN]]
