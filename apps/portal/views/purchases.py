"""Purchases that wait for the resident's answer, and the withdrawal of a counted one."""

from typing import Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from apps.accruals.operations.answering import AnswerFinal, TooManyAnswers, purchase_named
from apps.accruals.operations.withdrawing import PurchaseMissing, TooLateToWithdraw
from apps.portal.guard import resident_page
from apps.portal.operations.purchases import answer_own, withdraw_own
from apps.portal.queries.purchases import PurchaseUnknown, own_held, own_purchase
from apps.portal.viewer import Right, Viewer

READ_AND_DONE: Final = ["GET", "HEAD", "POST"]


@require_http_methods(READ_AND_DONE)
@resident_page(Right.DISPUTE)
def held(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Held purchases; an answer for one, or for all on the page."""
    try:
        if request.method == "POST":
            _answer(request, viewer)
            return redirect("my-held")
        found = own_held(viewer.ref, page=request.GET.get("page"))
    except (PurchaseMissing, TooManyAnswers) as error:
        raise Http404(str(error)) from error
    return render(request, "portal/held.html", {"found": found})


def _answer(request: HttpRequest, viewer: Viewer) -> None:
    confirm = "mine" in request.POST
    names = request.POST.getlist("mine") or request.POST.getlist("not_mine")
    if names == ["all"]:
        names = request.POST.getlist("purchase")
    purchases = [purchase_named(name) for name in names]
    try:
        answered = answer_own(viewer, purchases, confirm=confirm, at=timezone.now())
    except AnswerFinal:
        messages.error(request, _("The time for changing this answer is over."))
        return
    done = len(answered)
    if confirm:
        counted = sum(one.status == "counted" for one in answered)
        messages.success(
            request, ngettext("%(n)s purchase counts now.", "%(n)s purchases count now.", counted) % {"n": counted}
        )
    else:
        messages.success(
            request, ngettext("%(n)s purchase stays out.", "%(n)s purchases stay out.", done) % {"n": done}
        )


@require_http_methods(READ_AND_DONE)
@resident_page(Right.DISPUTE)
def withdrawal(request: HttpRequest, viewer: Viewer, terminal_id: int, seq: int) -> HttpResponse:
    """What withdrawing a purchase means; done when it is confirmed."""
    try:
        found = own_purchase(viewer.ref, terminal_id, seq)
        if request.method == "POST":
            withdraw_own(viewer, terminal_id, seq, at=timezone.now())
            messages.success(request, _("The purchase is erased, and its refund given up."))
            return redirect("year", year=found.tax_year)
    except TooLateToWithdraw:
        messages.error(request, _("The year of this purchase is being settled: it can no longer be withdrawn."))
        return redirect("year", year=found.tax_year)
    except (PurchaseUnknown, PurchaseMissing) as error:
        raise Http404(str(error)) from error
    return render(request, "portal/withdrawal.html", {"found": found})
