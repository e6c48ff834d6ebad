"""The rules of alarms: the list, and one whose thresholds an auditor may change, with a reason."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from apps.audit.officers import Thing
from apps.console.alarm_forms import RuleForm
from apps.console.guard import actor_of, open_to_those_who_may
from apps.console.problems import in_words as problem_in_words
from apps.console.queries.alarms import in_words, shipped_rule
from apps.inspections.operations.alarm_rules import set_rule
from apps.inspections.queries.alarm_rules import rules_in_force, shipped_rules, versions_of
from apps.kernel.errors import KanpuError

auditors = open_to_those_who_may(Thing.ALARMS)


@auditors
@require_safe
def rules(request: HttpRequest) -> HttpResponse:
    """All rules: those that are searched with their thresholds, and those raised at once."""
    known = rules_in_force()
    rows = [
        (rule, known[rule.code].row if rule.code in known else None, in_words(rule, rule.thresholds))
        for rule in (known[shipped.code].rule if shipped.code in known else shipped for shipped in shipped_rules())
    ]
    return render(request, "console/alarm_rules.html", {"rows": rows})


@auditors
@require_http_methods(["GET", "HEAD", "POST"])
def rule(request: HttpRequest, code: str) -> HttpResponse:
    """One rule: what it looks for, its thresholds, and its versions."""
    if code not in {shipped.code for shipped in shipped_rules()}:
        raise Http404("There is no such rule.")
    versions = versions_of(code)
    newest = versions[0] if versions else None
    shown = newest.rule if newest else shipped_rule(code)
    form = None
    if newest and shown.is_searched:
        initial = {"is_on": newest.row.is_on, "version": newest.row.version}
        form = RuleForm(request.POST or None, rule=shown, initial=initial)
        if form.is_valid() and _is_set(request, code, form):
            return redirect("alarm-rule", code=code)
    told = [(version.row, in_words(version.rule, version.rule.thresholds)) for version in versions]
    return render(request, "console/alarm_rule.html", {"rule": shown, "form": form, "versions": told})


def _is_set(request: HttpRequest, code: str, form: RuleForm) -> bool:
    given = form.cleaned_data
    try:
        set_rule(
            code,
            thresholds={name: given[name] for name in form.thresholds},
            is_on=given["is_on"],
            reason=given["reason"],
            version=given["version"],
            at=timezone.now(),
            actor=actor_of(request),
        )
    except KanpuError as error:
        form.add_error(None, problem_in_words(error))
        return False
    messages.success(request, _("The rule is changed. The next look goes over the whole year by it."))
    return True
