"""Where the refund is paid to, and what was paid."""

from typing import Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.portal.guard import fresh_sign_in, resident_page
from apps.portal.operations.payment import consent_own, undo_own, withdraw_own_consent
from apps.portal.queries.payment import own_payment
from apps.portal.viewer import Right, Viewer
from apps.residents.operations.accounts import COOLING_OFF, AccountMissing, ResidentErased

DAYS: Final = COOLING_OFF.days


@require_safe
@resident_page(Right.PAYMENT)
def payment(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The account, a change that waits, and each year's refunds."""
    found = own_payment(viewer, at=timezone.now())
    return render(request, "portal/payment.html", {"found": found, "days": DAYS})


@require_POST
@resident_page(Right.PAYMENT)
def undo(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Withdraw the change that does not hold yet."""
    try:
        undo_own(viewer, at=timezone.now())
    except (AccountMissing, ResidentErased):
        messages.error(request, _("There is no change any more that could be undone."))
    else:
        messages.success(request, _("The change is undone."))
    return redirect("my-payment")


@require_http_methods(["GET", "HEAD", "POST"])
@resident_page(Right.PAYMENT)
@fresh_sign_in
def public_account(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """What the consent to the public account means; given when it is confirmed."""
    if request.method != "POST":
        return render(request, "portal/public_account.html", {"days": DAYS})
    try:
        consent_own(viewer, at=timezone.now())
    except ResidentErased as error:
        raise Http404(str(error)) from error
    messages.success(request, _("You have consented: your refund goes to your public account."))
    return redirect("my-payment")


@require_POST
@resident_page(Right.PAYMENT)
def withdraw_public(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """End the consent to the public account at once."""
    try:
        withdraw_own_consent(viewer, at=timezone.now())
    except (AccountMissing, ResidentErased):
        messages.error(request, _("There is no consent any more that could be withdrawn."))
    else:
        messages.success(request, _("Your consent is withdrawn. Name an account, so that your refund can be paid."))
    return redirect("my-payment")
