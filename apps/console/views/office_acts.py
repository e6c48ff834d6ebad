"""What a clerk does for an opened resident, at a window or by letter."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.accruals.answers import CONFIRMED
from apps.accruals.operations.answering import purchase_named
from apps.audit.access import Access
from apps.console.guard import clerks_only, standing_in
from apps.console.office_forms import AnswerForm, ChannelForm, HandOverForm, OrderForm, SuspendForm, WithdrawForm
from apps.console.operations.office import look_to_hand_over, look_to_withdraw
from apps.console.operations.office_purchases import answer_for, withdraw_for
from apps.console.views.office_frame import of_opened, resident_page
from apps.console.views.runs import done
from apps.residents.models import CardSuspension
from apps.residents.operations import office
from apps.residents.operations.office import Acting
from apps.residents.operations.returned_letters import record_returned

Channel = CardSuspension.Channel


@clerks_only
@require_POST
@of_opened
def suspend(request: HttpRequest, access: Access, ref: UUID) -> HttpResponse:
    """Suspend the resident's cards."""
    return _act(
        request, access, ref, SuspendForm(request.POST), then="office-cards", said=_("The card is suspended."),
        work=lambda by, given: office.suspend(by, lost_since=given["lost_since"]),
    )  # fmt: skip


@clerks_only
@require_POST
@of_opened
def resume(request: HttpRequest, access: Access, ref: UUID, card_id: int) -> HttpResponse:
    """The holder stands at the window with the card."""
    by = acting_in(request, access, ref, Channel.WINDOW)
    said = _("The card is good again. What was bought meanwhile is held until the resident confirms or denies it.")
    return done(request, lambda: office.resume(by, card_id), said, redirect("office-cards", ref=ref))


@clerks_only
@require_POST
@of_opened
def order(request: HttpRequest, access: Access, ref: UUID) -> HttpResponse:
    """Order another card."""
    return _act(
        request, access, ref, OrderForm(request.POST), then="office-cards", said=_("Another card is ordered."),
        work=lambda by, given: office.order(by, reason=given["reason"]),
    )  # fmt: skip


@clerks_only
@require_http_methods(["GET", "HEAD", "POST"])
@of_opened
def hand_over(request: HttpRequest, access: Access, ref: UUID, card_id: int) -> HttpResponse:
    """Ask for the documents that were checked; a POST hands the card over, which cannot be undone."""
    form = HandOverForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        by = acting_in(request, access, ref, Channel.WINDOW)
        return done(
            request,
            lambda: office.give(by, card_id, documents=form.cleaned_data["documents"]),
            _("The card is handed over and good from now on."),
            redirect("office-cards", ref=ref),
        )
    found = look_to_hand_over(ref, card_id, access=access, at=timezone.now())
    return resident_page(request, "hand_over.html", access, ref, here="cards", found=found, form=form)


@clerks_only
@require_POST
@of_opened
def returned(request: HttpRequest, access: Access, ref: UUID, notice_id: int) -> HttpResponse:
    """A letter of the resident's came back."""
    office_name, at = standing_in(request).office, timezone.now()
    return done(
        request,
        lambda: record_returned(notice_id, resident_ref=ref, office=office_name, at=at, actor=access.actor),
        _("It is recorded that the letter came back. Its code is void."),
        redirect("office-letters", ref=ref),
    )


@clerks_only
@require_POST
@of_opened
def pause(request: HttpRequest, access: Access, ref: UUID) -> HttpResponse:
    """Record purchases no more."""
    return _act(
        request, access, ref, ChannelForm(request.POST), then="office-choices",
        said=_("Purchases are not recorded from now on."), work=lambda by, _given: office.pause(by),
    )  # fmt: skip


@clerks_only
@require_POST
@of_opened
def unpause(request: HttpRequest, access: Access, ref: UUID) -> HttpResponse:
    """Record purchases again."""
    return _act(
        request, access, ref, ChannelForm(request.POST), then="office-choices", said=_("Purchases are recorded again."),
        work=lambda by, _given: office.unpause(by),
    )  # fmt: skip


@clerks_only
@require_POST
@of_opened
def answer(request: HttpRequest, access: Access, ref: UUID) -> HttpResponse:
    """Confirm or deny the held purchases that are ticked."""
    return _act(
        request, access, ref, AnswerForm(request.POST), then="office-purchases",
        said=_("The resident's answer is on record."),
        work=lambda by, given: answer_for(
            by, [purchase_named(name) for name in given["purchase"]], confirm=given["answer"] == CONFIRMED
        ),
    )  # fmt: skip


@clerks_only
@require_http_methods(["GET", "HEAD", "POST"])
@of_opened
def withdraw(request: HttpRequest, access: Access, ref: UUID, terminal_id: int, seq: int) -> HttpResponse:
    """Ask whether a purchase shall be withdrawn; a POST erases it, which cannot be undone."""
    form = WithdrawForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        by = acting_in(request, access, ref, Channel(form.cleaned_data["channel"]))
        back = reverse("office-purchases", args=[ref], query={"year": form.cleaned_data["year"]})
        said = _("The purchase is erased, and its refund given up.")
        return done(request, lambda: withdraw_for(by, terminal_id, seq), said, redirect(back))
    found = look_to_withdraw(ref, terminal_id, seq, access=access, at=timezone.now())
    return resident_page(request, "withdrawal.html", access, ref, here="purchases", found=found, form=form)


def acting_in(request: HttpRequest, access: Access, ref: UUID, channel: Channel) -> Acting:
    """As whom a clerk does something for an opened resident."""
    return Acting(ref, access.actor, standing_in(request).office, channel, timezone.now())


def _act(
    request: HttpRequest,
    access: Access,
    ref: UUID,
    form: forms.Form,
    *,
    then: str,
    said: str,
    work: Callable[[Acting, dict[str, Any]], object],
) -> HttpResponse:
    """Do it if the form is right; else say what is wrong with it, on the page that it came from."""
    if not form.is_valid():
        for name, errors in form.errors.items():
            messages.error(request, f"{form.fields[name].label}: {' '.join(map(str, errors))}")
        return redirect(then, ref=ref)
    by = acting_in(request, access, ref, Channel(form.cleaned_data["channel"]))
    return done(request, lambda: work(by, form.cleaned_data), said, redirect(then, ref=ref))
