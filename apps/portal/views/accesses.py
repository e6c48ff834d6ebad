"""Who looked at the data of the resident who signed in, and the question why."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.portal.forms import AskForm
from apps.portal.guard import resident_page
from apps.portal.operations.messages import ask_about
from apps.portal.queries.accesses import own_access, own_accesses
from apps.portal.viewer import Right, Viewer
from apps.residents.operations.questions import AccessUnknown, AskedBefore


@require_safe
@resident_page()
def accesses(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Accesses to the resident's data, the newest first."""
    found = own_accesses(viewer.ref, page=request.GET.get("page"))
    return render(request, "portal/accesses.html", {"found": found})


@require_http_methods(["GET", "HEAD", "POST"])
@resident_page(Right.SELF)
def ask(request: HttpRequest, viewer: Viewer, record_id: int) -> HttpResponse:
    """Ask the office that looked why it did."""
    record = own_access(viewer.ref, record_id)
    if record is None:
        raise Http404("There is no such access.")
    form = AskForm(request.POST if request.method == "POST" else None)
    if request.method != "POST" or not form.is_valid():
        return render(request, "portal/ask.html", {"record": record, "form": form})
    try:
        ask_about(viewer, record_id, form.cleaned_data["words"], at=timezone.now())
    except AccessUnknown as error:
        raise Http404(str(error)) from error
    except AskedBefore:
        messages.error(request, _("You asked about this before."))
    else:
        messages.success(request, _("Your question is sent. The answer comes here, and a message tells you."))
    return redirect("my-accesses")
