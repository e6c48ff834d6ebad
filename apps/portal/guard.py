"""What stands before each page of the portal: a sign-in with two factors, whose page it is, and the right to it."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache

from apps.audit.officers import has_officers_key
from apps.audit.sessions import key_records
from apps.audit.strength import TO_OPEN, TO_SEND, has_second_factor, is_fresh, records_of
from apps.portal.operations.acting import note_use
from apps.portal.queries.accounts import NoAccount, viewer_of
from apps.portal.viewer import ACTING, VIEWER, Right, Viewer

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]
Page = Callable[Concatenate[HttpRequest, Viewer, P], HttpResponse]
# What is only done and has no page of its own: the page with its button.
BUTTON_ON: Final = {"my-data-download": "my-data", "identity-disconnect": "sign-in"}


def resident_page(right: Right = Right.SEE, *, as_oneself: bool = False) -> Callable[[Page[P]], View[P]]:
    """A view for who signed in with two factors and has the right to it; it gets the viewer after the request.

    Who acts for a resident gets that resident's page, put on record first; `as_oneself`: the own page even then.

    Without a second factor it is set up first. Anybody else: 404.
    """

    def guard(page: Page[P]) -> View[P]:
        @never_cache
        @login_required
        @wraps(page)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            try:
                acting = "" if as_oneself else request.session.get(ACTING, "")
                viewer = viewer_of(request.user, right, acting=acting)
            except NoAccount as error:
                raise Http404(str(error)) from error
            if lacks_factor(request):
                return _on_the_way("second-factor", request)
            if viewer.grant and request.resolver_match:
                note_use(viewer, str(request.resolver_match.url_name), at=timezone.now())
            request.META[VIEWER] = viewer
            return page(request, viewer, *args, **kwargs)

        return guarded

    return guard


def fresh_sign_in(page: Page[P]) -> Page[P]:
    """Below `resident_page`: asks for the factor again if it was given longer than five minutes ago.

    Afterwards the page is opened anew; a form that was opened in time may take twenty minutes, then what was typed is
    lost. So a page shows its form by GET, at the address that takes it by POST, or is in BUTTON_ON.
    """

    @wraps(page)
    def guarded(request: HttpRequest, viewer: Viewer, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        records = records_of(request.session, _id(request))
        return _asked_again(request, records) or page(request, viewer, *args, **kwargs)

    return guarded


def fresh_user(view: View[P]) -> View[P]:
    """The same for pages that officers have as well: whoever signed in, a short while ago.

    An officer with a key is asked for that: a code could be drawn out of them, and would add a stranger's key.
    """

    @never_cache
    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        records = key_records(request) if has_officers_key(request.user) else records_of(request.session, _id(request))
        return _asked_again(request, records) or view(request, *args, **kwargs)

    return guarded


def lacks_factor(request: HttpRequest) -> bool:
    """Whether the session was begun without a second factor. The demo's may be."""
    return not (settings.DEMO or has_second_factor(records_of(request.session, _id(request))))


def user_of(request: HttpRequest) -> User:
    """Who signed in, for pages that only they get."""
    if not isinstance(request.user, User):
        raise Http404("Nobody is signed in.")
    return request.user


def _asked_again(request: HttpRequest, records: Sequence[Mapping[str, Any]]) -> HttpResponse | None:
    within = TO_SEND if request.method == "POST" else TO_OPEN
    if settings.DEMO or is_fresh(records, within, at=timezone.now()):
        return None
    return _on_the_way("sign-in-again", request)


def _on_the_way(name: str, request: HttpRequest) -> HttpResponse:
    """To another page first. What was sent is not kept: it may be an account number."""
    button_on = BUTTON_ON.get(str(request.resolver_match.url_name)) if request.resolver_match else None
    following = reverse(button_on) if button_on else request.get_full_path()
    return redirect(f"{reverse(name)}?{urlencode({'next': following})}")


def _id(request: HttpRequest) -> int:
    return request.user.pk or 0
