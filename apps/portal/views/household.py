"""The resident's household, and whether its others see what the resident spends and gets back."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.portal.guard import fresh_sign_in, resident_page
from apps.portal.operations.proxies import set_consent, set_head_payment
from apps.portal.queries.household import NoYear, household_page
from apps.portal.viewer import Right, Viewer
from apps.residents.models import Resident
from apps.residents.operations.head_payments import NoHeadToPay
from apps.residents.operations.household_consent import ChildDoesNotConsent, NoHousehold, ProtectedStaysHidden
from apps.residents.queries.head_payments import head_payment_of
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


@require_http_methods(["GET", "HEAD", "POST"])
@resident_page(Right.SELF)
@fresh_sign_in
def head_payment(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """What it means that refunds of all adults go to the head; agreed to, or taken back."""
    now = timezone.now()
    if request.method != "POST":
        return render(request, "portal/household_payment.html", {"found": head_payment_of(viewer.ref, at=now)})
    is_given = request.POST.get("agreed") == "yes"
    try:
        set_head_payment(viewer, is_given=is_given, at=now)
    except NoHeadToPay as error:
        raise Http404(str(error)) from error
    if is_given:
        messages.success(request, _("You have agreed that refunds of your household go to its head."))
    else:
        messages.success(request, _("You have taken it back: each adult of your household is paid the own refund."))
    return redirect("my-household")


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
