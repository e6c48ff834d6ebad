"""What the resident chooses: whether purchases are recorded."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from apps.portal.guard import resident_page
from apps.portal.operations.choices import set_recording
from apps.portal.queries.choices import own_pauses
from apps.portal.viewer import Right, Viewer


@require_http_methods(["GET", "HEAD", "POST"])
@resident_page(Right.SELF)
def choices(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Pause recording, or go on with it."""
    if request.POST.get("recorded") in ("yes", "no"):
        recorded = request.POST["recorded"] == "yes"
        set_recording(viewer, recorded=recorded, at=timezone.now())
        done = _("Your purchases are recorded again.") if recorded else _("Recording is paused.")
        messages.success(request, done)
        return redirect("my-choices")
    return render(request, "portal/choices.html", {"pauses": own_pauses(viewer.ref)})
