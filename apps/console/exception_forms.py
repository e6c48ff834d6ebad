"""What officers type to see a resident beyond their role, to delay a notice, and when keys were lost."""

from datetime import date, datetime, time, timedelta
from typing import Any, Final

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.audit.access import PURPOSE_LENGTH
from apps.audit.models import GLASS_MOST, NoticeDelay
from apps.console.forms import DayInput

CASE_LENGTH: Final = 60
QUIET: Final = {"autocomplete": "off", "spellcheck": "false"}
MINUTES: Final = 30
MOST_MINUTES: Final = GLASS_MOST // timedelta(minutes=1)
REASONS: Final = [
    (NoticeDelay.Reason.CRIMINAL, _("the police or a prosecutor investigates a crime")),
    (NoticeDelay.Reason.TAX_CRIME, _("the tax office investigates a tax crime")),
]


class ReferenceField(forms.UUIDField):
    """A resident's reference."""

    def __init__(self) -> None:
        super().__init__(
            label=_("Resident's reference"),
            widget=forms.TextInput(attrs=QUIET),
            error_messages={"invalid": _("A reference has 32 hexadecimal digits, as on the resident's statement.")},
        )


class LastDayField(forms.DateField):
    """A last day: comes out as the moment at which it is over."""

    def __init__(self, label: Any) -> None:
        super().__init__(label=label, widget=DayInput())

    def clean(self, value: Any) -> datetime:
        """The midnight after the day."""
        day: date = super().clean(value)
        try:
            return timezone.make_aware(datetime.combine(day + timedelta(days=1), time()))
        except OverflowError as error:
            raise forms.ValidationError(self.error_messages["invalid"]) from error


class GlassForm(forms.Form):
    """Whom to see, why, and for how long."""

    resident = ReferenceField()
    reason = forms.CharField(
        label=_("Reason: why can nobody else do it?"), max_length=PURPOSE_LENGTH, widget=forms.TextInput(attrs=QUIET)
    )
    case = forms.CharField(
        label=_("Case number (if there is one)"), required=False, max_length=CASE_LENGTH,
        widget=forms.TextInput(attrs=QUIET),
    )  # fmt: skip
    minutes = forms.IntegerField(label=_("Minutes (240 at most)"), min_value=1, max_value=MOST_MINUTES, initial=MINUTES)


class DelayForm(forms.Form):
    """Of whose accesses a resident is told later, and until when."""

    resident = ReferenceField()
    case = forms.CharField(
        label=_("Case number, as you will give it when you look"), max_length=CASE_LENGTH,
        widget=forms.TextInput(attrs=QUIET),
    )  # fmt: skip
    reason = forms.ChoiceField(label=_("Reason"), choices=REASONS, widget=forms.RadioSelect)
    until = LastDayField(_("Last day of the delay (six months at most)"))


class ExtendForm(forms.Form):
    """Until when a delay is extended."""

    until = LastDayField(_("New last day"))


class KeyResetForm(forms.Form):
    """Who lost all keys."""

    username = forms.CharField(label=_("Officer's user name"), max_length=150, widget=forms.TextInput(attrs=QUIET))
    reason = forms.CharField(
        label=_("What happened, and how you know that it is this officer who asks"), max_length=PURPOSE_LENGTH,
        widget=forms.TextInput(attrs=QUIET),
    )  # fmt: skip
