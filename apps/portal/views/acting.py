"""Acting for somebody else: for whom one can, beginning and stopping, and a code by which one is named."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.portal.guard import resident_page
from apps.portal.operations.proxies import end_proxy, make_code
from apps.portal.queries.acting import own_grants
from apps.portal.viewer import ACTING, Right, Viewer
from apps.residents.acting import SEE, Relation
from apps.residents.operations.proxies import Made, ProxyMissing
from apps.residents.queries.proxies import grant_over


@require_http_methods(["GET", "HEAD", "POST"])
@resident_page(Right.SELF, as_oneself=True)
def acting(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """For whom the user can act; a POST begins to."""
    key = request.POST.get("grant", "")
    if not key:
        return _page(request, viewer)
    grant = grant_over(viewer.ref, key, at=timezone.now())
    if grant is None:
        raise Http404("No such grant, or it has ended.")
    request.session[ACTING] = grant.key
    return redirect("home" if SEE in grant.rights else "acting")


@require_POST
@resident_page(Right.SELF, as_oneself=True)
def stop(request: HttpRequest, viewer: Viewer) -> HttpResponse:  # noqa: ARG001 - the guard's
    """Back to the own pages."""
    request.session.pop(ACTING, None)
    return redirect("home")


@require_POST
@resident_page(Right.SELF, as_oneself=True)
def code(request: HttpRequest, viewer: Viewer) -> HttpResponse:
    """A code by which somebody names the user; it is shown this once."""
    return _page(request, viewer, make_code(viewer, at=timezone.now()))


@require_POST
@resident_page(Right.SELF, as_oneself=True)
def give_up(request: HttpRequest, viewer: Viewer, proxy_id: int) -> HttpResponse:
    """The user does not want to act for that resident any more."""
    try:
        end_proxy(viewer, proxy_id, at=timezone.now())
    except ProxyMissing as error:
        raise Http404(str(error)) from error
    if request.session.get(ACTING) == f"{Relation.NAMED}-{proxy_id}":  # a guardian does not end it here
        del request.session[ACTING]
    messages.success(request, _("You do not act for that resident any more."))
    return redirect("acting")


def _page(request: HttpRequest, viewer: Viewer, made: Made | None = None) -> HttpResponse:
    now = timezone.now()
    found = own_grants(viewer.ref, actor=f"proxy:{request.user.pk}", at=now)
    current = request.session.get(ACTING, "")
    has_ended = bool(current) and all(one.grant.key != current for one in found)
    shown = {"grants": found, "current": current, "has_ended": has_ended, "made": made}
    return render(request, "portal/acting_page.html", shown)
