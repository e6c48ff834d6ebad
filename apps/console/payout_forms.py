"""What auditors type about payments."""

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.payouts.models import Batch, PaymentHold, SendingBank

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

FILE_MAX_BYTES: Final = 3_000_000  # some 25,000 transfers, which are taken while somebody waits
LARGEST: Final = 32_767
STATES: Final = {
    Batch.State.WRITING: _("Being written"),
    Batch.State.DRAFT: _("Waits for approval"),
    Batch.State.APPROVED: _("Approved, not sent yet"),
    Batch.State.SUBMITTED: _("Being handed over"),
    Batch.State.SENT: _("Handed over"),
    Batch.State.DROPPED: _("Given up"),
}
REASONS: Final[dict[str, Promise]] = {
    PaymentHold.Reason.INQUIRY: _("Inquiry"),
    PaymentHold.Reason.SEIZURE: _("Seizure"),
}


class BatchesForm(forms.Form):
    """Which files to list."""

    year = forms.IntegerField(label=_("Tax year"), min_value=1, max_value=9999, required=False)
    run = forms.IntegerField(label=_("Run"), min_value=1, max_value=LARGEST, required=False)
    state = forms.ChoiceField(label=_("State"), choices=[("", _("all")), *STATES.items()], required=False)


class HoldForm(forms.Form):
    """Whose payments to hold, and why."""

    resident = forms.UUIDField(
        label=_("Resident's reference"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"invalid": _("A reference has 32 hexadecimal digits, as on the resident's statement.")},
    )
    reason = forms.ChoiceField(label=_("Reason"), choices=list(REASONS.items()), widget=forms.RadioSelect)


class ReissueForm(forms.Form):
    """Which payments to make again."""

    which = forms.ChoiceField(
        label=_("Which are paid again"),
        choices=[
            ("moved", _("only those whose payee has named another account since")),
            ("all", _("all, those to the same account as well: the failure was the bank's")),
        ],
        initial="moved",
        widget=forms.RadioSelect,
    )


class ResultsForm(forms.Form):
    """A bank's result file, checked first and then taken. Which bank's is asked where there are several."""

    bank = forms.ModelChoiceField(
        label=_("Bank"), queryset=SendingBank.objects.none(), to_field_name="name", empty_label=None
    )
    file = forms.FileField(
        label=_("Result or return file of the bank (at most 3 MB)"),
        error_messages={"required": _("Choose a file of at most 3 MB. Operators import a larger one by command.")},
    )
    how = forms.ChoiceField(
        label=_("What shall be done"),
        choices=[("try", _("check the file, and change nothing")), ("take", _("take the results"))],
        initial="try",
        widget=forms.RadioSelect,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        banks = SendingBank.objects.order_by("name")
        names = [bank.name for bank in banks]
        self.fields["bank"].queryset = banks  # type: ignore[attr-defined]
        if len(names) == 1:
            self.fields["bank"].initial, self.fields["bank"].widget = names[0], forms.HiddenInput()

    def clean_file(self) -> "UploadedFile[bytes]":
        """A file that was not too large to be taken."""
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > FILE_MAX_BYTES:
            raise forms.ValidationError(self.fields["file"].error_messages["required"])
        return file
