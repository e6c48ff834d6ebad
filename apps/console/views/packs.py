"""Evidence packs: of a run and of a case by a worker, of one resident's refund at once."""

from tempfile import TemporaryFile
from uuid import UUID

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.audit.access import Access
from apps.audit.officers import Thing
from apps.console.guard import actor_of, auditors_only, open_to_those_who_may, standing_in
from apps.console.opened import access_for, access_to
from apps.console.problems import in_words
from apps.console.views.purposes import ask_purpose
from apps.console.views.runs import done
from apps.inspections.models import Case
from apps.inspections.operations.packing import (
    make_refund_pack,
    open_case_pack,
    open_pack,
    request_case_pack,
    request_run_pack,
)
from apps.inspections.queries.cases import CaseMissing, case_of
from apps.inspections.queries.pack_case import resident_in
from apps.inspections.queries.packs import newest_pack, pack_of
from apps.kernel.errors import KanpuError

ZIP = "application/zip"


@auditors_only
@require_POST
def of_run(request: HttpRequest, year: int, number: int) -> HttpResponse:
    """Ask for the pack of a run."""
    return done(
        request,
        lambda: request_run_pack(year, number, actor=actor_of(request)),
        _("The evidence pack is asked for: a worker makes it."),
        redirect("run", year=year, number=number),  # no #…: such an address does not load itself again
    )


@open_to_those_who_may(Thing.REFUNDS)
@require_safe
def of_refund(request: HttpRequest, ref: UUID, year: int, number: int) -> HttpResponseBase:
    """The pack of a resident's refund, made as it is asked for."""
    access = access_to(request, ref)
    if access is None:
        return ask_purpose(request, ref)
    file = TemporaryFile()  # noqa: SIM115 - the answer closes it when it is sent
    try:
        made = make_refund_pack(
            ref, year, number, file, access=access, opens_protected=standing_in(request).opens_protected
        )
    except KanpuError as error:
        file.close()
        raise Http404(in_words(error)) from error
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=made.name, content_type=ZIP)


@auditors_only
@require_http_methods(["GET", "HEAD", "POST"])
def of_case(request: HttpRequest, case_id: int) -> HttpResponse:
    """Whether a case has a pack; a POST asks for it. Of a resident's case the purpose is asked first."""
    case = _case(case_id)
    access = _access(request, case)
    if access is None:
        return ask_purpose(request, _resident(case), then=request.path)
    if request.method == "POST":
        return done(
            request,
            lambda: request_case_pack(
                case.pk, access=access, opens_protected=standing_in(request).opens_protected
            ),
            _("The evidence pack is asked for: a worker makes it."),
            redirect("case-pack", case_id=case.pk),
        )  # fmt: skip
    pack = newest_pack(f"case:{case.pk}")
    at_work = pack is not None and pack.finished_at is None
    return render(request, "console/case_pack.html", {"case": case, "pack": pack, "at_work": at_work})


@auditors_only
@require_safe
def fetch(request: HttpRequest, pack_id: int) -> HttpResponseBase:
    """A pack that was made."""
    pack = pack_of(pack_id)
    if pack is None:
        raise Http404("There is no such pack.")
    try:
        if pack.case_id is None:
            file = open_pack(pack, actor=actor_of(request))
        else:
            case = _case(pack.case_id)
            access = _access(request, case)
            if access is None:
                return ask_purpose(request, _resident(case))
            file = open_case_pack(pack, case, access=access, opens_protected=standing_in(request).opens_protected)
    except KanpuError as error:
        raise Http404(in_words(error)) from error
    return FileResponse(file, as_attachment=True, filename=pack.file_name, content_type=ZIP)


def _case(case_id: int) -> Case:
    try:
        return case_of(case_id)
    except CaseMissing as error:
        raise Http404(str(error)) from error


def _access(request: HttpRequest, case: Case) -> Access | None:
    """For what the auditor looks: where the case is about a resident, None until the purpose was said."""
    ref = resident_in(case.subject)
    return access_to(request, ref) if ref else access_for(request, purpose="check", case=str(case.pk))


def _resident(case: Case) -> UUID:
    ref = resident_in(case.subject)
    if ref is None:
        raise Http404("The case is about no resident.")
    return ref
