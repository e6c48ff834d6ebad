"""Signing in, and the page on which a sign-in is looked after."""

from typing import Final

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import perform_password_login
from allauth.account.models import Login
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout, update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import SetPasswordForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.portal.guard import fresh_user, lacks_factor, user_of
from apps.portal.middleware import say_if_ended
from apps.portal.operations.sign_in import (
    SessionMissing,
    change_password,
    disconnect_identity,
    end_other_sessions,
    end_session,
    session_goes_on,
)
from apps.portal.queries.accounts import is_resident
from apps.portal.queries.sign_in import sign_in_of
from apps.portal.sign_in_forms import PasswordForm

ACTED: Final = ["GET", "HEAD", "POST"]


@require_http_methods(ACTED)
@never_cache
@sensitive_post_parameters()
def login(request: HttpRequest) -> HttpResponse:
    """By user name and password, a passkey or the government's identity; the second factor is asked for afterwards."""
    following = _following(request)
    if request.user.is_authenticated:
        return redirect(following or "home")
    say_if_ended(request)
    form = PasswordForm(request, request.POST or None)
    if request.method == "POST" and form.is_valid():
        user = form.get_user()
        signed_in: HttpResponse = perform_password_login(request, {}, Login(user=user, redirect_url=following or None))
        return signed_in
    shown = {"form": form, "next": following, "identity": bool(settings.KANPU_OIDC_ISSUER)}
    return render(request, "account/login.html", shown)


@require_POST
@never_cache
def sign_out(request: HttpRequest) -> HttpResponse:
    """The browser forgets the pages as well. Not all cookies: the session's is gone, and the language is to stay."""
    response = redirect(settings.LOGOUT_REDIRECT_URL)
    logout(request)
    response["Clear-Site-Data"] = '"cache", "storage"'
    return response


@require_safe
@never_cache
@login_required
def again(request: HttpRequest) -> HttpResponse:
    """To the way by which the factor is asked for once more."""
    first = get_adapter().get_reauthentication_methods(request.user)[:1]
    if not first:
        raise Http404("This sign-in has no factor to ask for.")
    return redirect(f"{first[0]['url']}?{urlencode({'next': _following(request) or '/'})}")


@require_safe
@never_cache
@login_required
def second_factor(request: HttpRequest) -> HttpResponse:
    """What can be set up, for who has no second factor; with words for who has no phone."""
    if not lacks_factor(request):
        return redirect(_following(request) or "home")
    return render(request, "account/second_factor.html")


@require_safe
@never_cache
@login_required
def overview(request: HttpRequest) -> HttpResponse:
    """Password, factors, recovery codes, identity, sessions."""
    user = user_of(request)
    resident = is_resident(user)
    shown = {
        "found": sign_in_of(user, request.session.session_key or ""),
        "resident": resident,
        "identity": resident and bool(settings.KANPU_OIDC_ISSUER),
    }
    return render(request, "account/overview.html", shown)


@require_http_methods(ACTED)
@fresh_user
@sensitive_post_parameters()
def password(request: HttpRequest) -> HttpResponse:
    """Another password, or the first. The old one is not asked for: the factor was, just now."""
    user = user_of(request)
    form = SetPasswordForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        old_key = request.session.session_key or ""
        change_password(user, form.cleaned_data["new_password1"], old_key, at=timezone.now())
        update_session_auth_hash(request, user)
        session_goes_on(old_key, request.session.session_key or "")
        messages.success(request, _("Your password is changed. Wherever else you were signed in, you are signed out."))
        return redirect("sign-in")
    return render(request, "account/password.html", {"form": form, "username": user.username})


@require_POST
@fresh_user
def disconnect(request: HttpRequest) -> HttpResponse:
    """Forget the government's identity."""
    disconnect_identity(user_of(request), at=timezone.now())
    messages.success(request, _("Your identity is disconnected: nobody signs in here with it."))
    return redirect("sign-in")


@require_POST
@never_cache
@login_required
def end(request: HttpRequest, session_id: int) -> HttpResponse:
    """Sign out one session."""
    try:
        end_session(user_of(request), session_id, at=timezone.now())
    except SessionMissing as error:
        raise Http404(str(error)) from error
    messages.success(request, _("That browser is signed out."))
    return redirect("sign-in")


@require_POST
@never_cache
@login_required
def end_others(request: HttpRequest) -> HttpResponse:
    """Sign out everywhere but here."""
    ended = end_other_sessions(user_of(request), request.session.session_key or "", at=timezone.now())
    said = ngettext("%(n)s other browser is signed out.", "%(n)s other browsers are signed out.", ended)
    messages.success(request, said % {"n": ended})
    return redirect("sign-in")


def _following(request: HttpRequest) -> str:
    """Where to go afterwards, if it is an address of ours."""
    url = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(url, {request.get_host()}, request.is_secure())
    return url if url.startswith("/") and is_ours else ""
