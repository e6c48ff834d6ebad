"""What is asked when somebody is named as proxy, in the portal and at offices."""

from datetime import date, datetime, time, timedelta
from typing import Any, Final

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.residents.acting import DISPUTE, PAYMENT, SEE, Terms

QUIET: Final = {"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
CODE_LENGTH: Final = 40  # as it is typed, with spaces
DAY: Final = "%Y-%m-%d"
YEAR: Final = timedelta(days=365)
GUARDIAN_YEARS: Final = timedelta(days=5 * 365)


class ProxyCodeForm(forms.Form):
    """The code that somebody shows who wants to act for a resident."""

    code = forms.CharField(
        label=_("Code of the one who is to act"), max_length=CODE_LENGTH, widget=forms.TextInput(attrs=QUIET)
    )


class NameProxyForm(forms.Form):
    """What a proxy is given, and until when. Payment is asked for twice."""

    code = forms.CharField(max_length=CODE_LENGTH, widget=forms.HiddenInput())
    confirmed = forms.CharField(initial="yes", widget=forms.HiddenInput())
    rights = forms.MultipleChoiceField(
        label=_("What may they do?"),
        choices=[
            (SEE, _("see the refund and the purchases")),
            (DISPUTE, _("answer for purchases, object, appeal")),
            (PAYMENT, _("say where the refund is paid to")),
        ],
        initial=[SEE],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Choose at least one.")},
    )
    payment_confirmed = forms.MultipleChoiceField(
        label=_("If payment is among it"),
        choices=[("yes", _("I know that they can change the account that the refund is paid to."))],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    shows_name = forms.MultipleChoiceField(
        label=_("Name"),
        choices=[("yes", _("They are shown the name of whom they act for."))],
        initial=["yes"],
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    until = forms.DateField(
        label=_("Last day"),
        widget=forms.DateInput(attrs={"type": "date"}, format=DAY),
        input_formats=[DAY],
    )
    longest: timedelta = YEAR

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["until"].initial = timezone.localdate() + YEAR

    def clean_until(self) -> date:
        """A day to come, and not too far away."""
        day: date = self.cleaned_data["until"]
        today = timezone.localdate()
        if not today <= day <= today + self.longest:
            last = today + self.longest
            raise forms.ValidationError(
                _("Give a day from today to %(last)s. It can be renewed."), params={"last": last.isoformat()}
            )
        return day

    def clean(self) -> dict[str, Any]:
        """Payment is given only by saying it twice."""
        given = super().clean() or self.cleaned_data
        if PAYMENT in given.get("rights", []) and not given.get("payment_confirmed"):
            self.add_error("payment_confirmed", _("Tick this too if they are to have a say in the payment."))
        return given

    def terms(self) -> Terms:
        """What was chosen."""
        given = self.cleaned_data
        return Terms(frozenset(given["rights"]), _end_of(given["until"]), "yes" in given.get("shows_name", ["yes"]))


def _end_of(day: date) -> datetime:
    """Where a day ends, in the project's zone."""
    return datetime.combine(day + timedelta(days=1), time(), timezone.get_default_timezone())
