"""Disputes in the console: those that wait, one to decide, its photo and its letter."""

from collections.abc import Callable

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.accruals.models import Dispute
from apps.audit.access import Access
from apps.console.dispute_forms import AppealVerdictForm, QuestionForm, VerdictForm
from apps.console.guard import actor_of, auditors_only, fresh_key, standing_in
from apps.console.opened import access_to, may_read
from apps.console.operations.disputes import (
    check_may_open,
    look_at_dispute,
    look_at_photo,
    read_dispute_letter,
)
from apps.console.operations.protected import ForNamedOfficers
from apps.console.problems import in_words
from apps.console.queries.disputes import Examined, disputes_page, offered_for
from apps.console.views.purposes import ask_purpose
from apps.console.views.runs import done
from apps.kernel.errors import KanpuError
from apps.refunds.downloads import saved
from apps.refunds.operations import adjudicating
from apps.refunds.operations.adjudicating import Verdict
from apps.refunds.queries.disputes import DisputeMissing, dispute_of


@auditors_only
@require_safe
def disputes(request: HttpRequest) -> HttpResponse:
    """Disputes by stage and kind, those that are due first."""
    found = disputes_page(request.GET.get("stage", ""), request.GET.get("kind", ""), page=request.GET.get("page"))
    return render(request, "console/disputes.html", {"found": found})


@auditors_only
@require_safe
def dispute(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """One dispute, for a stated purpose."""
    return _page(request, _found(dispute_id))


@auditors_only
@require_safe
def photo(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """The photo that the resident sent."""
    found = _found(dispute_id)
    access = access_to(request, found.resident_ref)
    if access is None:
        return _purpose(request, found)
    try:
        picture = look_at_photo(found, access=access, opens_protected=may_read(request, found.resident_ref))
    except KanpuError as error:
        messages.error(request, in_words(error))
        return redirect("disputes")
    return HttpResponse(picture, content_type="image/jpeg")


@auditors_only
@require_safe
def letter(request: HttpRequest, dispute_id: int, language: str) -> HttpResponse:
    """The letter of a decision, in the resident's language."""
    found = _found(dispute_id)
    access = access_to(request, found.resident_ref)
    if access is None:
        return _purpose(request, found)
    if found.decided_at is None:
        raise Http404("Nothing is decided.")
    opens_protected = may_read(request, found.resident_ref)
    try:
        file = read_dispute_letter(
            found, language="en" if language == "en" else "ja", access=access, opens_protected=opens_protected
        )
    except KanpuError as error:
        messages.error(request, in_words(error))
        return redirect("disputes")
    return saved(file)


@auditors_only
@require_POST
def ask(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """Ask the resident something."""
    form = QuestionForm(request.POST)
    return _act(
        request,
        _found(dispute_id),
        {"question": form},
        lambda: adjudicating.ask(dispute_id, **form.cleaned_data, at=timezone.now(), actor=actor_of(request)),
        _("The resident is asked."),
    )


@auditors_only
@require_POST
def propose(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """Propose a decision to another officer."""
    found = _found(dispute_id)
    form = _verdict_form(found, request)
    return _act(
        request,
        found,
        {"verdict": form},
        lambda: adjudicating.propose(
            dispute_id, _verdict(form), office=standing_in(request).office or _("Refund office"), at=timezone.now(),
            actor=actor_of(request),
        ),
        _("The decision is proposed. Another officer approves it."),
    )  # fmt: skip


@auditors_only
@require_POST
@fresh_key("dispute", "dispute_id")
def approve(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """Approve another officer's proposal."""
    shown = request.POST.get("shown", "")
    return _act(
        request,
        _found(dispute_id),
        {},
        lambda: adjudicating.approve(dispute_id, shown=shown, at=timezone.now(), actor=actor_of(request)),
        _("The dispute is decided, and what it changes is changed."),
    )


@auditors_only
@require_POST
def send_back(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """Take a proposal back."""
    return _act(
        request,
        _found(dispute_id),
        {},
        lambda: adjudicating.send_back(dispute_id, at=timezone.now(), actor=actor_of(request)),
        _("The proposal is taken back."),
    )


@auditors_only
@require_POST
@fresh_key("dispute", "dispute_id")
def decide_appeal(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """Decide an appeal."""
    found = _found(dispute_id)
    form = _verdict_form(found, request)
    return _act(
        request,
        found,
        {"verdict": form},
        lambda: adjudicating.decide_appeal(dispute_id, _verdict(form), at=timezone.now(), actor=actor_of(request)),
        _("The appeal is decided, and what it changes is changed."),
    )


def _act(
    request: HttpRequest, found: Dispute, sent: dict[str, forms.Form], act: Callable[[], object], said: str
) -> HttpResponse:
    """Do something to a dispute that the officer opened and may see; a form that is not right is shown again."""
    access = access_to(request, found.resident_ref)
    if access is None:
        return _purpose(request, found)
    try:
        check_may_open(found, access=access, opens_protected=standing_in(request).opens_protected)
    except ForNamedOfficers as error:
        messages.error(request, in_words(error))
        return redirect("disputes")
    if not all(form.is_valid() for form in sent.values()):
        return _page(request, found, **sent)
    return done(request, act, said, redirect("dispute", dispute_id=found.pk))


def _found(dispute_id: int) -> Dispute:
    try:
        return dispute_of(dispute_id)
    except DisputeMissing as error:
        raise Http404(str(error)) from error


def _purpose(request: HttpRequest, found: Dispute) -> HttpResponse:
    return ask_purpose(request, found.resident_ref, then=reverse("dispute", args=[found.pk]))


def _verdict_form(found: Dispute, request: HttpRequest) -> VerdictForm:
    """The form of a verdict as it was sent."""
    kind = AppealVerdictForm if found.state == "appealed" else VerdictForm
    offered = offered_for(found)
    return kind(request.POST, scheme=offered.scheme, tiers=offered.tiers)


def _verdict(form: VerdictForm) -> Verdict:
    return Verdict(form.cleaned_data["verdict"] == "uphold", form.amounts(), form.cleaned_data["reasons"])


def _page(request: HttpRequest, found: Dispute, **sent: forms.Form) -> HttpResponse:
    access = access_to(request, found.resident_ref)
    if access is None:
        return _purpose(request, found)
    seen = _seen(request, found, access)
    if seen is None:
        return redirect("disputes")
    amounts = found.decided_amounts or found.amounts
    kind = AppealVerdictForm if found.state == "appealed" else VerdictForm
    shown = {
        "seen": seen,
        "found": seen.page,
        "question": QuestionForm(),
        "verdict": kind(scheme=seen.page.scheme, tiers=seen.tiers, amounts=amounts),
        "is_own": actor_of(request) in (found.proposed_by, found.approved_by),
    }
    return render(request, "console/dispute.html", {**shown, **sent})


def _seen(request: HttpRequest, found: Dispute, access: Access) -> Examined | None:
    try:
        return look_at_dispute(found, access=access, opens_protected=may_read(request, found.resident_ref))
    except ForNamedOfficers as error:
        messages.error(request, in_words(error))
        return None
