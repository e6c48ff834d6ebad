"""The resident's purchases: found, each by itself, answered for while held, withdrawn."""

from collections.abc import Sequence
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from apps.accruals.operations.answering import AnswerFinal, TooManyAnswers, purchase_named
from apps.accruals.operations.withdrawing import PurchaseMissing, TooLateToWithdraw
from apps.portal.guard import resident_page
from apps.portal.operations.purchases import answer_own, withdraw_own
from apps.portal.queries.purchases import (
    PurchaseUnknown,
    Searchable,
    own_held,
    own_purchases,
    own_story,
    searchable,
)
from apps.portal.search import SearchForm
from apps.portal.viewer import Right, Viewer
from apps.refunds.templatetags.kanpu import in_language

READ_AND_DONE: Final = ["GET", "HEAD", "POST"]
LAST_PAGE: Final = 1_000_000


@require_safe
@resident_page()
def purchases(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """All of the resident's purchases that a search finds; without one, those of the newest year."""
    where = searchable(viewer.ref)
    if where is None:
        raise Http404("No tax year was started.")
    tiers = [(code, in_language(name)) for code, name in where.tiers.items()]
    form = SearchForm(_asked(request, where), scheme=where.scheme, tiers=tiers)
    shown: dict[str, Any] = {"form": form, "where": where, "may_dispute": viewer.may(Right.DISPUTE)}
    if form.is_valid():
        search = form.search()
        shown["found"] = own_purchases(viewer.ref, search, where, page=_page_number(request))
        shown["erased"] = [year for year in where.within(search) if year.erased_at]
    elif request.htmx:  # type: ignore[attr-defined]  # set by its middleware
        return HttpResponseClientRedirect(request.get_full_path())  # errors stand beside the fields
    return render(request, "portal/purchases.html", shown)


def _asked(request: HttpRequest, where: Searchable) -> dict[str, str]:
    given = {name: request.GET[name] for name in SearchForm.base_fields if name in request.GET}
    return given or {"first": f"{where.newest}-01-01", "last": f"{where.newest}-12-31"}


def _page_number(request: HttpRequest) -> int:
    page = request.GET.get("page", "")
    return min(max(int(page), 1), LAST_PAGE) if page.isdecimal() and len(page) < 20 else 1


@require_safe
@resident_page()
def purchase(request: HttpRequest, viewer: Viewer, terminal_id: int, seq: int) -> HttpResponse:
    """One purchase."""
    try:
        found = own_story(viewer.ref, terminal_id, seq)
    except PurchaseUnknown as error:
        raise Http404(str(error)) from error
    shown = {"found": found, "story": found.story, "may_dispute": viewer.may(Right.DISPUTE)}
    return render(request, "portal/purchase.html", shown)


@require_POST
@resident_page(Right.DISPUTE)
def answered(request: HttpRequest, viewer: Viewer, terminal_id: int, seq: int) -> HttpResponse:
    """An answer for one held purchase, given on its page."""
    try:
        _say(request, viewer, [purchase_named(f"{terminal_id}-{seq}")], confirm="mine" in request.POST)
    except PurchaseMissing as error:
        raise Http404(str(error)) from error
    return redirect("my-purchase", terminal_id=terminal_id, seq=seq)


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
    _say(request, viewer, [purchase_named(name) for name in names], confirm=confirm)


def _say(request: HttpRequest, viewer: Viewer, purchases: Sequence[tuple[int, int]], *, confirm: bool) -> None:
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
        found = own_story(viewer.ref, terminal_id, seq).story
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
