"""Alarms: the list, one with its records, and what an auditor makes of them."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.audit.models import Alarm
from apps.audit.officers import Thing
from apps.console.alarm_forms import AlarmFilter, DismissForm
from apps.console.guard import actor_of, open_to_those_who_may, standing_in
from apps.console.office_forms import PurposeForm
from apps.console.opened import access_for, access_to, keep_open
from apps.console.operations.alarms import look_at_records
from apps.console.problems import in_words, problem
from apps.console.queries.alarms import AlarmPage, Searched, alarm_page, alarms_page, searched
from apps.console.views.runs import done
from apps.inspections.operations import alarm_reviews
from apps.inspections.operations.alarm_searches import request_alarm_search
from apps.inspections.queries.alarm_rules import shipped_rules
from apps.kernel.errors import KanpuError
from apps.refunds.templatetags.kanpu import in_language
from apps.schemes.queries import kept_years

auditors = open_to_those_who_may(Thing.ALARMS)


@auditors
@require_safe
def alarms(request: HttpRequest) -> HttpResponse:
    """What looks wrong, by rule, year and state."""
    asked = {name: request.GET.get(name, "").replace("\0", "") for name in ("kind", "year", "state")}
    year = int(asked["year"]) if asked["year"].isdecimal() and len(asked["year"]) == 4 else None
    found = alarms_page(kind=asked["kind"], year=year, state=asked["state"], page=request.GET.get("page"))
    titles = {rule.code: rule.title for rule in shipped_rules()}
    form = AlarmFilter(asked, rules=titles, years=tuple(sorted({*found.years, *kept_years()}, reverse=True)))
    asked_for = "&".join(f"{name}={value}" for name, value in asked.items() if value and form.is_valid())
    context = {"found": found, "form": form, "asked": asked_for, "dismiss": DismissForm()}
    context |= _of_search(searched()) | {"undo": _batch(request.GET.get("dismissed", ""))}
    return render(request, "console/alarms.html", context)


@auditors
@require_POST
def search(request: HttpRequest) -> HttpResponse:
    """Ask a worker to look now by all rules that are on."""
    return done(
        request,
        lambda: request_alarm_search(at=timezone.now(), actor=actor_of(request)),
        _("A worker begins with it."),
        redirect("alarms"),
    )


@auditors
@require_http_methods(["GET", "HEAD", "POST"])
def alarm(request: HttpRequest, alarm_id: int) -> HttpResponse:
    """One alarm. Its records, and what was measured of a resident, after the purpose was asked."""
    found = alarm_page(_found(alarm_id))
    form = PurposeForm(request.POST or None)
    if form.is_valid():
        access = access_for(request, purpose=form.cleaned_data["purpose"], case=form.cleaned_data["case"])
        keep_open(request, f"alarm:{alarm_id}", access)
        return redirect("alarm", alarm_id=alarm_id)
    access_given = access_to(request, f"alarm:{alarm_id}")
    records, hidden = None, 0
    if access_given and found.refs:
        records, hidden = look_at_records(
            found, access=access_given, opens_protected=standing_in(request).opens_protected
        )
    context = {"found": found, "form": form, "records": records, "hidden": hidden, "dismiss": DismissForm()}
    return render(request, "console/alarm.html", context | {"shows_measured": _shows_measured(found, access_given)})


@auditors
@require_POST
def look(request: HttpRequest, alarm_id: int) -> HttpResponse:
    """Note that the alarm was looked at."""
    found = _found(alarm_id)
    return done(
        request,
        lambda: alarm_reviews.look_at(found, at=timezone.now(), actor=actor_of(request)),
        _("It is noted that you looked at the alarm."),
        redirect("alarm", alarm_id=alarm_id),
    )


@auditors
@require_POST
def case(request: HttpRequest, alarm_id: int) -> HttpResponse:
    """Open a case from the alarm, or go to the one that it is in."""
    found = alarm_page(_found(alarm_id))
    title = in_language(found.rule.title)
    opened = alarm_reviews.take_into_case(found.row.alarm, title=title, at=timezone.now(), actor=actor_of(request))
    messages.success(request, _("The alarm is in case %(number)s.") % {"number": opened.number})
    return redirect("case", case_id=opened.pk)


@auditors
@require_POST
def dismiss(request: HttpRequest) -> HttpResponse:
    """Dismiss the alarms that were chosen, with a reason; what undoes it is on the list that is shown next."""
    form = DismissForm(request.POST)
    ids = [int(number) for number in request.POST.getlist("alarm") if number.isdecimal() and len(number) < 19]
    then = _ours(request.POST.get("next", ""))
    if not form.is_valid():
        messages.error(request, _("Say why the alarms are dismissed."))
        return redirect(then)
    try:
        batch = alarm_reviews.dismiss(
            ids, reason=form.cleaned_data["reason"], at=timezone.now(), actor=actor_of(request)
        )
    except KanpuError as error:
        messages.error(request, in_words(error))
        return redirect(then)
    return redirect(f"{then}{'&' if '?' in then else '?'}dismissed={batch}")


@auditors
@require_POST
def undo(request: HttpRequest) -> HttpResponse:
    """Take a dismissal back."""
    batch = _batch(request.POST.get("batch", "")) or UUID(int=0)
    return done(
        request,
        lambda: alarm_reviews.undo_dismissal(batch, at=timezone.now(), actor=actor_of(request)),
        _("The dismissal is taken back."),
        redirect(_ours(request.POST.get("next", ""))),
    )


def _of_search(known: Searched) -> dict[str, object]:
    stopped = known.search.error_code if known.search else ""
    return {"searched": known, "at_work": known.at_work, "failure": problem(stopped, stopped)}


def _found(alarm_id: int) -> Alarm:
    alarm = Alarm.objects.filter(pk=alarm_id).select_related("finding__rule", "review").first()
    if alarm is None:
        raise Http404("There is no such alarm.")
    return alarm


def _shows_measured(found: AlarmPage, access: object) -> bool:
    """What was measured of a till or a merchant is nobody's own; of a resident, it is shown for a purpose."""
    subject = found.row.subject
    return subject is not None and (subject.kind != "resident" or bool(access))


def _batch(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _ours(address: str) -> str:
    is_ours = address.startswith("/console/alarms") and url_has_allowed_host_and_scheme(address, allowed_hosts=None)
    return address if is_ours else reverse("alarms")
