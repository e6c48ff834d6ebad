"""From where a request comes, for the trail."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from apps.audit.origin import coming_from


def origin_middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Events of a request say its address. Behind a proxy, have the proxy's server set REMOTE_ADDR."""

    def answer(request: HttpRequest) -> HttpResponse:
        with coming_from(f"web {request.META.get('REMOTE_ADDR', '')}"):
            return get_response(request)

    return answer
