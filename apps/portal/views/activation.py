"""The first sign-in with the code of a letter, in two steps: code and birth date, then user name and password."""

from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth import login
from django.contrib.auth.forms import SetPasswordForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.kernel.errors import KanpuError
from apps.portal.forms import AccountForm, CodeForm
from apps.portal.operations.activation import BirthDateWrong, UserNameTaken, check_code, open_account
from apps.portal.queries.accounts import user_of_letter
from apps.residents.operations.notices import CodeExpired, CodeUnknown, CodeVoid

CHECKED: Final = "activation"  # of the session: which letter was checked, and when
MAY_TAKE: Final = timedelta(minutes=15)
BACKEND: Final = "django.contrib.auth.backends.ModelBackend"
ACTED: Final = ["GET", "HEAD", "POST"]


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


@require_http_methods(ACTED)
@never_cache
@sensitive_post_parameters()
def account(request: HttpRequest) -> HttpResponse:
    """User name and password, or only another password for who has an account."""
    notice_id = _checked(request)
    if notice_id is None:
        return redirect("activate")
    user = user_of_letter(notice_id)
    form = SetPasswordForm(user, request.POST or None) if user else AccountForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        name, password = given.get("username", ""), given.get("password1") or given["new_password1"]
        try:
            opened = open_account(notice_id, name, password, at=timezone.now())
        except UserNameTaken as error:
            form.add_error(None, _why(error))
        except (CodeVoid, CodeExpired):
            del request.session[CHECKED]
            return redirect("activate")
        else:
            del request.session[CHECKED]
            login(request, opened, backend=BACKEND)
            return redirect("home")
    return render(request, "portal/activate_account.html", {"form": form, "known": user})


def _checked(request: HttpRequest) -> int | None:
    found = request.session.get(CHECKED)
    if found is None or datetime.fromisoformat(found["at"]) + MAY_TAKE < timezone.now():
        return None
    return int(found["notice"])


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
