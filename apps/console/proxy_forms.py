"""What clerks enter about proxies and guardians."""

from dataclasses import replace
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.console.forms import DayInput, not_to_come
from apps.console.office_forms import CHANNELS
from apps.residents.acting import RIGHTS, Terms
from apps.residents.forms import GUARDIAN_YEARS, NameProxyForm
from apps.residents.models import Proxy

DOCUMENTS: Final = [
    (Proxy.Document.REGISTER, _("certificate of the register of guardianships")),
    (Proxy.Document.COURT, _("court's decision, with the certificate that it is final")),
]


class OfficeProxyForm(NameProxyForm):
    """A proxy whom the resident names at a window or by letter."""

    channel = forms.ChoiceField(label=_("Asked for"), choices=CHANNELS)


class GuardianForm(NameProxyForm):
    """A guardian, on a document. No copy of it is kept."""

    document = forms.ChoiceField(label=_("Document"), choices=DOCUMENTS)
    document_date = forms.DateField(label=_("Its date"), widget=DayInput(), validators=[not_to_come])
    channel = forms.ChoiceField(label=_("Asked for"), choices=CHANNELS)
    longest = GUARDIAN_YEARS

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["rights"].initial = list(RIGHTS)
        del self.fields["shows_name"]  # a guardian knows whom the court named

    def terms(self) -> Terms:
        """The same, with the document."""
        given = self.cleaned_data
        return replace(super().terms(), document=given["document"], document_date=given["document_date"])


class ConsentForm(forms.Form):
    """What the resident wants the household to see."""

    seen = forms.ChoiceField(
        label=_("What do the others of the household see?"),
        choices=[
            ("yes", _("name, spend and refund of a year")),
            ("no", _("nothing but that the resident belongs to it")),
        ],
        widget=forms.RadioSelect,
    )
    channel = forms.ChoiceField(label=_("Asked for"), choices=CHANNELS)
