"""The code on a receipt is entered, and its purchase becomes the resident's."""

from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.accruals.claims import ClaimCodeInvalid
from apps.accruals.operations.claiming import (
    ClaimNotResident,
    ClaimTaken,
    ClaimTooLate,
    ClaimUnknown,
    ClaimVoid,
    TooManyGuesses,
)
from apps.kernel.errors import KanpuError
from apps.portal.forms import ClaimForm
from apps.portal.guard import resident_page
from apps.portal.operations.purchases import claim_own
from apps.portal.viewer import Right, Viewer

WHY: Final[dict[type[KanpuError], Promise]] = {
    ClaimCodeInvalid: _(
        "This is no code of a receipt. It has 26 letters and digits, without I, L, O and U. Check it again."
    ),
    ClaimUnknown: _(
        "No purchase has this code. Check it again. If the receipt is new, the shop may not have sent it yet: try again"
        " tomorrow. Shops may send purchases until the filing deadline of the year."
    ),
    ClaimTaken: _("This purchase was claimed before. If it was you, it is among your purchases."),
    ClaimVoid: _("The shop cancelled this purchase: there is nothing to claim."),
    ClaimNotResident: _("You were not resident on the day of this purchase: it brings you nothing."),
    ClaimTooLate: _("The filing deadline of this purchase's year is over: it can no longer be claimed."),
}


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
@resident_page(Right.DISPUTE)
def claim(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """The code; the purchase is shown once it is the resident's."""
    form = ClaimForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            terminal_id, seq = claim_own(viewer, form.cleaned_data["code"], at=timezone.now())
        except tuple(WHY) as error:
            form.add_error("code", str(WHY[type(error)]))
        except TooManyGuesses as error:
            form.add_error("code", _too_many(error))
        else:
            messages.success(request, _("The purchase is yours now."))
            return redirect("my-purchase", terminal_id=terminal_id, seq=seq)
    return render(request, "portal/claim.html", {"form": form})


def _too_many(error: TooManyGuesses) -> str:
    again_at = date_format(timezone.localtime(error.retry_at), "DATETIME_FORMAT")
    return str(_("Too many codes were wrong. Try again after %(at)s.") % {"at": again_at})
