"""What stands before each page of the portal: a sign-in, the resident it is for, and the right to the page."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache

from apps.portal.queries.accounts import NoAccount, viewer_of
from apps.portal.viewer import Right, Viewer

P = ParamSpec("P")
Page = Callable[Concatenate[HttpRequest, Viewer, P], HttpResponse]


def fresh_sign_in(page: Page[P]) -> Page[P]:
    """A page for who signed in just now. Passes everybody until there is a second step of signing in."""
    return page


def resident_page(right: Right = Right.SEE) -> Callable[[Page[P]], Callable[Concatenate[HttpRequest, P], HttpResponse]]:
    """A view for who signed in and has the right to it; it gets the viewer after the request. Anybody else: 404."""

    def guard(page: Page[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
        @never_cache
        @login_required
        @wraps(page)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            try:
                viewer = viewer_of(request.user, right)
            except NoAccount as error:
                raise Http404(str(error)) from error
            return page(request, viewer, *args, **kwargs)

        return guarded

    return guard
