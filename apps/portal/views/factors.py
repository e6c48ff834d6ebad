"""Passkeys and the authenticator program of who signed in."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from allauth.account.views import reauthenticate
from allauth.mfa.base.views import reauthenticate as reauthenticate_by_code
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import generate_recovery_codes, view_recovery_codes
from allauth.mfa.totp.views import ActivateTOTPView
from allauth.mfa.utils import is_mfa_enabled
from allauth.mfa.webauthn.internal.auth import begin_registration
from allauth.mfa.webauthn.views import AddWebAuthnView, ReauthenticateWebAuthnView
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.audit.officers import is_officer
from apps.portal.guard import fresh_user, user_of
from apps.portal.operations.sign_in import FactorMissing, LastFactor, remove_factor, rename_factor
from apps.portal.queries.sign_in import factor_name, passkey_name
from apps.portal.sign_in_forms import PasskeyNameForm

ACTED: Final = ["GET", "HEAD", "POST"]


class AddPasskey(AddWebAuthnView):  # type: ignore[misc]
    """A passkey signs in by itself: made for that, on a device that asks who uses it."""

    def get_context_data(self, **given: Any) -> dict[str, Any]:
        """What the script needs."""
        shown: dict[str, Any] = super().get_context_data(**given)
        return shown | {"js_data": {"creation_options": begin_registration(self.request.user, passwordless=True)}}

    def get_success_url(self) -> str:
        """Officers go on to where they were asked for a key. Recovery codes, which residents see next, open nothing."""
        if not is_officer(self.request.user):
            return str(super().get_success_url())
        return f"{reverse('office-key')}?{urlencode({'next': self.request.GET.get('next', '')})}"


class SetUpProgram(ActivateTOTPView):  # type: ignore[misc]
    """One program at a time."""

    def dispatch(self, request: HttpRequest, *given: Any, **named: Any) -> HttpResponseBase:
        """Who has one removes it first."""
        if is_mfa_enabled(request.user, [Authenticator.Type.TOTP]):
            return redirect("sign-in")
        answer: HttpResponseBase = super().dispatch(request, *given, **named)
        return answer


class AgainByPasskey(ReauthenticateWebAuthnView):  # type: ignore[misc]
    """A passkey that was not right can be shown again."""

    def form_invalid(self, form: Form) -> HttpResponse:
        """Back to the same page, which says so."""
        for said in form.errors.get("credential", []):
            messages.error(self.request, str(said))
        return redirect(self.request.get_full_path())


def _asking(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A page that asks for a factor again: who has none that could be asked for finds nothing there."""

    @never_cache
    @login_required
    @wraps(view)
    def guarded(request: HttpRequest) -> HttpResponse:
        try:
            return view(request)
        except PermissionDenied as error:
            raise Http404("This sign-in has no factor to ask for.") from error

    return guarded


again_by_password = _asking(reauthenticate)
again_by_code = _asking(reauthenticate_by_code)
again_by_passkey = _asking(AgainByPasskey.as_view())
add_passkey = fresh_user(AddPasskey.as_view())
set_up_program = fresh_user(SetUpProgram.as_view())
recovery_codes = fresh_user(view_recovery_codes)
new_recovery_codes = fresh_user(generate_recovery_codes)


@require_http_methods(ACTED)
@fresh_user
def rename(request: HttpRequest, factor_id: int) -> HttpResponse:
    """Call a passkey something else."""
    name = passkey_name(user_of(request), factor_id)
    if name is None:
        raise Http404("The user has no such passkey.")
    form = PasskeyNameForm(request.POST or None, initial={"name": name})
    if request.method == "POST" and form.is_valid():
        rename_factor(user_of(request), factor_id, form.cleaned_data["name"])
        return redirect("sign-in")
    return render(request, "mfa/rename.html", {"form": form})


@require_http_methods(ACTED)
@fresh_user
def remove(request: HttpRequest, factor_id: int) -> HttpResponse:
    """Ask, then remove a passkey or the program."""
    name = factor_name(user_of(request), factor_id)
    if name is None:
        raise Http404("The user has no such factor.")
    if request.method != "POST":
        return render(request, "mfa/remove.html", {"name": name})
    try:
        remove_factor(user_of(request), factor_id, at=timezone.now())
    except LastFactor:
        messages.error(request, _("This is your last factor: set up another one first, then remove this one."))
    except FactorMissing as error:
        raise Http404(str(error)) from error
    else:
        messages.success(request, _("It is removed, and does not sign in any more."))
    return redirect("sign-in")
