"""The resident's cards: at any hour they are reported lost, had again, ordered anew."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.portal.forms import LostForm, OrderForm
from apps.portal.operations.cards import order_another, report_lost, resume_own
from apps.portal.queries.accounts import NoAccount
from apps.portal.queries.cards import own_cards
from apps.residents.models import CardOrder
from apps.residents.operations.card_life import CardMissing, CardNotSuspended, LostInTheFuture


@require_safe
@never_cache
@login_required
def cards(request: HttpRequest) -> HttpResponse:
    """All of the resident's cards."""
    return _page(request)


@require_POST
@never_cache
@login_required
def lost(request: HttpRequest) -> HttpResponse:
    """Suspend the resident's cards."""
    form, now = LostForm(request.POST), timezone.now()
    if not form.is_valid():
        return _page(request, lost_form=form)
    try:
        report_lost(request.user, lost_since=form.lost_since(now), at=now)
    except LostInTheFuture:
        form.add_error("day", _("This time is yet to come."))
        return _page(request, lost_form=form)
    except (NoAccount, CardMissing) as error:
        raise Http404(str(error)) from error
    messages.success(request, _("Your card is suspended. Nobody can collect purchases with it."))
    return redirect("my-cards")


@require_POST
@never_cache
@login_required
def resume(request: HttpRequest, card_id: int) -> HttpResponse:
    """The resident has the card again."""
    try:
        resume_own(request.user, card_id, at=timezone.now())
    except CardNotSuspended:
        messages.error(request, _("The card was not suspended any more."))
    except (NoAccount, CardMissing) as error:
        raise Http404(str(error)) from error
    else:
        messages.success(request, _("You can use your card again."))
    return redirect("my-cards")


@require_POST
@never_cache
@login_required
def order(request: HttpRequest) -> HttpResponse:
    """Order another card."""
    form = OrderForm(request.POST)
    if not form.is_valid():
        return _page(request, order_form=form)
    try:
        order_another(request.user, reason=CardOrder.Reason(form.cleaned_data["reason"]), at=timezone.now())
    except (NoAccount, CardMissing) as error:
        raise Http404(str(error)) from error
    messages.success(request, _("Another card is ordered."))
    return redirect("my-cards")


def _page(request: HttpRequest, lost_form: LostForm | None = None, order_form: OrderForm | None = None) -> HttpResponse:
    try:
        found = own_cards(request.user)
    except NoAccount as error:
        raise Http404(str(error)) from error
    lost_form = lost_form or LostForm(initial={"when": "earlier" if found.all_lost else "now"})
    shown = {"found": found, "lost_form": lost_form, "order_form": order_form or OrderForm()}
    return render(request, "portal/cards.html", shown)
