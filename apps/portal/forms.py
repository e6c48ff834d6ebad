"""What residents type."""

from django import forms
from django.utils.translation import gettext_lazy as _


class AppealForm(forms.Form):
    """Why a resident disagrees."""

    reason = forms.CharField(
        label=_("Why do you disagree?"), max_length=4_000, widget=forms.Textarea(attrs={"rows": 6})
    )
