"""Proxies, guardians and the household's sight of an opened resident, for who has no portal."""

from typing import Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.audit.access import Access
from apps.console.guard import clerks_only, standing_in
from apps.console.office_forms import ChannelForm
from apps.console.operations.office_proxies import look_at_acting, look_at_code_owner
from apps.console.proxy_forms import ConsentForm, GuardianForm, OfficeProxyForm
from apps.console.views.office_acts import acting_in
from apps.console.views.office_frame import of_opened, page, resident_page
from apps.console.views.runs import done
from apps.residents.forms import ProxyCodeForm
from apps.residents.models import CardSuspension
from apps.residents.operations import office_proxies as office

Channel = CardSuspension.Channel
FORMS: Final = {"named": OfficeProxyForm, "guardian": GuardianForm}
SEEN: Final = {True: "yes", False: "no"}


@clerks_only
@require_safe
@of_opened
def proxies(request: HttpRequest, access: Access, ref: UUID) -> HttpResponse:
    """Who acts for the resident, and what the household sees."""
    found = look_at_acting(ref, access=access, at=timezone.now())
    consent = ConsentForm(initial={"seen": SEEN[found.household.consented_at is not None]}, auto_id="consent_%s")
    return resident_page(
        request, "proxies.html", access, ref, here="proxies", found=found, consent=consent,
        code=ProxyCodeForm(),
    )  # fmt: skip


@clerks_only
@require_POST
@of_opened
def name(request: HttpRequest, access: Access, ref: UUID) -> HttpResponse:
    """Whose code it is and what they may do; a POST that confirms it names them."""
    kind = request.POST.get("kind", "named")
    code_form, now = ProxyCodeForm(request.POST), timezone.now()
    if not code_form.is_valid() or kind not in FORMS:
        messages.error(request, _("Enter the code."))
        return redirect("office-proxies", ref=ref)
    is_confirmed, code = "confirmed" in request.POST, code_form.cleaned_data["code"]
    form = FORMS[kind](request.POST) if is_confirmed else FORMS[kind](initial={"code": code})
    owner = look_at_code_owner(
        ref, code, access=access, opens_protected=standing_in(request).opens_protected, at=now
    )  # fmt: skip
    if owner.is_hidden:
        return page(request, "protected.html", status=403)
    if is_confirmed and form.is_valid():
        by = acting_in(request, access, ref, Channel(form.cleaned_data["channel"]))
        then = redirect("office-proxies", ref=ref)
        return done(request, lambda: office.name_for(by, code, form.terms()), _("It is recorded, and good now."), then)
    return resident_page(
        request, "name_proxy.html", access, ref, here="proxies", form=form, kind=kind, name=owner.name
    )  # fmt: skip


@clerks_only
@require_POST
@of_opened
def end(request: HttpRequest, access: Access, ref: UUID, proxy_id: int) -> HttpResponse:
    """From now on they act no more."""
    form = ChannelForm(request.POST)
    channel = Channel(form.cleaned_data["channel"]) if form.is_valid() else Channel.WINDOW
    by = acting_in(request, access, ref, channel)
    then = redirect("office-proxies", ref=ref)
    return done(request, lambda: office.end_for(by, proxy_id), _("It has ended."), then)


@clerks_only
@require_POST
@of_opened
def consent(request: HttpRequest, access: Access, ref: UUID) -> HttpResponse:
    """Let the others of the household see, or not any more."""
    form, then = ConsentForm(request.POST), redirect("office-proxies", ref=ref)
    if not form.is_valid():
        messages.error(request, _("Choose what the others see, and how it was asked for."))
        return then
    by = acting_in(request, access, ref, Channel(form.cleaned_data["channel"]))
    is_given = form.cleaned_data["seen"] == "yes"
    return done(request, lambda: office.set_consent_for(by, is_given=is_given), _("It is recorded."), then)
