"""Opening one resident by exact particulars, for a purpose; and closing it again."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from apps.audit.officers import Role
from apps.console.guard import offices_only, role_in
from apps.console.office_forms import OpenForm
from apps.console.opened import access_for, close, keep_open
from apps.console.problems import in_words
from apps.console.views.office_frame import page
from apps.kernel.errors import KanpuError
from apps.residents.operations.opening import Particulars, find_resident


@sensitive_post_parameters()
@offices_only
@require_http_methods(["GET", "HEAD", "POST"])
def open_resident(request: HttpRequest) -> HttpResponse:
    """Find the one resident who has these particulars. A miss says no more than that."""
    form = OpenForm(request.POST or None)
    if not form.is_valid():
        return page(request, "open.html", form=form)
    given = form.cleaned_data
    access = access_for(request, purpose=given["purpose"], case=given["case"])
    try:
        ref = find_resident(
            Particulars(given["number"], given["code"], given["birth_date"]), access=access, at=timezone.now()
        )
    except KanpuError as error:
        form.add_error(None, in_words(error))
        return page(request, "open.html", form=form)
    keep_open(request, ref, access)
    return redirect("office-person" if role_in(request) == Role.CLERK else "office-cards", ref=ref)


@offices_only
@require_POST
def close_resident(request: HttpRequest, ref: UUID) -> HttpResponse:
    """Forget the resident before the time is over."""
    close(request, ref)
    messages.success(request, _("The resident is closed."))
    return redirect("office")
