"""What officers type about disputes."""

from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.console.forms import LONGEST_TEXT
from apps.refunds.forms import AmountsForm

REASONS: Final = _("Reasons, which the resident reads")


class QuestionForm(forms.Form):
    """What the resident is asked."""

    question = forms.CharField(
        label=_("Question to the resident"), max_length=LONGEST_TEXT, widget=forms.Textarea(attrs={"rows": 3})
    )
    wants_photo = forms.BooleanField(label=_("Ask for a photo of the receipt"), required=False)


class VerdictForm(AmountsForm):
    """Upheld or refused, with amounts where the kind of dispute has them; and why."""

    verdict = forms.ChoiceField(
        label=_("Decision"),
        choices=[("uphold", _("Uphold, as far as the amounts say")), ("refuse", _("Refuse"))],
        widget=forms.RadioSelect,
    )
    reasons = forms.CharField(label=REASONS, max_length=LONGEST_TEXT, widget=forms.Textarea(attrs={"rows": 4}))

    def clean(self) -> dict[str, Any]:
        """What is upheld has amounts."""
        given = super().clean() or self.cleaned_data
        if given.get("verdict") == "uphold" and self.codes and not self.errors and not self.amounts():
            self.add_error(f"tier_{self.codes[0]}", _("Give the amounts that are granted."))
        return given


class AppealVerdictForm(VerdictForm):
    """The same for an appeal."""

    verdict = forms.ChoiceField(
        label=_("Decision on the appeal"),
        choices=[
            ("uphold", _("Uphold, as far as the amounts say")),
            ("refuse", _("The decision stands")),
        ],
        widget=forms.RadioSelect,
    )
