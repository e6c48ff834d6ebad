"""What stands before each page of the portal: a sign-in, the resident it is for, and the right to the page."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from apps.portal.operations.acting import note_use
from apps.portal.queries.accounts import NoAccount, viewer_of
from apps.portal.viewer import ACTING, VIEWER, Right, Viewer

P = ParamSpec("P")
Page = Callable[Concatenate[HttpRequest, Viewer, P], HttpResponse]


def resident_page(
    right: Right = Right.SEE, *, as_oneself: bool = False
) -> Callable[[Page[P]], Callable[Concatenate[HttpRequest, P], HttpResponse]]:
    """A view for who signed in and has the right to it; it gets the viewer after the request. Anybody else: 404.

    Who acts for a resident gets that resident's page, put on record first; `as_oneself`: the own page even then.
    """

    def guard(page: Page[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
        @never_cache
        @login_required
        @wraps(page)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            try:
                acting = "" if as_oneself else request.session.get(ACTING, "")
                viewer = viewer_of(request.user, right, acting=acting)
            except NoAccount as error:
                raise Http404(str(error)) from error
            if viewer.grant and request.resolver_match:
                note_use(viewer, str(request.resolver_match.url_name), at=timezone.now())
            request.META[VIEWER] = viewer
            return page(request, viewer, *args, **kwargs)

        return guarded

    return guard
