"""What auditors type about alarms and their rules."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.console.queries.alarms import NEW, in_order
from apps.inspections.alarm_rules import MOST, Rule
from apps.inspections.models import AlarmReview
from apps.refunds.templatetags.kanpu import in_language

REASON_LENGTH: Final = 400
STATES: Final = {
    NEW: _("New"),
    AlarmReview.State.LOOKED_AT: _("Looked at"),
    AlarmReview.State.DISMISSED: _("Dismissed"),
    AlarmReview.State.IN_CASE: _("In a case"),
}


class AlarmFilter(forms.Form):
    """Which alarms are listed: by rule, year and state, each or all."""

    kind = forms.ChoiceField(label=_("Rule"), required=False)
    year = forms.TypedChoiceField(label=_("Tax year"), required=False, coerce=int, empty_value=None)
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", _("All")), *STATES.items()])

    def __init__(self, data: Mapping[str, Any], *, rules: Mapping[str, Any], years: tuple[int, ...]) -> None:
        super().__init__(data)
        kinds = [(code, in_language(title)) for code, title in rules.items()]
        self.fields["kind"].choices = [("", _("All")), *kinds]  # type: ignore[attr-defined]
        self.fields["year"].choices = [("", _("All")), *((year, str(year)) for year in years)]  # type: ignore[attr-defined]


class DismissForm(forms.Form):
    """Why alarms are dismissed."""

    reason = forms.CharField(
        label=_("Reason for dismissing"),
        max_length=REASON_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class RuleForm(forms.Form):
    """A rule's thresholds, whether it is on, and why it is changed; `version` is the one that was shown."""

    is_on = forms.BooleanField(label=_("Look by this rule"), required=False)
    reason = forms.CharField(
        label=_("Why it is changed"), max_length=REASON_LENGTH, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, Any] | None, *, rule: Rule, initial: Mapping[str, Any]) -> None:
        super().__init__(data, initial={**initial, **rule.thresholds})
        self.thresholds = tuple(in_order(rule, rule.thresholds))
        for name in self.thresholds:
            label = in_language(rule.words[name])
            self.fields[name] = forms.IntegerField(label=label, min_value=0, max_value=MOST)
        self.order_fields([*self.thresholds, "is_on", "reason", "version"])
