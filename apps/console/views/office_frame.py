"""How every page of an office is framed, and the gate before a resident."""

from functools import wraps
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit.access import Access
from apps.audit.operations import record_accesses
from apps.audit.purposes import purpose_words
from apps.console.guard import View, standing_in
from apps.console.opened import access_to, open_until
from apps.console.problems import in_words
from apps.console.queries.office import is_protected
from apps.kernel.errors import KanpuError

PROTECTED: Final = "refused: protected"


def page(request: HttpRequest, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
    """A page with the navigation of the user's roles."""
    standing = standing_in(request)
    frame = {"roles": standing.roles, "office": standing.office}
    return render(request, f"console/office/{template}", {**frame, **context}, status=status)


def resident_page(
    request: HttpRequest, template: str, access: Access, ref: UUID, *, here: str, status: int = 200, **context: Any
) -> HttpResponse:
    """A page of an opened resident, which says for what it is open and until when."""
    frame = {"ref": ref, "here": here, "purpose": purpose_words(access.purpose), "until": open_until(request, ref)}
    return page(request, template, status=status, case=access.case, **frame, **context)


def of_opened(view: View) -> View:
    """The view of a resident whom the user has opened; it gets the Access.

    Others are sent to open the resident. A protected one is shown to named officers only, and who tried is on record.
    """

    @wraps(view)
    def checked(request: HttpRequest, ref: UUID, **kwargs: Any) -> HttpResponseBase:
        access = access_to(request, ref)
        if access is None:
            messages.error(request, _("Open the resident first: a resident stays open for 15 minutes."))
            return redirect("office-open")
        if is_protected(ref) and not standing_in(request).opens_protected:
            record_accesses(access, [ref], what=PROTECTED, at=timezone.now())
            return page(request, "protected.html", status=403)
        try:
            return view(request, access, ref, **kwargs)
        except KanpuError as error:
            return page(request, "problem.html", status=409, problem=in_words(error))

    return checked
