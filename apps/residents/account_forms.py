"""What residents, and clerks for them, type of an account. A form that is right gives the `account`."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.residents.accounts.directory import POST_BANK, Listed, banks, branches, find
from apps.residents.accounts.holder import LONGEST, HolderTooLong, HolderUnwritable, holder_kana
from apps.residents.accounts.numbers import (
    CURRENT,
    ORDINARY,
    SAVINGS,
    NumberUnreadable,
    PostNumberUnreadable,
    SymbolUnreadable,
    account_number,
    post_account,
)
from apps.residents.vault.contents import Account

QUIET: Final = {"autocomplete": "off", "spellcheck": "false"}
DIGITS: Final = {**QUIET, "inputmode": "numeric"}
TYPES: Final = [(ORDINARY, _("Ordinary (普通)")), (CURRENT, _("Current (当座)")), (SAVINGS, _("Savings (貯蓄)"))]
AT_MOST_NAMED: Final = 8


class HolderForm(forms.Form):
    """Whose account it is. `notes` are remarks on what was typed, by name, for who reads it back."""

    holder = forms.CharField(
        label=_("Account holder in kana, as in the bank book"),
        max_length=100,
        widget=forms.TextInput(attrs=QUIET),
    )

    def __init__(self, data: Mapping[str, Any] | None = None, **options: Any) -> None:
        super().__init__(data, **options)
        self.notes: set[str] = set()

    def clean_holder(self) -> str:
        """The name as banks write it."""
        try:
            return holder_kana(self.cleaned_data["holder"])
        except HolderUnwritable as error:
            raise forms.ValidationError(
                _("Banks do not take “%(characters)s” in a name. Write it in kana, or in Latin letters."),
                params={"characters": error.characters},
            ) from error
        except HolderTooLong as error:
            raise forms.ValidationError(
                _("Banks take %(count)s characters of a name; が and ぱ count as two. Write the first ones only."),
                params={"count": LONGEST},
            ) from error


class AccountForm(HolderForm):
    """An account of a branch that was chosen: `bank` and `branch` are codes."""

    type = forms.ChoiceField(label=_("Kind of account"), choices=TYPES, initial=ORDINARY, widget=forms.RadioSelect)
    number = forms.CharField(
        label=_("Account number, up to seven digits"), max_length=20, widget=forms.TextInput(attrs=DIGITS)
    )
    field_order = ["type", "number", "holder"]

    def __init__(self, data: Mapping[str, Any] | None = None, *, bank: str = "", branch: str = "") -> None:
        super().__init__(data)
        self.bank, self.branch = bank, branch

    def clean_number(self) -> str:
        """Seven digits."""
        try:
            found = account_number(self.cleaned_data["number"])
        except NumberUnreadable as error:
            raise forms.ValidationError(
                _("An account number has up to seven digits and nothing else. Look into the bank book.")
            ) from error
        if found.was_padded:
            self.notes.add("padded")
        return found.digits

    @property
    def account(self) -> Account:
        """What was typed, of a form that is right."""
        given = self.cleaned_data
        return Account(self.bank, self.branch, given["type"], given["number"], given["holder"])


class PostAccountForm(HolderForm):
    """An account of the Japan Post Bank by its 記号 and 番号."""

    symbol = forms.CharField(
        label=_("記号 (five digits, as 10530)"), max_length=20, widget=forms.TextInput(attrs=DIGITS)
    )
    number = forms.CharField(
        label=_("番号 (up to eight digits, as 12345671)"), max_length=20, widget=forms.TextInput(attrs=DIGITS)
    )
    field_order = ["symbol", "number", "holder"]

    def clean(self) -> dict[str, Any]:
        """記号 and 番号 must go together: `found` is what other banks call them."""
        given = self.cleaned_data
        if "symbol" in given and "number" in given:
            try:
                found = post_account(given["symbol"], given["number"])
            except SymbolUnreadable:
                self.add_error("symbol", _("A 記号 has five digits: it begins with 1 or 0 and ends with 0."))
            except PostNumberUnreadable:
                self.add_error("number", _("A 番号 ends with 1. If the 記号 begins with 0, it has up to six digits."))
            else:
                given["found"] = found
                self.notes |= set() if found.fits else {"unlikely"}
        return given

    @property
    def account(self) -> Account:
        """What was typed, of a form that is right."""
        found = self.cleaned_data["found"]
        return Account(POST_BANK, found.branch, found.type, found.number, self.cleaned_data["holder"])


class FoundAccountForm(AccountForm):
    """An account whose bank and branch are typed as well, by code or by name: each must be meant alone."""

    bank_text = forms.CharField(label=_("Bank: code or name"), max_length=60, widget=forms.TextInput(attrs=QUIET))
    branch_text = forms.CharField(label=_("Branch: code or name"), max_length=60, widget=forms.TextInput(attrs=QUIET))
    field_order = ["bank_text", "branch_text", "type", "number", "holder"]

    def clean_bank_text(self) -> str:
        """The text; `bank` is the code that it means."""
        self.bank = _only(find(banks(), self.cleaned_data["bank_text"]), self.cleaned_data["bank_text"]).code
        return self.bank

    def clean_branch_text(self) -> str:
        """The text; `branch` is the code that it means, if the bank is known."""
        text = self.cleaned_data["branch_text"]
        if self.bank:
            self.branch = _only(find(branches(self.bank), text), text).code
        return self.branch or text


def _only(found: list[Listed], text: str) -> Listed:
    """The one that is meant: the only one, or the only one that is named exactly."""
    exact = [each for each in found if text.strip() in (each.code, each.name)]
    if len(exact) == 1:
        return exact[0]
    if len(found) == 1:
        return found[0]
    if not found:
        raise forms.ValidationError(_("The list of banks has nothing of this code or name."))
    names = ", ".join(f"{each.name} {each.code}" for each in found[:AT_MOST_NAMED])
    raise forms.ValidationError(_("Several are meant, give the code: %(names)s"), params={"names": names})
