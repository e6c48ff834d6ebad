"""What the resident chooses: whether purchases are recorded."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.portal.operations.choices import set_recording
from apps.portal.queries.accounts import NoAccount
from apps.portal.queries.choices import own_pauses


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def choices(request: HttpRequest) -> HttpResponse:
    """Pause recording, or go on with it."""
    try:
        if request.POST.get("recorded") in ("yes", "no"):
            recorded = request.POST["recorded"] == "yes"
            set_recording(request.user, recorded=recorded, at=timezone.now())
            done = _("Your purchases are recorded again.") if recorded else _("Recording is paused.")
            messages.success(request, done)
            return redirect("my-choices")
        pauses = own_pauses(request.user)
    except NoAccount as error:
        raise Http404(str(error)) from error
    return render(request, "portal/choices.html", {"pauses": pauses})
