"""The admin's forms: what may be entered, and in words what is wrong with it."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from apps.merchants.enrolment import NewTerminal
from apps.merchants.keys import read_public_key
from apps.merchants.models import Mode, Scope, VendorAuthorisation

if TYPE_CHECKING:
    ModelForm = forms.ModelForm[Any]
else:
    ModelForm = forms.ModelForm


class ApiKeyForm(ModelForm):
    """A key of a merchant, in its mode, or of a vendor, in a chosen one."""

    mode = forms.ChoiceField(
        label=capfirst(_("mode")),
        required=False,
        choices=[("", "---------"), *Mode.choices],
        help_text=_("Of a software maker's key; a merchant's key has its merchant's mode."),
    )
    scopes = forms.MultipleChoiceField(
        label=capfirst(_("scopes")), choices=Scope.choices, initial=[Scope.REPORT], widget=forms.CheckboxSelectMultiple
    )

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if expires_at and expires_at <= timezone.now():
            raise ValidationError(_("A key expires in the future."))
        return expires_at

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        merchant, vendor = data.get("merchant"), data.get("vendor")
        if merchant:
            data["mode"] = merchant.mode
            if any(store.merchant_id != merchant.pk for store in data.get("stores", ())):
                self.add_error("stores", _("Choose stores of the merchant."))
        elif vendor:
            self._check_vendor(data)
        return data

    def _check_vendor(self, data: dict[str, Any]) -> None:
        vendor = data["vendor"]
        if not data.get("mode"):
            self.add_error("mode", _("Choose a mode."))
        if data.get("stores"):
            self.add_error("stores", _("Only a merchant's key is limited to stores."))
        if data.get("mode") == Mode.LIVE and vendor.conformance_required and not vendor.conformance_reports.exists():
            why = _("Live keys need a conformance report of the software maker on record. Issue a test key until then.")
            self.add_error("vendor", why)


class TerminalForm(ModelForm):
    """A till's facts, which may change: where it stands."""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        merchant, store = data.get("merchant", getattr(self.instance, "merchant", None)), data.get("store")
        if merchant and store and store.merchant_id != merchant.pk:
            self.add_error("store", _("Choose a store of the merchant."))
        return data


class NewTerminalForm(TerminalForm):
    """A till to enrol, with its public key if it has one."""

    till_key = forms.CharField(
        label=capfirst(_("public key")),
        required=False,
        help_text=_("Ed25519, base64url without padding. Without it the till gets a one-time code."),
    )

    def clean_till_key(self) -> bytes | None:
        text = self.cleaned_data["till_key"]
        key = read_public_key(text) if text else None
        if text and key is None:
            raise ValidationError(_("This is not 32 bytes in base64url without padding."))
        return key

    def new_terminal(self) -> NewTerminal:
        """What the form asks to enrol."""
        data = self.cleaned_data
        place = None if data["latitude"] is None else (data["latitude"], data["longitude"])
        return NewTerminal(data["code"], data["store"].name, data["region"], place, data["till_key"])


class AuthorisationForm(ModelForm):
    """Who may report for whom."""

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        named = {"vendor": data.get("vendor"), "merchant": data.get("merchant")}
        if all(named.values()) and VendorAuthorisation.objects.filter(**named, withdrawn_at=None).exists():
            raise ValidationError(_("The merchant has authorised this software maker already."))
        return data
