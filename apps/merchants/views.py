"""Pages and last-resort answers of the API."""

from operator import attrgetter

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views import defaults
from django.views.decorators.http import require_safe

from apps.merchants.catalogue import CATALOGUE, error_object
from apps.merchants.remedies import REMEDIES
from apps.merchants.requests import RETRY_AFTER_S, is_api


@require_safe
def errors_page(request: HttpRequest) -> HttpResponse:
    """Every error code in words, with what to do: what `doc_url` points to."""
    words = attrgetter(get_language() or "ja")
    groups = [
        (words(group), [(code, CATALOGUE[code], words(remedy)) for code, remedy in remedies.items()])
        for group, remedies in REMEDIES.items()
    ]
    return render(request, "merchants/errors.html", {"groups": groups})


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400 before a view is reached, a foreign Host say: an error object for the API, a page elsewhere."""
    if is_api(request):
        return JsonResponse({"error": error_object("malformed", reason=type(exception).__name__)}, status=400)
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404: an error object under /v1/, a page elsewhere."""
    if is_api(request):
        return JsonResponse({"error": error_object("not_found")}, status=404)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """What failed outside a view: an error object under /v1/, a page elsewhere."""
    if is_api(request):
        response = JsonResponse({"error": error_object("unavailable")}, status=503)
        response["Retry-After"] = str(RETRY_AFTER_S)
        return response
    return defaults.server_error(request)
