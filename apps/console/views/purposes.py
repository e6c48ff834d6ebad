"""For what an auditor looks at a resident's refunds: asked before they are shown."""

from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from apps.console.guard import auditors_only
from apps.console.office_forms import PurposeForm
from apps.console.opened import access_for, keep_open
from apps.console.operations.auditing import state_purpose


def ask_purpose(request: HttpRequest, resident_ref: UUID, *, then: str = "", case: str = "") -> HttpResponse:
    """To the question for what, and from there back to `then`, by default the page that was asked for.

    `case` is the number of the case in which it is looked at.
    """
    address = reverse("purpose", args=[resident_ref])
    return redirect(f"{address}?{urlencode({'next': then or request.get_full_path(), 'case': case})}")


@auditors_only
@require_http_methods(["GET", "HEAD", "POST"])
def purpose(request: HttpRequest, ref: UUID) -> HttpResponse:
    """Ask for purpose and case; they hold for this resident for a quarter of an hour."""
    then = request.GET.get("next", "")
    form = PurposeForm(request.POST or None, case=request.GET.get("case", ""))
    if not form.is_valid():
        return render(request, "console/purpose.html", {"form": form, "ref": ref})
    access = access_for(request, purpose=form.cleaned_data["purpose"], case=form.cleaned_data["case"])
    state_purpose(ref, access=access)
    keep_open(request, ref, access)
    is_ours = then.startswith("/") and url_has_allowed_host_and_scheme(then, allowed_hosts=None)
    return redirect(then if is_ours else "refunds")
