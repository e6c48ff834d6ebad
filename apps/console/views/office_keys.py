"""Officers' passkeys and security keys: showing or making one, and what is done when all are lost."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.audit.officers import Role, has_officers_key, is_officer
from apps.audit.operations.key_resets import ask_key_reset, reset_keys
from apps.audit.sessions import lacks_key
from apps.console.exception_forms import KeyResetForm
from apps.console.guard import actor_of, fresh_key, staff_only
from apps.console.problems import in_words
from apps.console.queries.exceptions import waiting_resets
from apps.console.views.office_frame import page
from apps.kernel.errors import KanpuError


@require_safe
@never_cache
@login_required
def key(request: HttpRequest) -> HttpResponse:
    """What an officer does who showed no key in this session. Who did goes on."""
    if not is_officer(request.user):
        raise Http404("Not for this user.")
    url = request.GET.get("next", "")
    is_ours = url.startswith("/") and url_has_allowed_host_and_scheme(url, {request.get_host()}, request.is_secure())
    following = url if is_ours else "/"
    if not lacks_key(request):
        return redirect(following)
    shown = {"following": following, "has_key": has_officers_key(request.user)}
    return render(request, "console/office/key.html", shown)


@staff_only(Role.OPERATOR)
@require_http_methods(["GET", "HEAD", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    """Say that an officer lost all keys; whose are to be removed."""
    form = KeyResetForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            ask_key_reset(**form.cleaned_data, at=timezone.now(), actor=actor_of(request))
        except KanpuError as error:
            form.add_error("username", in_words(error))
        else:
            messages.success(request, _("You have asked. Another operator removes the keys."))
            return redirect("office-keys")
    return page(request, "keys.html", form=form, resets=waiting_resets(), me=actor_of(request))


@staff_only(Role.OPERATOR)
@require_POST
@fresh_key("office-keys")
def reset(request: HttpRequest, reset_id: int) -> HttpResponse:
    """Remove another officer's keys. The new first password is shown once."""
    try:
        first_password = reset_keys(reset_id, at=timezone.now(), actor=actor_of(request))
    except KanpuError as error:
        messages.error(request, in_words(error))
        return redirect("office-keys")
    return page(request, "keys_reset.html", first_password=first_password)
