"""What officers type. What a resident is found by is never written back into a page."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.accruals.answers import CONFIRMED, DENIED
from apps.audit.access import PURPOSE_LENGTH
from apps.audit.purposes import AT_OFFICES, OF_AUDITORS, OTHER
from apps.console.forms import DayInput, not_to_come
from apps.residents.models import CardOrder, CardSuspension, PaymentAccount
from apps.residents.notice_codes import noticed_pk
from apps.residents.numbers import is_individual_number, is_resident_code, plain_digits
from apps.residents.operations.card_life import OTHER_DOCUMENTS, PHOTO_DOCUMENTS

Channel = CardSuspension.Channel
Reason = PaymentAccount.Reason
CASE_LENGTH: Final = 60
FILE_MAX_BYTES: Final = 5 * 2**20  # of a register's table
QUIET: Final = {"autocomplete": "off", "spellcheck": "false"}
MINUTES: Final = "%Y-%m-%dT%H:%M"
CHANNELS: Final = [(Channel.WINDOW, _("at the window")), (Channel.LETTER, _("by letter"))]
REASONS: Final = [
    (CardOrder.Reason.LOST, _("lost")),
    (CardOrder.Reason.DAMAGED, _("damaged")),
    (CardOrder.Reason.EXPIRY, _("it expires")),
    (CardOrder.Reason.NAME, _("the name has changed")),
]
DOCUMENTS: Final[dict[str, Promise]] = {
    "individual_number_card": _("Individual Number Card"),
    "driving_licence": _("Driving licence"),
    "passport": _("Passport"),
    "residence_card": _("Residence card"),
    "disability_card": _("Disability certificate"),
    "health_insurance": _("Health insurance document"),
    "pension": _("Pension document"),
    "student_card": _("Student card"),
    "employee_card": _("Employee card"),
    "bank_book": _("Bank book"),
}


class UnrepeatedInput(forms.TextInput):
    """A field that is empty again whenever its page is shown."""

    def format_value(self, value: Any) -> None:  # noqa: ARG002 - Django's signature
        return None


class MinuteInput(forms.DateTimeInput):
    """A browser's own calendar and clock."""

    input_type = "datetime-local"

    def __init__(self) -> None:
        super().__init__(format=MINUTES)


class DigitsField(forms.CharField):
    """A number that is right by its form, which no page repeats."""

    def __init__(self, label: Any, is_right: Callable[[str], bool], error: Any) -> None:
        widget = UnrepeatedInput(attrs={**QUIET, "inputmode": "numeric"})
        super().__init__(label=label, required=False, max_length=40, widget=widget)
        self.is_right, self.error = is_right, error

    def clean(self, value: Any) -> str:
        """The digits alone."""
        digits = plain_digits(super().clean(value))
        if digits and not self.is_right(digits):
            raise forms.ValidationError(self.error)
        return digits


class PurposeForm(forms.Form):
    """Why a resident's data is opened: `purpose` comes out as the trail keeps it."""

    purpose = forms.ChoiceField(label=_("Purpose"))
    text = forms.CharField(
        label=_("If another purpose: which?"),
        required=False,
        max_length=PURPOSE_LENGTH,
        widget=forms.TextInput(attrs=QUIET),
    )
    case = forms.CharField(
        label=_("Case number (if there is one)"),
        required=False,
        max_length=CASE_LENGTH,
        widget=forms.TextInput(attrs=QUIET),
    )
    purposes: Mapping[str, str | Promise] = OF_AUDITORS

    def __init__(self, data: Mapping[str, Any] | None = None, *, case: str = "") -> None:
        super().__init__(data, initial={"case": case})
        if case:  # it was asked for in this one
            self.fields["case"].widget.attrs["readonly"] = True
        choices = [("", "—"), *self.purposes.items(), (OTHER, _("another purpose"))]
        self.fields["purpose"].choices = choices  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """The same with what was typed in place of `other`."""
        cleaned = self.cleaned_data
        if cleaned.get("purpose") == OTHER:
            if cleaned.get("text"):
                cleaned["purpose"] = cleaned["text"]
            elif "text" not in self.errors:
                self.add_error("text", _("Say which purpose. The resident reads it."))
        return cleaned


class OpenForm(PurposeForm):
    """What a resident is found by, and why."""

    number = DigitsField(
        _("Individual number"),
        is_individual_number,
        _("This is no individual number: 12 digits, the last of which fits the others. Check them, digit by digit."),
    )
    code = DigitsField(_("or resident code"), is_resident_code, _("A resident code has 11 digits."))
    birth_date = forms.DateField(label=_("Birth date"), widget=DayInput(), validators=[not_to_come])
    purposes = AT_OFFICES
    field_order = ["number", "code", "birth_date", "purpose", "text", "case"]

    def clean(self) -> dict[str, Any]:
        """One of number and code."""
        cleaned = super().clean()
        if not self.errors.keys() & {"number", "code"} and bool(cleaned["number"]) == bool(cleaned["code"]):
            self.add_error("number", _("Give the individual number or the resident code, one of them."))
        return cleaned


class LostForm(forms.Form):
    """What somebody says on the telephone whose card is lost."""

    name = forms.CharField(
        label=_("Name in kana; as written, if the register has no kana"),
        max_length=200,
        widget=forms.TextInput(attrs=QUIET),
    )
    birth_date = forms.DateField(label=_("Birth date"), widget=DayInput(), validators=[not_to_come])
    address = forms.CharField(
        label=_("Address, or the postal code alone"), max_length=300, widget=forms.TextInput(attrs=QUIET)
    )
    lost_since = forms.DateTimeField(label=_("Lost since"), widget=MinuteInput(), input_formats=[MINUTES])

    def clean_lost_since(self) -> datetime:
        """Not later than now."""
        return not_later(self.cleaned_data["lost_since"])


