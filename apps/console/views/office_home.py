"""The office's first page, the officer's password, and what operators count."""

from typing import cast

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from apps.audit.officers import Role, Thing
from apps.audit.operations.officers import change_password
from apps.console.guard import OFFICES, open_to_those_who_may, staff_only, standing_in
from apps.console.queries.counts import office_counts
from apps.console.views.office_frame import page


@staff_only(*OFFICES, Role.OPERATOR)
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What the user can do here."""
    return page(request, "home.html")


@sensitive_post_parameters()
@staff_only(*OFFICES, Role.OPERATOR, Role.AUDITOR, with_first_password=True)
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    """Change one's own password."""
    user = cast("User", request.user)
    form = PasswordChangeForm(user, request.POST or None)
    if not form.is_valid():
        is_first = standing_in(request).must_change_password
        return page(request, "password.html", form=form, is_first=is_first)
    change_password(user, form.cleaned_data["new_password1"], at=timezone.now())
    update_session_auth_hash(request, user)
    messages.success(request, _("Your password is changed."))
    return redirect("home")


@open_to_those_who_may(Thing.COUNTS)
@require_safe
def counts(request: HttpRequest) -> HttpResponse:
    """How many cards, orders and letters there are, and how the keys stand."""
    return page(request, "counts.html", found=office_counts(now=timezone.now()))
