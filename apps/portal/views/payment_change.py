"""Naming another account in steps: the bank, its branch, the number and the holder, and all of it read back."""

from typing import Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from apps.portal.guard import fresh_sign_in, resident_page
from apps.portal.operations.payment import name_own
from apps.portal.queries.payment import name_to_compare
from apps.portal.viewer import Right, Viewer
from apps.portal.views.payment import DAYS
from apps.residents.account_forms import AccountForm, PostAccountForm
from apps.residents.accounts.directory import (
    POST_BANK,
    BankUnknown,
    Listed,
    bank_of,
    banks,
    branch_of,
    branches,
    find,
    first_kana,
    of_first_kana,
)
from apps.residents.accounts.holder import HolderCheck
from apps.residents.accounts.shown import shown
from apps.residents.operations.accounts import ResidentErased

LISTED_AT_ONCE: Final = 30  # a list of no more is shown whole
FOUND_AT_MOST: Final = 100
LONGEST_ASKED: Final = 60
READ_AND_DONE: Final = ["GET", "HEAD", "POST"]


@require_safe
@resident_page(Right.PAYMENT)
@fresh_sign_in
def bank(request: HttpRequest, _viewer: Viewer) -> HttpResponse:
    """Find the bank by code, name or first kana."""
    return _search(request, "portal/payment_bank.html", banks(), {})


@require_safe
@resident_page(Right.PAYMENT)
@fresh_sign_in
def branch(request: HttpRequest, _viewer: Viewer, bank: str) -> HttpResponse:
    """Find the branch of a bank; the Japan Post Bank has none that its customers know."""
    if bank == POST_BANK:
        return redirect("payment-post-bank")
    try:
        chosen, listed = bank_of(bank), branches(bank)
    except BankUnknown as error:
        raise Http404(str(error)) from error
    return _search(request, "portal/payment_branch.html", listed, {"bank": chosen})


@sensitive_post_parameters()
@require_http_methods(READ_AND_DONE)
@resident_page(Right.PAYMENT)
@fresh_sign_in
def account(request: HttpRequest, viewer: Viewer, bank: str, branch: str) -> HttpResponse:
    """Number and holder of an account of this branch."""
    try:
        chosen = {"bank": bank_of(bank), "branch": branch_of(bank, branch)}
    except BankUnknown as error:
        raise Http404(str(error)) from error
    form = AccountForm(request.POST if request.method == "POST" else None, bank=bank, branch=branch)
    back = reverse("payment-branch", args=[bank])
    return _details(request, viewer, form, {"template": "portal/payment_account.html", "back": back, **chosen})


@sensitive_post_parameters()
@require_http_methods(READ_AND_DONE)
@resident_page(Right.PAYMENT)
@fresh_sign_in
def post_bank(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """An account of the Japan Post Bank by 記号 and 番号."""
    form = PostAccountForm(request.POST if request.method == "POST" else None)
    return _details(
        request, viewer, form, {"template": "portal/payment_post_bank.html", "back": reverse("payment-change")}
    )


def _search(
    request: HttpRequest, template: str, listed: tuple[Listed, ...], context: dict[str, object]
) -> HttpResponse:
    """The page of a list, or the list alone for a script that asks while somebody types."""
    text, kana = request.GET.get("q", "").strip()[:LONGEST_ASKED], request.GET.get("kana", "")
    found = find(listed, text) if text else of_first_kana(listed, kana) if kana else _few(listed)
    shown_ones = {
        "q": text, "kana": kana, "found": found[:FOUND_AT_MOST], "more": len(found) > FOUND_AT_MOST,
        "kanas": first_kana(listed) if len(listed) > LISTED_AT_ONCE else "",
    }  # fmt: skip
    is_part = request.headers.get("HX-Request") == "true"
    return render(request, "portal/payment_found.html" if is_part else template, shown_ones | context)


def _few(listed: tuple[Listed, ...]) -> list[Listed]:
    return list(listed) if len(listed) <= LISTED_AT_ONCE else []


def _details(
    request: HttpRequest, viewer: Viewer, form: AccountForm | PostAccountForm, context: dict[str, object]
) -> HttpResponse:
    """The form; then all of it read back; then, when that is confirmed, the account is named."""
    template, asked = str(context["template"]), {**context, "form": form, "days": DAYS}
    if request.method != "POST" or not form.is_valid() or "edit" in request.POST:
        return render(request, template, asked)
    now = timezone.now()
    if "confirmed" not in request.POST:
        differs = name_to_compare(viewer, form.account, at=now) == HolderCheck.DIFFERS
        return render(
            request, "portal/payment_confirm.html", {**asked, "found": shown(form.account), "differs": differs}
        )
    try:
        named = name_own(viewer, form.account, at=now)
    except ResidentErased as error:
        raise Http404(str(error)) from error
    if named.valid.lower > now:
        messages.success(request, _("Your change is saved. It holds after %(days)s days.") % {"days": DAYS})
    else:
        messages.success(request, _("Your account is saved."))
    return redirect("my-payment")
