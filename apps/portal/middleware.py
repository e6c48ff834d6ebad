"""Around every page: who is sent to the sign-in because the session is over is told so."""

from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

GetResponse = Callable[[HttpRequest], HttpResponse]


def ended_session_middleware(get_response: GetResponse) -> GetResponse:
    """Of answers that send to the sign-in."""

    def answer(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.headers.get("Location", "").startswith(f"{settings.LOGIN_URL}?"):
            say_if_ended(request)
        return response

    return answer


def say_if_ended(request: HttpRequest) -> None:
    """On the page of the sign-in: why one has to do so again."""
    if getattr(request.session, "has_ended", False):
        messages.info(request, _("You were signed out, as nothing was opened for a while. Sign in again to go on."))
