"""What auditors type into the console."""

from datetime import date

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.refunds.models import Decision

LONGEST_TEXT = 4_000


class DayInput(forms.DateInput):
    """A browser's own calendar."""

    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


def not_to_come(day: date) -> None:
    """Refuse a day in the future."""
    if day > timezone.localdate():
        raise ValidationError(_("This day has not come yet."))


class SignForm(forms.Form):
    """The signer's own password, and the digest that was on the page."""

    password = forms.CharField(
        label=_("Your password, once more"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    digest = forms.CharField(widget=forms.HiddenInput)


class ApproveFileForm(forms.Form):
    """The approver's own password, and the file whose SHA-256 was on the page."""

    password = forms.CharField(
        label=_("Your password, once more"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    sha256 = forms.CharField(widget=forms.HiddenInput)


class RefundForm(forms.Form):
    """Whose refund, of which year; `replay` is the run to compute again."""

    resident = forms.UUIDField(
        label=_("Resident's reference"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"invalid": _("A reference has 32 hexadecimal digits, as on the resident's statement.")},
    )
    year = forms.IntegerField(label=_("Tax year"), min_value=1, max_value=9999)
    replay = forms.IntegerField(required=False, min_value=1, max_value=32_767, widget=forms.HiddenInput)


class SentForm(forms.Form):
    """The day on which a letter was sent."""

    on = forms.DateField(label=_("Sent on"), widget=DayInput(), validators=[not_to_come])


class AppealForm(forms.Form):
    """An appeal that came in on paper."""

    on = forms.DateField(label=_("Received on"), widget=DayInput(), validators=[not_to_come])
    reason = forms.CharField(
        label=_("What the resident says"), max_length=LONGEST_TEXT, widget=forms.Textarea(attrs={"rows": 4})
    )


class OutcomeForm(forms.Form):
    """How an appeal ends."""

    result = forms.ChoiceField(
        label=_("Outcome"),
        choices=[(Decision.State.CONFIRMED, _("The decision stands")), (Decision.State.AMENDED, _("It is amended"))],
        widget=forms.RadioSelect,
    )
    outcome = forms.CharField(label=_("Reasons"), max_length=LONGEST_TEXT, widget=forms.Textarea(attrs={"rows": 4}))


class AnswerWhyForm(forms.Form):
    """Why somebody of the office looked."""

    answer = forms.CharField(
        label=_("Answer: why was it looked at?"), max_length=2_000, widget=forms.Textarea(attrs={"rows": 6})
    )
