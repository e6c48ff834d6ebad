"""Samples: asked for, worked through item by item, concluded."""

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.audit.access import Access
from apps.console.guard import actor_of, auditors_only, standing_in
from apps.console.opened import access_to
from apps.console.operations.protected import check_may_see
from apps.console.operations.samples import look_at_item
from apps.console.problems import in_words, problem
from apps.console.queries.samples import next_open, sample_page, samples_page
from apps.console.sample_forms import ItemForm, SampleForm
from apps.console.views.purposes import ask_purpose
from apps.console.views.runs import done
from apps.inspections.models import Method, Result, SampleItem
from apps.inspections.operations.drawing import request_sample
from apps.inspections.operations.examining import decide_item, open_case_of_item, undo_item
from apps.inspections.queries.samples import SampleMissing, item_of, resident_of
from apps.kernel.errors import KanpuError
from apps.schemes.queries import kept_years


@auditors_only
@require_safe
def samples(request: HttpRequest) -> HttpResponse:
    """All samples, the newest first."""
    return render(request, "console/samples.html", {"found": samples_page(page=request.GET.get("page"))})


@auditors_only
@require_http_methods(["GET", "HEAD", "POST"])
def sample_new(request: HttpRequest) -> HttpResponse:
    """Ask for a sample; a worker draws it."""
    years = list(reversed(kept_years()))
    form = SampleForm(request.POST, years=years) if request.method == "POST" else SampleForm(years=years)
    if form.is_bound and form.is_valid():
        try:
            made = request_sample(form.wanted(), at=timezone.now(), actor=actor_of(request))
        except KanpuError as error:
            form.add_error(None, in_words(error))
        else:
            return redirect("sample", sample_id=made.pk)
    return render(request, "console/sample_new.html", {"form": form})


@auditors_only
@require_safe
def sample(request: HttpRequest, sample_id: int) -> HttpResponse:
    """One sample with its items, and what it says of the population."""
    only_open = request.GET.get("show") == "open"
    try:
        found = sample_page(sample_id, only_open=only_open, page=request.GET.get("page"))
    except SampleMissing as error:
        raise Http404(str(error)) from error
    failure = problem(found.sample.failure, found.sample.failure)
    shown = {"found": found, "at_work": found.at_work, "only_open": only_open, "failure": failure}
    return render(request, "console/sample.html", shown)


@auditors_only
@require_http_methods(["GET", "HEAD", "POST"])
def sample_item(request: HttpRequest, sample_id: int, position: int) -> HttpResponse:
    """One item, for a stated purpose; a POST says what was found of it."""
    item = _found(sample_id, position)
    is_monetary = item.sample.method == Method.MONETARY
    form = ItemForm(request.POST, is_monetary=is_monetary) if request.method == "POST" else None
    return _open(request, item, lambda access: _page(request, item, access, form))


def _page(request: HttpRequest, item: SampleItem, access: Access | None, form: ItemForm | None) -> HttpResponse:
    """The item, or what it leads to once something was found of it."""
    if form and form.is_valid() and _decided(request, item, form):
        following = next_open(item.sample_id, item.position)
        if following is None:
            return redirect("sample", sample_id=item.sample_id)
        return redirect("sample-item", sample_id=item.sample_id, position=following)
    blank = ItemForm(is_monetary=item.sample.method == Method.MONETARY)
    shown = {"item": item, "form": form or blank, "seen": None}
    resident_ref = resident_of(item)
    if access and resident_ref:
        shown["seen"] = look_at_item(
            item, resident_ref, access=access, opens_protected=standing_in(request).opens_protected
        )
    return render(request, "console/sample_item.html", shown)


def _decided(request: HttpRequest, item: SampleItem, form: ItemForm) -> bool:
    given = form.cleaned_data
    try:
        decide_item(
            item.sample_id, item.position, Result(given["result"]), right_minor=given.get("right_minor"),
            note=given["note"], at=timezone.now(), actor=actor_of(request),
        )  # fmt: skip
    except KanpuError as error:
        form.add_error(None, in_words(error))
        return False
    return True


@auditors_only
@require_POST
def sample_item_undo(request: HttpRequest, sample_id: int, position: int) -> HttpResponse:
    """Take back what was found of an item."""
    item = _found(sample_id, position)
    return _open(
        request,
        item,
        lambda _access: done(
            request,
            lambda: undo_item(sample_id, position, at=timezone.now(), actor=actor_of(request)),
            _("It is taken back; what it was stays in the trail."),
            redirect("sample-item", sample_id=sample_id, position=position),
        ),
    )


@auditors_only
@require_POST
def sample_item_case(request: HttpRequest, sample_id: int, position: int) -> HttpResponse:
    """Open a case about an item."""
    item = _found(sample_id, position)
    title = _("Sample %(sample)s, item %(position)s") % {"sample": sample_id, "position": position}
    return _open(
        request,
        item,
        lambda _access: done(
            request,
            lambda: open_case_of_item(item, title=title, at=timezone.now(), actor=actor_of(request)),
            _("A case is open about this item."),
            redirect("sample-item", sample_id=sample_id, position=position),
        ),
    )


def _found(sample_id: int, position: int) -> SampleItem:
    try:
        return item_of(sample_id, position)
    except SampleMissing as error:
        raise Http404(str(error)) from error


def _open(request: HttpRequest, item: SampleItem, then: Callable[[Access | None], HttpResponse]) -> HttpResponse:
    """Go on with an item whose resident was opened for a purpose and may be seen; one that is nobody's needs none."""
    resident_ref = resident_of(item)
    if resident_ref is None:
        return then(None)
    access = access_to(request, resident_ref)
    if access is None:
        return ask_purpose(request, resident_ref, then=reverse("sample-item", args=[item.sample_id, item.position]))
    try:
        check_may_see(resident_ref, access=access, opens_protected=standing_in(request).opens_protected)
    except KanpuError as error:
        messages.error(request, in_words(error))
        return redirect("sample", sample_id=item.sample_id)
    return then(access)
