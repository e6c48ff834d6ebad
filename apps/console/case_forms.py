"""What auditors type into cases."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.console.dispute_forms import REASONS
from apps.console.forms import LONGEST_TEXT, DayInput
from apps.console.problems import in_words
from apps.inspections.hearing import earliest_reply_date
from apps.inspections.models import Outcome
from apps.inspections.queries.records import check_there
from apps.inspections.records import named
from apps.kernel.errors import KanpuError

LAST_YEAR: Final = 9_000  # so that the day after a day is one
KINDS: Final = [
    ("purchase", _("Purchase (terminal/number)")),
    ("terminal", _("Terminal (its number)")),
    ("merchant", _("Merchant (its number)")),
    ("resident", _("Resident (reference)")),
    ("alarm", _("Alarm (its number)")),
    ("run", _("Refund run (year/number)")),
]
OUTCOMES: Final = [
    (Outcome.NO_FINDING, _("No finding")),
    (Outcome.EXPLAINED, _("Explained")),
    (Outcome.ANNULLED, _("Purchases annulled")),
    (Outcome.CLAIMED_BACK, _("Purchases annulled, and what was paid is claimed back")),
    (Outcome.CORRECTION, _("The shop has to correct")),
    (Outcome.HANDED_OVER, _("Handed to others")),
]


def _text(label: Any, rows: int = 4) -> forms.CharField:
    return forms.CharField(label=label, max_length=LONGEST_TEXT, widget=forms.Textarea(attrs={"rows": rows}))


class RecordForm(forms.Form):
    """A record that is there, by its kind and reference; `record` names it as the trail does."""

    kind = forms.ChoiceField(label=_("Kind of record"), choices=KINDS)
    reference = forms.CharField(
        label=_("Its reference"),
        max_length=60,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def clean(self) -> dict[str, Any]:
        """The record, if it is there."""
        given = super().clean() or self.cleaned_data
        if {"kind", "reference"} <= given.keys():
            try:
                given["record"] = named(given["kind"], given["reference"])
                check_there(given["record"])
            except KanpuError as error:
                self.add_error("reference", in_words(error))
        return given


class CaseForm(RecordForm):
    """A case that is opened by hand."""

    title = forms.CharField(label=_("Title, without anybody's name"), max_length=200)
    field_order = ["title", "kind", "reference"]


class EvidenceForm(RecordForm):
    """A record, and what it shows."""

    text = _text(_("What it shows, without anybody's name"), rows=3)


class CommentForm(forms.Form):
    """A comment."""

    text = _text(_("Comment, without anybody's name"), rows=3)


class CloseForm(forms.Form):
    """How a case is decided, and why."""

    outcome = forms.ChoiceField(label=_("Decision"), choices=OUTCOMES, widget=forms.RadioSelect)
    reasons = _text(_("Reasons"))


class AssignForm(forms.Form):
    """Whom a case is given to."""

    to = forms.ChoiceField(label=_("Auditor"))

    def __init__(self, data: Any = None, *, auditors: Sequence[str]) -> None:
        super().__init__(data)
        self.fields["to"].choices = [(name, name) for name in auditors]  # type: ignore[attr-defined]


class HearForm(forms.Form):
    """What is held against a purchase, and until when the resident may reply."""

    charge = _text(_("What is held against this purchase? The resident reads it."))
    reply_until = forms.DateField(label=_("The resident may reply until"), widget=DayInput())

    def __init__(self, data: Any = None) -> None:
        super().__init__(data, initial={"reply_until": earliest_reply_date(timezone.localdate())})

    def clean_reply_until(self) -> date:
        """Two weeks from today, or later."""
        day: date = self.cleaned_data["reply_until"]
        if not earliest_reply_date(timezone.localdate()) <= day or day.year > LAST_YEAR:
            raise forms.ValidationError(_("The resident gets at least two weeks to reply: choose a later day."))
        return day


class ProposeForm(forms.Form):
    """Why a purchase is annulled."""

    reasons = forms.CharField(label=REASONS, max_length=LONGEST_TEXT, widget=forms.Textarea(attrs={"rows": 4}))
