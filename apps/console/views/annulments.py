"""A resident's purchases in a case, for a stated purpose; what is held against one, and how two auditors annul it."""

from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.accruals.queries.sales import holder_of
from apps.audit.access import Access
from apps.console.case_forms import HearForm, ProposeForm
from apps.console.guard import actor_of, auditors_only, standing_in
from apps.console.opened import access_to
from apps.console.operations.cases import look_at_purchase, look_at_purchases
from apps.console.operations.protected import ForNamedOfficers, check_may_see
from apps.console.problems import in_words
from apps.console.views.cases import case_found
from apps.console.views.purposes import ask_purpose
from apps.console.views.runs import done
from apps.inspections.models import Annulment, Case
from apps.inspections.operations import annulments as work
from apps.inspections.queries.annulments import AnnulmentMissing, annulment_of
from apps.inspections.queries.cases import names
from apps.inspections.records import LARGEST
from apps.purchases.following import Key

LAST_PAGE = 1_000_000


@auditors_only
@require_safe
def purchases(request: HttpRequest, case_id: int, ref: UUID) -> HttpResponse:
    """All purchases of a resident whom the case is about."""
    case = case_found(case_id)
    if not names(case, f"resident:{ref}"):
        raise Http404("The case is not about this resident.")
    access = _access_in(request, case, ref)
    if access is None:
        return ask_purpose(request, ref, case=case.number)
    opens_protected = standing_in(request).opens_protected
    try:
        found = look_at_purchases(case, ref, page=_page_number(request), access=access, opens_protected=opens_protected)
    except ForNamedOfficers as error:
        messages.error(request, in_words(error))
        return redirect("case", case_id=case.pk)
    return render(request, "console/case_purchases.html", {"case": case, "ref": ref, "found": found})


@auditors_only
@require_safe
def purchase(request: HttpRequest, case_id: int, terminal_id: int, seq: int) -> HttpResponse:
    """One purchase that the case names, or of a resident whom it is about."""
    return _page(request, case_found(case_id), Key(terminal_id, seq))


@auditors_only
@require_POST
def hear(request: HttpRequest, case_id: int, terminal_id: int, seq: int) -> HttpResponse:
    """Tell the resident what is held against a purchase."""
    case, sale, form = case_found(case_id), Key(terminal_id, seq), HearForm(request.POST)
    ref = _holder(case, sale)
    return _act(
        request, Matter(case, sale, ref), {"hear": form},
        lambda: work.hear(
            case.pk, ref, sale, **form.cleaned_data, office=standing_in(request).office or _("Refund office"),
            at=timezone.now(), actor=actor_of(request),
        ),
        _("The resident is told, and may reply."),
    )  # fmt: skip


@auditors_only
@require_POST
def propose(request: HttpRequest, annulment_id: int) -> HttpResponse:
    """Propose to annul a purchase."""
    form = ProposeForm(request.POST)
    return _act_on(
        request,
        annulment_id,
        lambda: work.propose(annulment_id, **form.cleaned_data, at=timezone.now(), actor=actor_of(request)),
        _("The annulment is proposed. Another auditor approves it."),
        propose=form,
    )


@auditors_only
@require_POST
def approve(request: HttpRequest, annulment_id: int) -> HttpResponse:
    """Approve another auditor's proposal."""
    shown = request.POST.get("shown", "")
    return _act_on(
        request,
        annulment_id,
        lambda: work.approve(annulment_id, shown=shown, at=timezone.now(), actor=actor_of(request)),
        _("The purchase is annulled, and the resident gets a decision."),
    )


@auditors_only
@require_POST
def send_back(request: HttpRequest, annulment_id: int) -> HttpResponse:
    """Take a proposal back."""
    return _act_on(
        request,
        annulment_id,
        lambda: work.send_back(annulment_id, at=timezone.now(), actor=actor_of(request)),
        _("The proposal is taken back."),
    )


@auditors_only
@require_POST
def drop(request: HttpRequest, annulment_id: int) -> HttpResponse:
    """Hold nothing against the purchase any more."""
    return _act_on(
        request,
        annulment_id,
        lambda: work.drop(annulment_id, at=timezone.now(), actor=actor_of(request)),
        _("Nothing is held against the purchase any more; the resident is told."),
    )


def _act_on(
    request: HttpRequest, annulment_id: int, act: Callable[[], object], said: str, **sent: forms.Form
) -> HttpResponse:
    try:
        found: Annulment = annulment_of(annulment_id)
    except AnnulmentMissing as error:
        raise Http404(str(error)) from error
    return _act(request, Matter(found.case, found.sale, found.resident_ref), sent, act, said)


class Matter(NamedTuple):
    """A purchase in a case, and whose it is."""

    case: Case
    sale: Key
    resident_ref: UUID


def _act(
    request: HttpRequest, matter: Matter, sent: dict[str, forms.Form], act: Callable[[], object], said: str
) -> HttpResponse:
    """Do something about a purchase that the auditor opened in this case and may see."""
    case, sale, ref = matter
    here = reverse("case-purchase", args=[case.pk, *sale])
    access = _access_in(request, case, ref)
    if access is None:
        return ask_purpose(request, ref, then=here, case=case.number)
    try:
        check_may_see(ref, access=access, opens_protected=standing_in(request).opens_protected)
    except ForNamedOfficers as error:
        messages.error(request, in_words(error))
        return redirect("case", case_id=case.pk)
    if not all(form.is_valid() for form in sent.values()):
        return _page(request, case, sale, **sent)
    return done(request, act, said, redirect(here))


def _page(request: HttpRequest, case: Case, sale: Key, **sent: forms.Form) -> HttpResponse:
    ref = _holder(case, sale)
    access = _access_in(request, case, ref)
    if access is None:
        return ask_purpose(request, ref, then=reverse("case-purchase", args=[case.pk, *sale]), case=case.number)
    opens_protected = standing_in(request).opens_protected
    try:
        seen = look_at_purchase(case, ref, sale, access=access, opens_protected=opens_protected)
    except ForNamedOfficers as error:
        messages.error(request, in_words(error))
        return redirect("case", case_id=case.pk)
    if seen is None:
        raise Http404("There is no such purchase any more.")
    shown = {
        "seen": seen,
        "case": case,
        "annulment": seen.annulment,
        "hear": HearForm(),
        "propose": ProposeForm(),
        "is_own": seen.annulment is not None and seen.annulment.proposed_by == actor_of(request),
    }
    return render(request, "console/case_purchase.html", {**shown, **sent})


def _holder(case: Case, sale: Key) -> UUID:
    """Whose purchase it is that the case names; 404 for one that the case is not about."""
    ref = holder_of(sale) if max(sale) <= LARGEST else None
    if ref is None or not names(case, f"purchase:{sale.terminal_id}/{sale.seq}", f"resident:{ref}"):
        raise Http404("The case names no such purchase.")
    return ref


def _access_in(request: HttpRequest, case: Case, ref: UUID) -> Access | None:
    """For what the auditor has opened the resident, if it was in this case."""
    access = access_to(request, ref)
    return access if access and access.case == case.number else None


def _page_number(request: HttpRequest) -> int:
    page = request.GET.get("page", "")
    return min(max(int(page), 1), LAST_PAGE) if page.isascii() and page.isdecimal() and len(page) < 20 else 1
