"""Decisions: those of a year, and one with its letter, its notification and its appeal."""

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.audit.officers import Thing
from apps.console.forms import AppealForm, OutcomeForm, SentForm
from apps.console.guard import actor_of, auditors_only, open_to_those_who_may
from apps.console.opened import access_to
from apps.console.operations import auditing
from apps.console.problems import in_words
from apps.console.queries.decisions import decisions_page
from apps.console.views.purposes import ask_purpose
from apps.console.views.runs import done
from apps.inspections.operations.annulments import decide_appeal
from apps.kernel.errors import KanpuError
from apps.refunds.downloads import saved
from apps.refunds.models import Decision
from apps.refunds.operations import deciding
from apps.refunds.queries.decisions import DecisionMissing, decision_of
from apps.schemes.queries import YearNotStarted


@open_to_those_who_may(Thing.DECISIONS)
@require_safe
def decisions(request: HttpRequest) -> HttpResponse:
    """A year's decisions, those whose time to appeal ends next first."""
    year = request.GET.get("year", "")
    try:
        found = decisions_page(
            int(year) if year.isdecimal() and len(year) < 20 else None,
            stage=request.GET.get("stage", ""),
            page=request.GET.get("page"),
        )
    except YearNotStarted as error:
        raise Http404(str(error)) from error
    return render(request, "console/decisions.html", {"found": found})


@open_to_those_who_may(Thing.DECISIONS)
@require_safe
def decision(request: HttpRequest, decision_id: int) -> HttpResponse:
    """One decision."""
    return _page(request, decision_id)


@open_to_those_who_may(Thing.DECISIONS)
@require_safe
def letter(request: HttpRequest, decision_id: int, language: str) -> HttpResponse:
    """The letter of a decision as PDF, in the resident's language."""
    found = _found(decision_id)
    access = access_to(request, found.resident_ref)
    if access is None:
        return ask_purpose(request, found.resident_ref)
    try:
        file = auditing.read_letter(found, language="en" if language == "en" else "ja", access=access)
    except KanpuError as error:
        messages.error(request, in_words(error))
        return redirect("decision", decision_id=decision_id)
    return saved(file)


@auditors_only
@require_POST
def sent(request: HttpRequest, decision_id: int) -> HttpResponse:
    """Record when the letter was sent."""
    form = SentForm(request.POST)
    if not form.is_valid():
        return _page(request, decision_id, sent=form)
    return done(
        request,
        lambda: deciding.notify([decision_id], on=form.cleaned_data["on"], by_post=True, actor=actor_of(request)),
        _("It is recorded when the letter was sent."),
        redirect("decision", decision_id=decision_id),
    )


@auditors_only
@require_POST
def appealed(request: HttpRequest, decision_id: int) -> HttpResponse:
    """Record an appeal that came in on paper."""
    form = AppealForm(request.POST)
    if not form.is_valid():
        return _page(request, decision_id, appeal=form)
    return done(
        request,
        lambda: deciding.appeal(decision_id, **form.cleaned_data, actor=actor_of(request)),
        _("The appeal is recorded."),
        redirect("decision", decision_id=decision_id),
    )


@auditors_only
@require_POST
def decided(request: HttpRequest, decision_id: int) -> HttpResponse:
    """Decide an appeal."""
    form = OutcomeForm(request.POST)
    if not form.is_valid():
        return _page(request, decision_id, outcome=form)
    amended = form.cleaned_data["result"] == Decision.State.AMENDED
    return done(
        request,
        lambda: decide_appeal(
            decision_id,
            amended=amended,
            outcome=form.cleaned_data["outcome"],
            at=timezone.now(),
            actor=actor_of(request),
        ),
        _("The appeal is decided."),
        redirect("decision", decision_id=decision_id),
    )


def _found(decision_id: int) -> Decision:
    try:
        return decision_of(decision_id)
    except DecisionMissing as error:
        raise Http404(str(error)) from error


def _page(request: HttpRequest, decision_id: int, **forms_sent: forms.Form) -> HttpResponse:
    decision = _found(decision_id)
    access = access_to(request, decision.resident_ref)
    if access is None:
        return ask_purpose(request, decision.resident_ref, then=reverse("decision", args=[decision_id]))
    found = auditing.look_at_decision(decision, access=access)
    today = {"on": found.today}
    shown = {"sent": SentForm(initial=today), "appeal": AppealForm(initial=today), "outcome": OutcomeForm()}
    return render(request, "console/decision.html", {"found": found, **shown, **forms_sent})
