"""The first sign-in with the code of a letter: code and birth date, then a passkey, or a password and a program.

The session remembers the letter and what was chosen; nothing is written before the last step.
"""

from collections.abc import Callable, MutableMapping
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Final

from allauth.account.internal.flows.login import perform_login, record_authentication
from allauth.account.models import Login
from allauth.mfa.adapter import get_adapter
from allauth.mfa.webauthn.forms import SignupWebAuthnForm
from allauth.mfa.webauthn.internal.auth import begin_registration
from django.contrib import messages
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.audit.strength import FACTOR
from apps.kernel.errors import KanpuError
from apps.portal.forms import CodeForm
from apps.portal.operations.activation import (
    BirthDateWrong,
    NewSignIn,
    UserNameTaken,
    check_code,
    next_user_id,
    open_account,
)
from apps.portal.queries.accounts import user_of_letter
from apps.portal.sign_in_forms import ProgramForm, UserNameForm
from apps.residents.operations.notices import CodeExpired, CodeUnknown, CodeVoid

CHECKED: Final = "activation"  # of the session: which letter was checked, when, and what was chosen since
MAY_TAKE: Final = timedelta(minutes=15)  # each step
ACTED: Final = ["GET", "HEAD", "POST"]

Chosen = MutableMapping[str, Any]
View = Callable[[HttpRequest], HttpResponse]
Step = Callable[[HttpRequest, Chosen, User | None], HttpResponse]


@require_http_methods(ACTED)
@never_cache
@sensitive_post_parameters()
def code(request: HttpRequest) -> HttpResponse:
    """Code and birth date."""
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        now = timezone.now()
        try:
            notice = check_code(form.cleaned_data["code"], form.cleaned_data["birth_date"], at=now)
        except (CodeUnknown, BirthDateWrong, CodeVoid, CodeExpired) as error:
            form.add_error(None, _why(error))
        else:
            request.session.cycle_key()
            request.session[CHECKED] = {"notice": notice.pk, "at": now.isoformat()}
            return redirect("activate-account")
    return render(request, "portal/activate.html", {"form": form})


def _step(*, named: bool = True) -> Callable[[Step], View]:
    """A step after the first: it gets what was chosen, and who signs in as this resident, if somebody does.

    Where a user name is needed (`named`) it was chosen before, or that comes first.
    """

    def guard(view: Step) -> View:
        @require_http_methods(ACTED)
        @never_cache
        @sensitive_post_parameters()
        @wraps(view)
        def guarded(request: HttpRequest) -> HttpResponse:
            chosen = request.session.get(CHECKED)
            if chosen is None or datetime.fromisoformat(chosen["at"]) + MAY_TAKE < timezone.now():
                return redirect("activate")
            known = user_of_letter(chosen["notice"])
            if named and known is None and "username" not in chosen:
                return redirect("activate-account")
            return view(request, chosen, known)

        return guarded

    return guard


@_step(named=False)
def account(request: HttpRequest, chosen: Chosen, known: User | None) -> HttpResponse:
    """A user name, unless there is one, and the way: a passkey, or a password with a program."""
    form = None if known else UserNameForm(request.POST or None)
    if request.method == "POST" and (form is None or form.is_valid()):
        if form is not None:
            chosen["username"] = form.cleaned_data["username"]
            chosen["user"] = chosen.get("user") or next_user_id()
        _goes_on(request, chosen)
        return redirect("activate-password" if "password" in request.POST else "activate-passkey")
    return render(request, "portal/activate_account.html", {"form": form, "known": known})


@_step()
def passkey(request: HttpRequest, chosen: Chosen, known: User | None) -> HttpResponse:
    """A passkey: the browser makes it, and nothing is typed."""
    user = known or _to_come(chosen)
    form = SignupWebAuthnForm(request.POST or None, user=user)
    if request.method == "POST":
        if form.is_valid():
            made = {"passkey": form.cleaned_data["credential"], "passkey_name": form.cleaned_data["name"][:60]}
            return _open(request, chosen, NewSignIn(**_identity(chosen), **made))
        messages.error(request, _("The passkey could not be made. Try again, or take a password instead."))
    options = {"creation_options": begin_registration(user, passwordless=True)}
    return render(request, "portal/activate_passkey.html", {"form": form, "js_data": options, "known": known})


@_step()
def password(request: HttpRequest, chosen: Chosen, known: User | None) -> HttpResponse:
    """A password; it is good once the program is set up as well."""
    form = SetPasswordForm(known or _to_come(chosen), request.POST or None)
    if request.method == "POST" and form.is_valid():
        chosen["password"] = make_password(form.cleaned_data["new_password1"])
        _goes_on(request, chosen)
        return redirect("activate-program")
    name = known.username if known else chosen["username"]
    return render(request, "portal/activate_password.html", {"form": form, "username": name})


@_step()
def program(request: HttpRequest, chosen: Chosen, known: User | None) -> HttpResponse:
    """The authenticator program, with its first code."""
    if "password" not in chosen:
        return redirect("activate-password")
    user = known or _to_come(chosen)
    form = ProgramForm(request.POST or None, user=user)
    if request.method == "POST" and form.is_valid():
        made = {"password_hash": chosen["password"], "program_secret": form.secret}
        return _open(request, chosen, NewSignIn(**_identity(chosen), **made))
    drawn = get_adapter().build_totp_svg(get_adapter().build_totp_url(user, form.secret))
    return render(request, "portal/activate_program.html", {"form": form, "totp_svg": drawn})


def _to_come(chosen: Chosen) -> User:
    """The user that there will be, for what is made before it."""
    return User(pk=chosen["user"], username=chosen["username"])


def _identity(chosen: Chosen) -> dict[str, Any]:
    return {"user_id": chosen.get("user", 0), "username": chosen.get("username", "")}


def _goes_on(request: HttpRequest, chosen: Chosen) -> None:
    request.session[CHECKED] = {**chosen, "at": timezone.now().isoformat()}


def _open(request: HttpRequest, chosen: Chosen, new: NewSignIn) -> HttpResponse:
    """Open the account and sign in; the recovery codes are shown first."""
    try:
        user = open_account(chosen["notice"], new, at=timezone.now())
    except UserNameTaken as error:
        messages.error(request, _why(error))
        return redirect("activate-account")
    except (CodeVoid, CodeExpired) as error:
        messages.error(request, _why(error))
        del request.session[CHECKED]
        return redirect("activate")
    request.session.flush()  # whoever was signed in here before
    record_authentication(request, user, FACTOR, type="webauthn" if new.passkey else "totp")
    signed_in: HttpResponse = perform_login(request, Login(user=user, redirect_url=reverse("mfa_view_recovery_codes")))
    return signed_in


def _why(error: KanpuError) -> str:
    if isinstance(error, CodeVoid):
        return _(
            "This code is no longer good: it was used, a newer letter was sent, or too many birth dates did not match."
            " Ask for a new letter at a window or by telephone."
        )
    if isinstance(error, CodeExpired):
        return _("This letter is too old. Ask for a new letter at a window or by telephone.")
    if isinstance(error, UserNameTaken):
        return _("Somebody else has this user name. Choose another.")
    return _("Code and birth date do not belong together. Check both and try again.")
