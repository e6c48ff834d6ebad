"""Searching among purchases, tills, merchants and residents; keeping searches; opening a case from what was found."""

import re
from typing import Any, Final, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.audit.access import Access
from apps.console.find_forms import FORMS, SaveForm, SearchForm, typed
from apps.console.guard import actor_of, auditors_only, standing_in
from apps.console.office_forms import PurposeForm
from apps.console.opened import access_for, access_to_search, keep_searching
from apps.console.problems import in_words
from apps.inspections.models import Source
from apps.inspections.operations.cases import open_case
from apps.inspections.operations.saved_searches import change_search, delete_search, save_search
from apps.inspections.operations.searching import search_entries, search_residents
from apps.inspections.queries.finding_entries import COUNT_TO, place_of_text, place_text
from apps.inspections.queries.finding_others import Found, find_merchants, find_terminals
from apps.inspections.queries.searches import SearchMissing, searches_seen_by, seen_search
from apps.inspections.searching import (
    OF_RESIDENTS,
    MerchantSearch,
    PurchaseSearch,
    ResidentSearch,
    Search,
    SearchWrong,
    TerminalSearch,
    from_json,
)
from apps.kernel.errors import KanpuError
from apps.schemes.document import Scheme
from apps.schemes.queries import kept_years, scheme_of, tax_year

SUBJECT: Final = re.compile(r"(terminal|merchant):\d{1,9}|purchase:\d{1,9}/\d{1,10}|resident:[0-9a-f-]{36}")


@auditors_only
@require_safe
def find(request: HttpRequest, kind: str) -> HttpResponse:
    """Results of a search, a page at a time; without one, what can be searched by."""
    form = searched_form(request, kind)
    context: dict[str, Any] = {"kind": kind, "form": form, "save_form": SaveForm(), "access": access_to_search(request)}
    if form.is_bound and form.is_valid():
        if kind in OF_RESIDENTS and context["access"] is None:
            return ask_search_purpose(request)
        try:
            context |= _results(request, form.search(), context["access"])
        except KanpuError as error:
            form.add_error(None, in_words(error))
    actor = actor_of(request)
    context |= {"saved": searches_seen_by(actor), "actor": actor, "newest_year": max(kept_years(), default="")}
    return render(request, f"console/find_{kind}.html", context)


def searched_form(request: HttpRequest, kind: str) -> SearchForm:
    """The kind's form, with what the address says. Raises Http404 for no kind."""
    if kind not in FORMS:
        raise Http404(kind)
    return FORMS[kind](request.GET if set(request.GET) - {"lang"} else None)


def _results(request: HttpRequest, search: Search, access: Access | None) -> dict[str, Any]:
    """A page of results, and the addresses of what can be done with them."""
    after, at, query = request.GET.get("after", "").replace("\0", ""), timezone.now(), typed(search)
    found: Any
    if isinstance(search, PurchaseSearch):
        found = search_entries(
            search, place_of_text(after), access=cast("Access", access),
            opens_protected=standing_in(request).opens_protected, at=at,
        )  # fmt: skip
        next_place = place_text(found.next) if found.next else ""
    else:
        found = _others(search, after, access)
        next_place = found.next
    return {
        "found": found, "search": search, "query": urlencode(query), "is_first": not after, "count_to": COUNT_TO,
        "scheme": _scheme(search),
        "next": urlencode({**query, "after": next_place}) if next_place else "",
    }  # fmt: skip


def _scheme(search: Search) -> Scheme | None:
    """Whose currency amounts are in, where there are any."""
    if isinstance(search, PurchaseSearch | ResidentSearch):
        return scheme_of(tax_year(search.year).scheme_version_id)
    return None


def _others(search: Search, after: str, access: Access | None) -> Found[Any]:
    if isinstance(search, ResidentSearch):
        return search_residents(search, after, access=cast("Access", access), at=timezone.now())
    if isinstance(search, TerminalSearch):
        return find_terminals(search, after)
    return find_merchants(cast("MerchantSearch", search), after)


