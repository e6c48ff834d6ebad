"""What is typed to sign in and to set a sign-in up."""

import unicodedata
from typing import Any, Final

from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from django import forms
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from apps.residents.numbers import is_individual_number, is_resident_code, plain_digits

GOOD_FOR_S: Final = 120  # longer than any code of a program is taken
CODE: Final = {"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"}


class CodeField(forms.CharField):
    """Digits as people type them: in groups, or as wide as a Japanese keyboard writes them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=40, widget=forms.TextInput(attrs=CODE), **options)

    def to_python(self, value: object) -> str:
        """Letters and digits only."""
        return "".join(filter(str.isalnum, unicodedata.normalize("NFKC", super().to_python(value) or "")))


class PasswordForm(AuthenticationForm):
    """User name and password."""

    username = forms.CharField(
        label=_("User name"),
        max_length=150,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )
    password = forms.CharField(
        label=_("Password"), strip=False, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )


class UserNameForm(forms.ModelForm):  # type: ignore[type-arg]  # generic to mypy alone
    """The user name of a new sign-in."""

    class Meta:
        model = User
        fields = ["username"]
        labels = {"username": _("User name")}
        help_texts = {"username": ""}
        widgets = {
            "username": forms.TextInput(
                attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
            )
        }

    def clean_username(self) -> str:
        """Not somebody else's, and no number of the register: it would stand in clear where user names stand."""
        name: str = self.cleaned_data["username"]
        digits = plain_digits(name)
        if is_individual_number(digits) or is_resident_code(digits):
            raise forms.ValidationError(_("Do not use your individual number or resident code: choose another name."))
        if User.objects.filter(username__iexact=name).exists():
            raise forms.ValidationError(_("Somebody else has this user name. Choose another."))
        return name


class FactorForm(AuthenticateForm):  # type: ignore[misc]
    """A code: of the authenticator program, or a recovery code."""

    code = CodeField(label=_("Code"))

    def clean_code(self) -> str:
        """Each code is good once."""
        return _once(self.user, super().clean_code())


class FactorAgainForm(ReauthenticateForm):  # type: ignore[misc]
    """The same of who is signed in."""

    code = CodeField(label=_("Code"))

    def clean_code(self) -> str:
        """Each code is good once."""
        return _once(self.user, super().clean_code())


class ProgramForm(ActivateTOTPForm):  # type: ignore[misc]
    """The first code of an authenticator program."""

    code = CodeField(label=_("Code that the program shows"))

    def clean_code(self) -> str:
        """The digits of now. Raises ValidationError, which says why they may be others."""
        try:
            return str(super().clean_code())
        except forms.ValidationError as error:
            if error.code != "incorrect_code":
                raise
            said = _("That is not the code. Type the newest one; if it is not taken, set your device's clock right.")
            raise forms.ValidationError(said) from error


class PasskeyNameForm(forms.Form):
    """What its owner calls a passkey."""

    name = forms.CharField(
        label=_("Name of the passkey"), max_length=60, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )


def _once(user: User, code: str) -> str:
    """The library forgets a code after half a minute, but takes it a little longer."""
    mark = salted_hmac("kanpu.used-code", f"{user.pk}:{code}", algorithm="sha256").hexdigest()
    if not cache.add(f"used-code:{mark}", "y", timeout=GOOD_FOR_S):
        raise forms.ValidationError(_("This code was used already. Wait for the next one."))
    return code
