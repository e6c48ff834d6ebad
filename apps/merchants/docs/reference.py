"""The OpenAPI document and the page that shows it."""

from typing import Final

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

# What the page's script needs beyond the site's policy: styles and small images that it makes.
DRAWN_BY_SCRIPT: Final = {"style-src": [SELF, UNSAFE_INLINE], "img-src": [SELF, "data:"]}


class Document(APIView):
    """`GET /v1/openapi.json`: the document itself, messages in the language asked for."""

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        document = SchemaGenerator().get_schema(request=request, public=True)  # type: ignore[no-untyped-call]
        return Response(document)


@require_safe
@csp_update(DRAWN_BY_SCRIPT)
def reference(request: HttpRequest) -> HttpResponse:
    """`GET /v1/docs`: the document as a page to read and to try."""
    return render(request, "merchants/docs/reference.html")
