"""Accounts that refunds are paid to: entered at a window, and compared with the register where the name differs."""

from typing import Any, Final
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.audit.access import Access
from apps.console.guard import clerks_only, standing_in
from apps.console.office_forms import ChannelForm, ReviewForm
from apps.console.opened import access_for, keep_open
from apps.console.operations.office import look_at_account
from apps.console.views.office_frame import of_opened, page, resident_page
from apps.console.views.runs import done
from apps.residents.account_forms import FoundAccountForm, PostAccountForm
from apps.residents.accounts.shown import shown
from apps.residents.models import CardSuspension, PaymentAccount
from apps.residents.operations import office
from apps.residents.operations.accounts import COOLING_OFF
from apps.residents.operations.office import Acting
from apps.residents.queries.accounts import accounts_to_review, waiting_account

Channel = CardSuspension.Channel
PURPOSE: Final = "account"


@clerks_only
@require_safe
def waiting(request: HttpRequest) -> HttpResponse:
    """Accounts whose holder's name differs. No resident is shown."""
    found = accounts_to_review(at=timezone.now(), page=request.GET.get("page"))
    return page(request, "accounts.html", found=found)


@clerks_only
@require_POST
def open_waiting(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Open the resident of an account on the list, for that purpose."""
    found = waiting_account(account_id)
    if found is None:
        raise Http404("No such account waits.")
    keep_open(request, found.resident_id, access_for(request, purpose=PURPOSE, case=""))
    return redirect("office-account", ref=found.resident_id)


@clerks_only
@require_safe
@of_opened
def account(request: HttpRequest, access: Access, ref: UUID) -> HttpResponse:
    """Where the resident's refunds go; both names side by side where they are to be compared."""
    return _account_page(request, access, ref, ReviewForm())


@clerks_only
@require_POST
@of_opened
def review(request: HttpRequest, access: Access, ref: UUID, account_id: UUID) -> HttpResponse:
    """Accept or refuse an account whose holder's name differs."""
    form = ReviewForm(request.POST)
    if not form.is_valid():
        return _account_page(request, access, ref, form)
    by = Acting(ref, access.actor, standing_in(request).office, Channel.WINDOW, timezone.now())
    reason = PaymentAccount.Reason(form.cleaned_data["reason"])
    said = _("What you found is on record, and the resident is told.")
    return done(
        request, lambda: office.review(by, account_id, reason=reason), said, redirect("office-account", ref=ref)
    )


@sensitive_post_parameters()
@clerks_only
@require_http_methods(["GET", "HEAD", "POST"])
@of_opened
def enter(request: HttpRequest, access: Access, ref: UUID) -> HttpResponse:
    """An account that the resident names; all of it is read back before it is saved."""
    data = request.POST if request.method == "POST" else None
    how = "post" if request.GET.get("how") == "post" else "bank"
    form = PostAccountForm(data) if how == "post" else FoundAccountForm(data)
    channel = ChannelForm(data)
    context: dict[str, Any] = {"form": form, "channel": channel, "how": how, "days": COOLING_OFF.days}
    is_right = data is not None and all([form.is_valid(), channel.is_valid()])
    if data is None or not is_right or "edit" in data:
        return resident_page(request, "account_enter.html", access, ref, here="account", **context)
    if "confirmed" not in data:
        read_back = shown(form.account)
        return resident_page(request, "account_confirm.html", access, ref, here="account", found=read_back, **context)
    by = Acting(
        ref, access.actor, standing_in(request).office, Channel(channel.cleaned_data["channel"]), timezone.now()
    )
    said = _("The account is saved, and the resident is told.")
    return done(request, lambda: office.name_account_for(by, form.account), said, redirect("office-account", ref=ref))


def _account_page(request: HttpRequest, access: Access, ref: UUID, form: ReviewForm) -> HttpResponse:
    found = look_at_account(ref, access=access, at=timezone.now())
    return resident_page(request, "account.html", access, ref, here="account", found=found, form=form)
