"""The developers' pages."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from apps.merchants.docs.pages import SERVER, read_page


@require_safe
def page(request: HttpRequest, name: str) -> HttpResponse:
    """A page in the reader's language, with the address of this server in its commands."""
    shown = read_page(name, get_language() or "ja")
    html = shown.html.replace(SERVER, request.build_absolute_uri("/").rstrip("/"))
    return render(request, "merchants/docs/page.html", {"name": name, "page": shown, "html": html})
