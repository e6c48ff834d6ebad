"""The resident's decisions: opened here, they count as told; an appeal can be made here until its last day."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe

from apps.kernel.documents.render import DocumentUnprintable
from apps.kernel.errors import KanpuError
from apps.portal.forms import AppealForm
from apps.portal.guard import resident_page
from apps.portal.operations.decisions import appeal_against, open_decision
from apps.portal.queries.decisions import own_decisions
from apps.portal.viewer import Right, Viewer
from apps.refunds.documents.files import letter_file
from apps.refunds.downloads import saved
from apps.refunds.models import Decision
from apps.refunds.operations.deciding import DecisionClosed, TooLate
from apps.refunds.queries.decisions import DecisionMissing, letter_of, page_of
from apps.refunds.templatetags.kanpu import language


@require_safe
@resident_page()
def decisions(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """All of the resident's decisions."""
    return render(request, "portal/decisions.html", {"decisions": own_decisions(viewer.ref)})


@require_GET
@resident_page()
def decision(request: HttpRequest, viewer: Viewer, decision_id: int) -> HttpResponse:
    """One decision."""
    return _page(request, _opened(viewer, decision_id), AppealForm())


@require_GET
@resident_page()
def letter(request: HttpRequest, viewer: Viewer, decision_id: int) -> HttpResponse:
    """Its letter as PDF, in the page's language."""
    opened = _opened(viewer, decision_id)
    try:
        return saved(letter_file(letter_of(opened), language=language()))
    except DocumentUnprintable:
        messages.error(request, _("The letter cannot be made: it has a character that cannot be printed."))
        return redirect("my-decision", decision_id=decision_id)


@require_POST
@resident_page(Right.DISPUTE)
def appeal(request: HttpRequest, viewer: Viewer, decision_id: int) -> HttpResponse:
    """Appeal against a decision."""
    form = AppealForm(request.POST)
    if not form.is_valid():
        return _page(request, _opened(viewer, decision_id), form)
    try:
        appeal_against(viewer, decision_id, reason=form.cleaned_data["reason"])
    except (TooLate, DecisionClosed):
        messages.error(request, _("You cannot appeal any more: the time is over, or you have appealed before."))
    except KanpuError as error:
        raise Http404(str(error)) from error
    else:
        messages.success(request, _("Your appeal has been received. You can read here how it is decided."))
    return redirect("my-decision", decision_id=decision_id)


def _opened(viewer: Viewer, decision_id: int) -> Decision:
    try:
        return open_decision(viewer, decision_id)
    except DecisionMissing as error:
        raise Http404(str(error)) from error


def _page(request: HttpRequest, opened: Decision, form: AppealForm) -> HttpResponse:
    return render(request, "portal/decision.html", {"found": page_of(opened), "form": form})
