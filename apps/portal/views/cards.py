"""The resident's cards: at any hour they are reported lost, had again, ordered anew."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.portal.forms import LostForm, OrderForm
from apps.portal.guard import resident_page
from apps.portal.operations.cards import order_another, report_lost, resume_own
from apps.portal.queries.cards import own_cards
from apps.portal.viewer import Right, Viewer
from apps.residents.models import CardOrder
from apps.residents.operations.card_life import CardMissing, CardNotSuspended, LostInTheFuture


@require_safe
@resident_page()
def cards(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """All of the resident's cards."""
    return _page(request, viewer)


@require_POST
@resident_page(Right.SELF)
def lost(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Suspend the resident's cards."""
    form, now = LostForm(request.POST), timezone.now()
    if not form.is_valid():
        return _page(request, viewer, lost_form=form)
    try:
        report_lost(viewer, lost_since=form.lost_since(now), at=now)
    except LostInTheFuture:
        form.add_error("day", _("This time is yet to come."))
        return _page(request, viewer, lost_form=form)
    except CardMissing as error:
        raise Http404(str(error)) from error
    messages.success(request, _("Your card is suspended. Nobody can collect purchases with it."))
    return redirect("my-cards")


@require_POST
@resident_page(Right.SELF)
def resume(request: HttpRequest, viewer: Viewer, card_id: int) -> HttpResponse:
    """The resident has the card again."""
    try:
        resume_own(viewer, card_id, at=timezone.now())
    except CardNotSuspended:
        messages.error(request, _("The card was not suspended any more."))
    except CardMissing as error:
        raise Http404(str(error)) from error
    else:
        messages.success(request, _("You can use your card again."))
    return redirect("my-cards")


@require_POST
@resident_page(Right.SELF)
def order(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Order another card."""
    form = OrderForm(request.POST)
    if not form.is_valid():
        return _page(request, viewer, order_form=form)
    try:
        order_another(viewer, reason=CardOrder.Reason(form.cleaned_data["reason"]), at=timezone.now())
    except CardMissing as error:
        raise Http404(str(error)) from error
    messages.success(request, _("Another card is ordered."))
    return redirect("my-cards")


def _page(
    request: HttpRequest, viewer: Viewer, lost_form: LostForm | None = None, order_form: OrderForm | None = None
) -> HttpResponse:
    found = own_cards(viewer.ref)
    lost_form = lost_form or LostForm(initial={"when": "earlier" if found.all_lost else "now"})
    shown = {"viewer": viewer, "found": found, "lost_form": lost_form, "order_form": order_form or OrderForm()}
    return render(request, "portal/cards.html", shown)
