"""What auditors type about consumption-tax returns."""

from typing import TYPE_CHECKING, Final

from django import forms
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.core.files.uploadedfile import UploadedFile

FILE_MAX_BYTES: Final = 20_000_000


class ReturnsForm(forms.Form):
    """A file of returns, checked first and then taken."""

    file = forms.FileField(
        label=_("File of returns (CSV in UTF-8 or CP932, at most 20 MB)"),
        error_messages={"required": _("Choose a file of at most 20 MB. Operators import a larger one by command.")},
    )
    how = forms.ChoiceField(
        label=_("What shall be done"),
        choices=[("try", _("check the file, and change nothing")), ("take", _("keep the returns"))],
        initial="try",
        widget=forms.RadioSelect,
    )

    def clean_file(self) -> "UploadedFile[bytes]":
        """A file that was not too large to be taken."""
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if (file.size or 0) > FILE_MAX_BYTES:
            raise forms.ValidationError(self.fields["file"].error_messages["required"])
        return file


class DifferencesForm(forms.Form):
    """Which differences to list."""

    year = forms.IntegerField(label=_("Tax year"), min_value=2000, max_value=9999, required=False)
    kind = forms.ChoiceField(
        label=_("Show"),
        choices=[
            ("above", _("reported above declared")),
            ("below", _("reported below declared")),
            ("all", _("both")),
        ],
        required=False,
    )
    least = forms.IntegerField(label=_("At least, yen"), min_value=1, max_value=10**15, required=False)
