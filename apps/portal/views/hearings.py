"""What is held against a purchase of the resident's, and the reply to it."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.inspections.operations.annulments import ReplyTimeOver
from apps.inspections.queries.annulments import AnnulmentMissing
from apps.portal.dispute_forms import ReplyForm
from apps.portal.guard import resident_page
from apps.portal.operations.hearings import reply_own
from apps.portal.queries.hearings import Hearing, own_hearing, own_hearings
from apps.portal.viewer import Right, Viewer


@require_safe
@resident_page()
def hearings(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """All that was held against the resident's purchases."""
    found = own_hearings(viewer.ref, page=request.GET.get("page"))
    return render(request, "portal/hearings.html", {"found": found})


@require_safe
@resident_page()
def hearing(request: HttpRequest, viewer: Viewer, hearing_id: int) -> HttpResponse:
    """What is held against a purchase."""
    return _page(request, viewer, _found(viewer, hearing_id), ReplyForm())


@require_POST
@resident_page(Right.DISPUTE)
def reply(request: HttpRequest, viewer: Viewer, hearing_id: int) -> HttpResponse:
    """Reply to it, once."""
    found, form = _found(viewer, hearing_id), ReplyForm(request.POST)
    if not form.is_valid():
        return _page(request, viewer, found, form)
    try:
        reply_own(viewer, hearing_id, words=form.cleaned_data["words"], at=timezone.now())
    except ReplyTimeOver:
        messages.error(request, _("The time to reply is over, or you replied before."))
    else:
        messages.success(request, _("Your reply is with the refund office."))
    return redirect("my-hearing", hearing_id=hearing_id)


def _found(viewer: Viewer, hearing_id: int) -> Hearing:
    try:
        return own_hearing(viewer.ref, hearing_id)
    except AnnulmentMissing as error:
        raise Http404(str(error)) from error


def _page(request: HttpRequest, viewer: Viewer, found: Hearing, form: ReplyForm) -> HttpResponse:
    shown = {"found": found, "form": form, "may_dispute": viewer.may(Right.DISPUTE)}
    return render(request, "portal/hearing.html", shown)
