"""The resident's household, and whether its others see what the resident spends and gets back."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.portal.guard import resident_page
from apps.portal.operations.proxies import set_consent
from apps.portal.queries.household import NoYear, household_page
from apps.portal.viewer import Right, Viewer
from apps.residents.models import Resident
from apps.residents.operations.household_consent import ChildDoesNotConsent, NoHousehold, ProtectedStaysHidden
from apps.schemes.queries import YearNotStarted


@require_safe
@resident_page(Right.SELF)
def household(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Members, and a year's amounts of those who let the resident see."""
    asked = request.GET.get("year", "")
    try:
        year = int(asked) if asked.isdecimal() and len(asked) < 20 else None
        found = household_page(viewer.ref, year=year, at=timezone.now())
    except (NoYear, YearNotStarted, Resident.DoesNotExist) as error:
        raise Http404(str(error)) from error
    return render(request, "portal/household.html", {"found": found})


@require_POST
@resident_page(Right.SELF)
def consent(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Let the others see, or not any more."""
    is_given = request.POST.get("seen") == "yes"
    try:
        set_consent(viewer, is_given=is_given, at=timezone.now())
    except (NoHousehold, ChildDoesNotConsent, ProtectedStaysHidden, Resident.DoesNotExist) as error:
        raise Http404(str(error)) from error
    if is_given:
        messages.success(request, _("The others of your household see what you spend and get back from now on."))
    else:
        messages.success(request, _("The others of your household see nothing of you any more."))
    return redirect("my-household")
