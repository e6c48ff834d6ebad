"""Seeing a resident beyond one's role, for a while, with a second officer's approval."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.audit.models import BreakGlass
from apps.audit.officers import Role
from apps.audit.operations.openings import note_opening
from apps.console.exception_forms import GlassForm
from apps.console.guard import actor_of, fresh_key, role_in, staff_only, standing_in
from apps.console.opened import access_for, close, keep_open
from apps.console.problems import in_words
from apps.console.queries.exceptions import glass_page, glasses_for
from apps.console.views.office_frame import page
from apps.console.views.runs import done
from apps.kernel.errors import KanpuError
from apps.residents.operations.break_glass import APPROVERS, ask_to_break_glass, break_glass, end_glass

glass_officers = staff_only(Role.AUDITOR, Role.CLERK, Role.HELPDESK)


@glass_officers
@require_http_methods(["GET", "HEAD", "POST"])
def glasses(request: HttpRequest) -> HttpResponse:
    """Ask; what waits, what is open, what was."""
    initial = {"resident": request.GET.get("resident", "").replace("\0", "")}
    form = GlassForm(request.POST or None, initial={name: value for name, value in initial.items() if value})
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        access = access_for(request, purpose=given["reason"], case=given["case"])
        try:
            ask_to_break_glass(given["resident"], access=access, minutes=given["minutes"], at=timezone.now())
        except KanpuError as error:
            form.add_error(None, in_words(error))
        else:
            messages.success(request, _("You have asked. It opens once another officer approves it."))
            return redirect("break-glass")
    standing = standing_in(request)
    found = glass_page(standing, actor_of(request), at=timezone.now())
    approves = bool(standing.roles & set(APPROVERS))
    return page(request, "break_glass.html", form=form, found=found, me=actor_of(request), approves=approves)


@glass_officers
@require_POST
@fresh_key("break-glass")
def approve(request: HttpRequest, glass_id: int) -> HttpResponse:
    """Let another officer see the resident."""
    _found(request, glass_id)
    roles = standing_in(request).roles
    role = next((role for role in APPROVERS if role in roles), role_in(request))
    return done(
        request,
        lambda: break_glass(glass_id, role=role, at=timezone.now(), actor=actor_of(request)),
        _("It is open, and its time runs. The resident is told."),
        redirect("break-glass"),
    )


@glass_officers
@require_POST
def end(request: HttpRequest, glass_id: int) -> HttpResponse:
    """Close it before its time, or refuse it."""
    found = _found(request, glass_id)
    close(request, found.resident_ref)
    return done(
        request,
        lambda: end_glass(glass_id, at=timezone.now(), actor=actor_of(request)),
        _("It is closed."),
        redirect("break-glass"),
    )


@glass_officers
@require_POST
def open_resident(request: HttpRequest, glass_id: int) -> HttpResponse:
    """Go on to the resident while it is open: who asked, nobody else."""
    found = _found(request, glass_id)
    now = timezone.now()
    if found.asked_by != actor_of(request) or found.ended_at or found.ends_at is None or found.ends_at <= now:
        messages.error(request, _("This is not open for you, or no longer."))
        return redirect("break-glass")
    access = access_for(request, purpose=found.reason, case=found.case)
    note_opening(access, found.resident_ref, at=now)
    keep_open(request, found.resident_ref, access, glass_until=found.ends_at)
    names = {Role.CLERK: "office-person", Role.HELPDESK: "office-cards"}
    name = names.get(role_in(request))
    return redirect(name, ref=found.resident_ref) if name else redirect("refunds")


def _found(request: HttpRequest, glass_id: int) -> BreakGlass:
    found = glasses_for(standing_in(request), actor_of(request)).filter(pk=glass_id).first()
    if found is None:
        raise Http404("There is no such request.")
    return found
