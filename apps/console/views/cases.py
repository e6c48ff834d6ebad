"""Cases in the console: those that wait, one to work on, opened from what was found."""

from collections.abc import Callable
from typing import Final

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.console.case_forms import AssignForm, CaseForm, CloseForm, CommentForm, EvidenceForm
from apps.console.guard import actor_of, auditors_only
from apps.console.queries.cases import auditors
from apps.console.views.runs import done
from apps.inspections.models import Case, Outcome, Source
from apps.inspections.operations import cases as work
from apps.inspections.queries.cases import CaseMissing, case_of, case_page, cases_page
from apps.refunds.queries.disputes import DisputeMissing, dispute_of

IDS: Final = {"comment": "comment_%s", "evidence": "evidence_%s", "close": "close_%s"}  # three forms of one page


@auditors_only
@require_safe
def cases(request: HttpRequest) -> HttpResponse:
    """Cases, the newest first."""
    chosen, source = request.GET.get("stage", ""), request.GET.get("kind", "")
    found = cases_page(chosen, source, me=actor_of(request), page=request.GET.get("page"))
    return render(request, "console/cases.html", {"found": found, "sources": Source.values})


@auditors_only
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """A case that is opened by hand."""
    form = CaseForm(request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return render(request, "console/case_new.html", {"form": form})
    title, about = form.cleaned_data["title"], form.cleaned_data["record"]
    opened = work.open_case(Source.SEARCH, None, subject=about, title=title, at=timezone.now(), actor=actor_of(request))
    return redirect("case", case_id=opened.pk)


@auditors_only
@require_POST
def from_dispute(request: HttpRequest, dispute_id: int) -> HttpResponse:
    """A case about a dispute: the one that there is, or a new one."""
    try:
        dispute = dispute_of(dispute_id)
    except DisputeMissing as error:
        raise Http404(str(error)) from error
    title = _("Dispute %(number)s") % {"number": dispute.number}
    opened = work.open_from_dispute(dispute, title=title, at=timezone.now(), actor=actor_of(request))
    return redirect("case", case_id=opened.pk)


@auditors_only
@require_safe
def case(request: HttpRequest, case_id: int) -> HttpResponse:
    """One case."""
    return _page(request, case_found(case_id))


@auditors_only
@require_POST
def assign(request: HttpRequest, case_id: int) -> HttpResponse:
    """Give a case to oneself, to another auditor, or back."""
    username = request.POST.get("to", "").replace("\0", "")  # which no text of PostgreSQL has
    return done(
        request,
        lambda: work.assign(case_found(case_id).pk, username, at=timezone.now(), actor=actor_of(request)),
        _("The case is given to %(name)s.") % {"name": username} if username else _("The case is given back."),
        redirect("case", case_id=case_id),
    )


@auditors_only
@require_POST
def comment(request: HttpRequest, case_id: int) -> HttpResponse:
    """Add a comment."""
    form = CommentForm(request.POST, auto_id=IDS["comment"])
    return _act(
        request, case_id, {"comment": form},
        lambda: work.write(
            case_id, text=form.cleaned_data["text"], at=timezone.now(), actor=actor_of(request)
        ),
        _("The comment is added."),
    )  # fmt: skip


@auditors_only
@require_POST
def evidence(request: HttpRequest, case_id: int) -> HttpResponse:
    """Add evidence."""
    form = EvidenceForm(request.POST, auto_id=IDS["evidence"])
    return _act(
        request, case_id, {"evidence": form},
        lambda: work.write(
            case_id, record_name=form.cleaned_data["record"], text=form.cleaned_data["text"], at=timezone.now(),
            actor=actor_of(request),
        ),
        _("The evidence is added."),
    )  # fmt: skip


@auditors_only
@require_POST
def close(request: HttpRequest, case_id: int) -> HttpResponse:
    """Decide a case."""
    form = CloseForm(request.POST, auto_id=IDS["close"])
    return _act(
        request, case_id, {"close": form},
        lambda: work.close_case(
            case_id, Outcome(form.cleaned_data["outcome"]), reasons=form.cleaned_data["reasons"], at=timezone.now(),
            actor=actor_of(request),
        ),
        _("The case is closed."),
    )  # fmt: skip


def case_found(case_id: int) -> Case:
    """The case of an address, or 404."""
    try:
        return case_of(case_id)
    except CaseMissing as error:
        raise Http404(str(error)) from error


def _act(
    request: HttpRequest, case_id: int, sent: dict[str, forms.Form], act: Callable[[], object], said: str
) -> HttpResponse:
    found = case_found(case_id)
    if not all(form.is_valid() for form in sent.values()):
        return _page(request, found, **sent)
    return done(request, act, said, redirect("case", case_id=case_id))


def _page(request: HttpRequest, found: Case, **sent: forms.Form) -> HttpResponse:
    me = request.user.get_username()
    shown = {
        "found": case_page(found),
        "me": actor_of(request),
        "my_name": me,
        "assign": AssignForm(auditors=[name for name in auditors() if name != me]),
        "comment": CommentForm(auto_id=IDS["comment"]),
        "evidence": EvidenceForm(auto_id=IDS["evidence"]),
        "close": CloseForm(auto_id=IDS["close"]),
    }
    return render(request, "console/case.html", {**shown, **sent})
