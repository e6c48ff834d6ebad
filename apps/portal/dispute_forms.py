"""What residents type about a purchase that is wrong or missing."""

from datetime import datetime, timedelta
from typing import Any, Final

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.refunds.forms import SomeAmountsForm
from apps.residents.pictures import MOST_BYTES

LONGEST_TEXT: Final = 2_000
MEGABYTES: Final = MOST_BYTES // 2**20
WORDS: Final = {"required": False, "max_length": LONGEST_TEXT}


def _text(label: Any, *, rows: int = 4, **more: Any) -> forms.CharField:
    return forms.CharField(label=label, widget=forms.Textarea(attrs={"rows": rows}), **more)


class NotMineForm(forms.Form):
    """Why a purchase is not the resident's."""

    words = _text(_("What should we know? (optional)"), **WORDS)


class WrongTierForm(SomeAmountsForm):
    """What was bought, by tier."""

    words = _text(_("What should we know? (optional)"), **WORDS)


class WhereForm(forms.Form):
    """Where and when something was bought that is not on the list."""

    shop = forms.CharField(label=_("Shop, as on the receipt"), max_length=200)
    day = forms.DateField(
        label=_("Day on the receipt"), widget=forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
    )
    time = forms.TimeField(
        label=_("Time on the receipt (Japan)"), widget=forms.TimeInput(format="%H:%M", attrs={"type": "time"})
    )
    receipt_number = forms.CharField(
        label=_("Receipt number (if there is one)"), max_length=60, required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """What is yet to come was not bought."""
        given = super().clean() or self.cleaned_data
        if given.get("day") and given.get("time") and self.bought_at() > timezone.now() + timedelta(minutes=10):
            self.add_error("day", _("This time is yet to come."))
        return given

    def bought_at(self) -> datetime:
        """The time in the project's zone."""
        zone = timezone.get_default_timezone()
        return datetime.combine(self.cleaned_data["day"], self.cleaned_data["time"], zone)


class MissingAmountsForm(SomeAmountsForm):
    """What was bought, by tier, and anything else."""

    words = _text(_("What should we know? (optional)"), **WORDS)


class AnswerForm(forms.Form):
    """The answer to an officer's question."""

    text = _text(_("Your answer"), max_length=LONGEST_TEXT)


class PhotoAnswerForm(forms.Form):
    """The answer with a photo: one of both is enough."""

    photo = forms.FileField(
        label=_("Photo of the receipt (JPEG, PNG or WebP)"),
        required=False,
        max_length=300,
        widget=forms.FileInput(attrs={"accept": "image/jpeg,image/png,image/webp"}),
    )
    text = _text(_("Your answer (optional with a photo)"), max_length=LONGEST_TEXT, required=False)

    def clean_photo(self) -> "UploadedFile[bytes] | None":
        """A file that is not too large."""
        photo: UploadedFile[bytes] | None = self.cleaned_data["photo"]
        if photo is not None and (photo.size or 0) > MOST_BYTES:
            raise forms.ValidationError(_("The file is larger than %(most)s MB."), params={"most": MEGABYTES})
        return photo

    def clean(self) -> dict[str, Any]:
        """A photo, or why there is none."""
        given = super().clean() or self.cleaned_data
        if not self.errors and not given.get("photo") and not given.get("text"):
            self.add_error("photo", _("Choose a photo, or write why there is none."))
        return given


class ReplyForm(forms.Form):
    """What a resident says to what is held against a purchase."""

    words = _text(_("Your reply"), rows=6, max_length=LONGEST_TEXT)


class DisputeAppealForm(forms.Form):
    """Why a resident disagrees with the decision."""

    words = _text(_("Why do you disagree?"), rows=6, max_length=LONGEST_TEXT)
