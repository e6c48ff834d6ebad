"""What residents type."""

from datetime import date, datetime, time
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.portal.birth_dates import birth_date_of
from apps.residents.models import CardOrder, Mailing


class CodeForm(forms.Form):
    """The code of a letter, and whose it is."""

    code = forms.CharField(
        label=_("Code of the letter"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )
    birth_date = forms.CharField(
        label=_("Birth date, as in 1990-04-01 or 19900401"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "bday"}),
    )

    def clean_birth_date(self) -> date:
        """The date that was typed in one of many ways."""
        found = birth_date_of(self.cleaned_data["birth_date"])
        if found is None:
            raise forms.ValidationError(_("Give year, month and day, as in 1990-04-01."))
        return found


class LostForm(forms.Form):
    """Since when a card is lost: now, or a day and a time before."""

    when = forms.ChoiceField(
        label=_("Since when do you not have the card?"),
        choices=[("now", _("Just now")), ("earlier", _("Since an earlier time:"))],
        initial="now",
        widget=forms.RadioSelect,
    )
    day = forms.DateField(label=_("Day"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    time = forms.TimeField(label=_("Time (Japan)"), required=False, widget=forms.TimeInput(attrs={"type": "time"}))

    def clean(self) -> dict[str, Any]:
        """An earlier time needs its day; without a time of day the whole day counts."""
        given = super().clean() or self.cleaned_data
        if given.get("when") == "earlier" and not given.get("day"):
            self.add_error("day", _("Give the day on which you last had the card."))
        return given

    def lost_since(self, now: datetime) -> datetime:
        """The time in the project's zone."""
        if self.cleaned_data["when"] == "now":
            return now
        zone = timezone.get_default_timezone()
        return datetime.combine(self.cleaned_data["day"], self.cleaned_data["time"] or time(), zone)


class OrderForm(forms.Form):
    """Why another card is needed."""

    reason = forms.ChoiceField(
        label=_("Why do you need another card?"),
        choices=[
            (CardOrder.Reason.LOST.value, _("It is lost")),
            (CardOrder.Reason.DAMAGED.value, _("It is damaged")),
            (CardOrder.Reason.NAME.value, _("My name has changed")),
        ],
        widget=forms.RadioSelect,
    )


class AppealForm(forms.Form):
    """Why a resident disagrees."""

    reason = forms.CharField(
        label=_("Why do you disagree?"), max_length=4_000, widget=forms.Textarea(attrs={"rows": 6})
    )


class ClaimForm(forms.Form):
    """The code on a receipt."""

    code = forms.CharField(
        label=_("Code on the receipt, 26 letters and digits"),
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )


class WantsForm(forms.Form):
    """Which messages come by e-mail."""

    wants = forms.ChoiceField(
        label=_("What shall come by e-mail?"),
        choices=[
            (Mailing.Wants.IMPORTANT.value, _("The important: refund, decisions, cards, account, purchases that wait")),
            (Mailing.Wants.ALL.value, _("Everything, also when somebody looked at my data")),
            (Mailing.Wants.NONE.value, _("Nothing")),
        ],
        initial=Mailing.Wants.IMPORTANT.value,
        widget=forms.RadioSelect,
    )


class MailForm(WantsForm):
    """An e-mail address for messages."""

    email = forms.EmailField(
        label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )
    field_order = ["email", "wants"]

    def __init__(self, data: Any = None, **options: Any) -> None:
        super().__init__(data, auto_id="address_%s", **options)  # another form of the page has the same choice


class ConfirmMailForm(forms.Form):
    """The code that was sent to an address."""

    code = forms.CharField(
        label=_("Code of the e-mail"),
        max_length=40,
        widget=forms.TextInput(
            attrs={"autocomplete": "one-time-code", "autocapitalize": "characters", "spellcheck": "false"}
        ),
    )


class AskForm(forms.Form):
    """What a resident asks of who looked; nothing need be said."""

    words = forms.CharField(
        label=_("What do you want to know? (may be left empty)"),
        max_length=1_000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
