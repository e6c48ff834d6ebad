"""Purchases that wait for the resident's answer, and the withdrawal of a counted one."""

import re
from typing import Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.accruals.operations.answering import AnswerFinal, TooManyAnswers
from apps.accruals.operations.withdrawing import PurchaseMissing, TooLateToWithdraw
from apps.portal.operations.purchases import answer_own, withdraw_own
from apps.portal.queries.accounts import NoAccount
from apps.portal.queries.held import own_held
from apps.portal.queries.purchases import PurchaseUnknown, own_purchase

READ_AND_DONE: Final = ["GET", "HEAD", "POST"]
LARGEST: Final = 2**31 - 1  # of a terminal's number and of a record's


@require_http_methods(READ_AND_DONE)
@never_cache
@login_required
def held(request: HttpRequest) -> HttpResponse:
    """Held purchases; an answer for one, or for all on the page."""
    try:
        if request.method == "POST":
            _answer(request)
            return redirect("my-held")
        found = own_held(request.user, page=request.GET.get("page"))
    except (NoAccount, PurchaseMissing, TooManyAnswers) as error:
        raise Http404(str(error)) from error
    return render(request, "portal/held.html", {"found": found})


def _answer(request: HttpRequest) -> None:
    confirm = "mine" in request.POST
    names = request.POST.getlist("mine") or request.POST.getlist("not_mine")
    if names == ["all"]:
        names = request.POST.getlist("purchase")
    try:
        answered = answer_own(request.user, [_key(name) for name in names], confirm=confirm, at=timezone.now())
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


def _key(name: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,10})-(\d{1,10})", name, re.ASCII)
    if match is None or max(map(int, match.groups())) > LARGEST:
        raise PurchaseMissing("There is no such purchase.")
    return int(match[1]), int(match[2])


@require_http_methods(READ_AND_DONE)
@never_cache
@login_required
def withdrawal(request: HttpRequest, terminal_id: int, seq: int) -> HttpResponse:
    """What withdrawing a purchase means; done when it is confirmed."""
    try:
        entry, shop = own_purchase(request.user, terminal_id, seq)
        if request.method == "POST":
            withdraw_own(request.user, terminal_id, seq, at=timezone.now())
            messages.success(request, _("The purchase is erased, and its refund given up."))
            return redirect("year", year=entry.tax_year)
    except TooLateToWithdraw:
        messages.error(request, _("The year of this purchase is being settled: it can no longer be withdrawn."))
        return redirect("year", year=entry.tax_year)
    except (NoAccount, PurchaseUnknown, PurchaseMissing) as error:
        raise Http404(str(error)) from error
    return render(request, "portal/withdrawal.html", {"entry": entry, "shop": shop})
