"""Who acts for the resident: named with the code that they show, renewed, ended at once."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from apps.kernel.errors import KanpuError
from apps.portal.guard import resident_page
from apps.portal.operations.proxies import code_owner, end_proxy, name_proxy, renew_proxy
from apps.portal.queries.acting import name_of_code_owner, own_proxies
from apps.portal.viewer import Right, Viewer
from apps.residents.forms import NameProxyForm, ProxyCodeForm
from apps.residents.operations.proxies import OwnProxy, ProxyCodeUnknown, ProxyMissing, TooManyCodes


@require_safe
@resident_page(Right.SELF)
def proxies(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Who acts for the resident, and a place for the code of another."""
    return _page(request, viewer, ProxyCodeForm())


@require_POST
@resident_page(Right.SELF)
def name(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """Whose code it is and what they may do; done when that is confirmed."""
    code_form, now = ProxyCodeForm(request.POST), timezone.now()
    if not code_form.is_valid():
        return _page(request, viewer, code_form)
    code = code_form.cleaned_data["code"]
    is_confirmed = "confirmed" in request.POST
    form = NameProxyForm(request.POST) if is_confirmed else NameProxyForm(initial={"code": code})
    try:
        if is_confirmed and form.is_valid():
            name_proxy(viewer, code, form.terms(), at=now)
            messages.success(request, _("They may act for you from now on. You can end that at any time."))
            return redirect("my-proxies")
        agent_ref = code_owner(viewer, code, at=now)
    except (ProxyCodeUnknown, OwnProxy, TooManyCodes) as error:
        code_form.add_error("code", _why(error))
        return _page(request, viewer, code_form)
    shown = {"form": form, "name": name_of_code_owner(agent_ref, at=now)}
    return render(request, "portal/name_proxy.html", shown)


@require_POST
@resident_page(Right.SELF)
def renew(request: HttpRequest, viewer: Viewer, proxy_id: int) -> HttpResponse:
    """Another year."""
    try:
        renew_proxy(viewer, proxy_id, at=timezone.now())
    except ProxyMissing as error:
        raise Http404(str(error)) from error
    messages.success(request, _("It is renewed for a year from today."))
    return redirect("my-proxies")


@require_POST
@resident_page(Right.SELF)
def end(request: HttpRequest, viewer: Viewer, proxy_id: int) -> HttpResponse:
    """From now on they act no more."""
    try:
        end_proxy(viewer, proxy_id, at=timezone.now())
    except ProxyMissing as error:
        raise Http404(str(error)) from error
    messages.success(request, _("It has ended. They can open nothing of yours any more."))
    return redirect("my-proxies")


def _page(request: HttpRequest, viewer: Viewer, form: ProxyCodeForm) -> HttpResponse:
    found = own_proxies(viewer.ref, at=timezone.now())
    now_acting = [one for one in found if one.of.is_in_force]
    earlier = [one for one in found if not one.of.is_in_force]
    return render(request, "portal/proxies.html", {"proxies": now_acting, "earlier": earlier, "form": form})


def _why(error: KanpuError) -> str:
    if isinstance(error, OwnProxy):
        return _("This is your own code. Give it to the one for whom you want to act.")
    if isinstance(error, TooManyCodes):
        return _("Too many codes were nobody's. Try again tomorrow, or go to a window.")
    return _("Nobody has this code, or it is no longer good. Ask for a new one, and type it as it stands there.")
