"""Delaying the notice of an access for a criminal inquiry: two officers each time."""

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.audit.models import NoticeDelay
from apps.audit.operations.delays import approve_delay, approve_extension, ask_delay, ask_extension, end_delay
from apps.console.exception_forms import DelayForm, ExtendForm
from apps.console.guard import actor_of, auditors_only, fresh_key
from apps.console.opened import access_for
from apps.console.problems import in_words
from apps.console.queries.exceptions import delays_page
from apps.console.views.office_frame import page
from apps.console.views.runs import done
from apps.kernel.errors import KanpuError


@auditors_only
@require_http_methods(["GET", "HEAD", "POST"])
def delays(request: HttpRequest) -> HttpResponse:
    """Ask for a delay; those that wait, hold and are over."""
    form = DelayForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given, now = form.cleaned_data, timezone.now()
        access = access_for(request, purpose=given["reason"], case=given["case"])
        try:
            ask_delay(given["resident"], access=access, reason=given["reason"], until=given["until"], at=now)
        except KanpuError as error:
            form.add_error(None, in_words(error))
        else:
            messages.success(
                request, _("You have asked. It holds once another auditor approves it: do not look before.")
            )
            return redirect("delays")
    found, me = delays_page(at=timezone.now()), actor_of(request)
    return page(request, "delays.html", form=form, found=found, me=me, extend=ExtendForm(auto_id="extend_%s"))


@auditors_only
@require_POST
@fresh_key("delays")
def approve(request: HttpRequest, delay_id: int) -> HttpResponse:
    """Approve another auditor's delay."""
    return _acted(request, approve_delay, delay_id, _("The delay holds from now on."))


@auditors_only
@require_POST
def extend(request: HttpRequest, delay_id: int) -> HttpResponse:
    """Ask to extend a delay, once."""
    form = ExtendForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Give the new last day as a day."))
        return redirect("delays")
    until = form.cleaned_data["until"]
    return done(
        request,
        lambda: ask_extension(delay_id, until=until, at=timezone.now(), actor=actor_of(request)),
        _("You have asked. It holds once another auditor approves it."),
        redirect("delays"),
    )


@auditors_only
@require_POST
@fresh_key("delays")
def approve_longer(request: HttpRequest, delay_id: int) -> HttpResponse:
    """Approve another auditor's extension."""
    return _acted(request, approve_extension, delay_id, _("The delay is extended."))


@auditors_only
@require_POST
def end(request: HttpRequest, delay_id: int) -> HttpResponse:
    """End a delay, or refuse it."""
    return _acted(request, end_delay, delay_id, _("The delay is over: the resident reads who looked."))


def _acted(request: HttpRequest, act: Callable[..., NoticeDelay], delay_id: int, said: str) -> HttpResponse:
    work = lambda: act(delay_id, at=timezone.now(), actor=actor_of(request))  # noqa: E731
    return done(request, work, said, redirect("delays"))