def ask_search_purpose(request: HttpRequest) -> HttpResponse:
    """To the question for what, and from there back to the search."""
    return redirect(f"{reverse('find-purpose')}?{urlencode({'next': request.get_full_path()})}")


@auditors_only
@require_http_methods(["GET", "HEAD", "POST"])
def find_purpose(request: HttpRequest) -> HttpResponse:
    """Ask for purpose and case of a search among residents; they hold for a quarter of an hour."""
    form = PurposeForm(request.POST or None)
    if not form.is_valid():
        return render(request, "console/find_purpose.html", {"form": form})
    keep_searching(request, access_for(request, purpose=form.cleaned_data["purpose"], case=form.cleaned_data["case"]))
    return redirect(_ours(request.GET.get("next", "")) or reverse("find", args=["purchases"]))


def _ours(address: str) -> str:
    is_ours = address.startswith("/") and url_has_allowed_host_and_scheme(address, allowed_hosts=None)
    return address if is_ours else ""


@auditors_only
@require_POST
def find_save(request: HttpRequest, kind: str) -> HttpResponse:
    """Keep the search of the address under a name."""
    form, naming = searched_form(request, kind), SaveForm(request.POST)
    back = f"{reverse('find', args=[kind])}?{request.GET.urlencode()}"
    if not (form.is_bound and form.is_valid()):
        return redirect(back)
    if naming.is_valid():
        name, is_shared = naming.cleaned_data["name"], naming.cleaned_data["is_shared"]
        try:
            save_search(name, kind, form.search(), is_shared=is_shared, actor=actor_of(request), at=timezone.now())
        except KanpuError as error:
            naming.add_error("name", in_words(error))
    if naming.errors:
        return render(request, "console/find_save.html", {"kind": kind, "form": naming, "back": back}, status=400)
    messages.success(request, _("The search is kept."))
    return redirect(back)


@auditors_only
@require_http_methods(["GET", "HEAD", "POST"])
def find_saved(request: HttpRequest, search_id: int) -> HttpResponse:
    """A kept search: its page renames, shares and deletes it; `go` leads to what it finds now."""
    actor = actor_of(request)
    try:
        saved = seen_search(search_id, actor=actor)
    except SearchMissing as error:
        raise Http404(str(error)) from error
    try:
        target = f"{reverse('find', args=[saved.kind])}?{urlencode(typed(from_json(saved.kind, saved.filters)))}"
    except SearchWrong as error:
        target, problem = "", in_words(error)
    else:
        problem = ""
    if target and "go" in request.GET:
        return redirect(target)
    if request.method == "POST" and saved.owner != actor:
        raise Http404("Another's.")
    form = SaveForm(request.POST or None, initial={"name": saved.name, "is_shared": saved.is_shared})
    if form.is_bound and form.is_valid():
        try:
            change_search(saved.pk, **form.cleaned_data, actor=actor, at=timezone.now())
        except KanpuError as error:
            form.add_error("name", in_words(error))
        else:
            messages.success(request, _("The search is changed."))
            return redirect("find-saved", search_id)
    context = {"saved": saved, "form": form, "is_own": saved.owner == actor, "target": target, "problem": problem}
    return render(request, "console/find_saved.html", context)


@auditors_only
@require_POST
def find_delete(request: HttpRequest, search_id: int) -> HttpResponse:
    """Delete an own search."""
    try:
        delete_search(search_id, actor=actor_of(request), at=timezone.now())
    except SearchMissing as error:
        raise Http404(str(error)) from error
    messages.success(request, _("The search is deleted."))
    return redirect("find", "purchases")


@auditors_only
@require_POST
def find_case(request: HttpRequest) -> HttpResponse:
    """Open a case about something that was found."""
    subject = request.POST.get("subject", "")
    if not SUBJECT.fullmatch(subject):
        return HttpResponseBadRequest()
    case = open_case(Source.SEARCH, None, subject=subject, title=subject, at=timezone.now(), actor=actor_of(request))
    messages.success(request, _("Case %(number)s is open.") % {"number": case.pk})
    return redirect(_ours(request.POST.get("next", "")) or reverse("find", args=["purchases"]))