class SuspendForm(forms.Form):
    """A lost card."""

    lost_since = forms.DateTimeField(label=_("Lost since"), widget=MinuteInput(), input_formats=[MINUTES])
    channel = forms.ChoiceField(label=_("Asked for"), choices=CHANNELS)

    def clean_lost_since(self) -> datetime:
        """Not later than now."""
        return not_later(self.cleaned_data["lost_since"])


def not_later(moment: datetime) -> datetime:
    """The moment, unless it has not come yet."""
    if moment > timezone.now():
        raise forms.ValidationError(_("This time has not come yet."))
    return moment


class OrderForm(forms.Form):
    """Another card."""

    reason = forms.ChoiceField(label=_("Reason"), choices=REASONS)
    channel = forms.ChoiceField(label=_("Asked for"), choices=CHANNELS)


class ChannelForm(forms.Form):
    """How the resident asked for it."""

    channel = forms.ChoiceField(label=_("Asked for"), choices=CHANNELS)


class TickedField(forms.MultipleChoiceField):
    """Rows of a page that were ticked. Whether they are the resident's is asked by what is done with them."""

    def valid_value(self, value: Any) -> bool:  # noqa: ARG002 - Django's signature
        """Any."""
        return True


class AnswerForm(ChannelForm):
    """What the resident says of held purchases."""

    purchase = TickedField(
        label=_("Held purchases"), error_messages={"required": _("Tick the purchases that it is about.")}
    )
    answer = forms.ChoiceField(label=_("Answer"), choices=[(CONFIRMED, CONFIRMED), (DENIED, DENIED)])


class WithdrawForm(ChannelForm):
    """A purchase that is withdrawn, and the year to whose purchases the clerk goes back."""

    year = forms.IntegerField(widget=forms.HiddenInput())


class HandOverForm(forms.Form):
    """Which identity documents were checked."""

    photo = forms.MultipleChoiceField(
        label=_("Documents with a photo: one is enough"),
        required=False,
        choices=[(kind, DOCUMENTS[kind]) for kind in PHOTO_DOCUMENTS],
        widget=forms.CheckboxSelectMultiple,
    )
    others = forms.MultipleChoiceField(
        label=_("Other documents: two of them"),
        required=False,
        choices=[(kind, DOCUMENTS[kind]) for kind in OTHER_DOCUMENTS],
        widget=forms.CheckboxSelectMultiple,
    )

    def clean(self) -> dict[str, Any]:
        """Enough documents, as `documents`."""
        cleaned = self.cleaned_data
        cleaned["documents"] = [*cleaned.get("photo", []), *cleaned.get("others", [])]
        if not cleaned.get("photo") and len(cleaned.get("others", [])) < 2:
            self.add_error("photo", _("Check one document with a photo, or two others."))
        return cleaned


class ReviewForm(forms.Form):
    """What a clerk finds who compares an account's holder with the register."""

    reason = forms.ChoiceField(
        label=_("What do you find?"),
        choices=[
            (Reason.SPELLING, _("The same person: only the spelling differs. Accept it.")),
            (Reason.DOCUMENT, _("The same person: a document shows it (alias, former name, marriage). Accept it.")),
            (Reason.OTHER_PERSON, _("Somebody else's account. Refuse it.")),
            (Reason.UNCLEAR, _("It is not clear whose it is. Refuse it.")),
        ],
        widget=forms.RadioSelect,
    )


class ReturnedForm(forms.Form):
    """The number that is printed on a letter."""

    number = forms.CharField(
        label=_("Number on the letter"),
        max_length=40,
        widget=forms.TextInput(attrs={**QUIET, "inputmode": "numeric"}),
    )

    def clean_number(self) -> int:
        """The letter's row: its check digit fits, so that no other letter is meant."""
        pk = noticed_pk(self.cleaned_data["number"])
        if pk is None:
            raise forms.ValidationError(_("No letter was printed under this number. Check the number on the letter."))
        return pk


class ImportForm(forms.Form):
    """A register's table, whose it is, and whether it is taken or only tried."""

    file = forms.FileField(
        label=_("File (CSV in UTF-8 or CP932, at most 5 MB)"),
        error_messages={"required": _("Choose a file of at most 5 MB. A larger one is imported by your operators.")},
    )
    municipality = forms.RegexField(
        r"^[0-9]{6}$",
        label=_("Municipality's code, 6 digits (may be empty)"),
        required=False,
        widget=forms.TextInput(attrs={**QUIET, "inputmode": "numeric"}),
        error_messages={"invalid": _("A municipality's code has 6 digits.")},
    )
    as_of = forms.DateField(
        label=_("The day that the file shows"), widget=DayInput(), validators=[not_to_come], initial=timezone.localdate
    )
    how = forms.ChoiceField(
        label=_("What shall be done"),
        choices=[("try", _("check the file, and change nothing")), ("take", _("take it into the register"))],
        initial="try",
        widget=forms.RadioSelect,
    )

    def clean_file(self) -> "UploadedFile[bytes]":
        """A file that was not too large to be taken."""
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > FILE_MAX_BYTES:
            raise forms.ValidationError(self.fields["file"].error_messages["required"])
        return file
