"""How completely a merchant reports, for the merchant's own key."""

from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.inspections.openapi import READ_COMPLETENESS
from apps.inspections.queries.merchants import year_of_merchant, years_of_merchant
from apps.inspections.serializers import completeness_json
from apps.merchants.models import Merchant
from apps.merchants.queries import KeyHolder, merchant_of
from apps.merchants.requests import ApiError, ApiKeyAuthentication

LONGEST_NUMBER = 9


class CompletenessView(APIView):
    """What was counted of the key's merchant in a year: gaps, late records, closings, refused records, the score."""

    authentication_classes = (ApiKeyAuthentication,)
    scopes = {"GET": "read"}

    @extend_schema(operation=READ_COMPLETENESS)
    def get(self, request: Request) -> Response:
        merchant = _merchant(request)
        year = _number(request, "year") or next(iter(years_of_merchant(merchant.pk)), 0)
        found = year_of_merchant(merchant.pk, year)
        if found is None:
            raise ApiError("not_found", param="year")
        return Response(completeness_json(merchant.pk, *found))


def _merchant(request: Request) -> Merchant:
    """The key's merchant. A key of some stores only is not told of the others'. Raises ApiError."""
    holder = cast("KeyHolder", request.auth)
    number = _number(request, "merchant")
    merchant = None if holder.stores else merchant_of(holder, number)
    if merchant is None:
        raise ApiError("merchant_not_yours", param="merchant", value="" if number is None else str(number))
    return merchant


def _number(request: Request, name: str) -> int | None:
    text: Any = request.query_params.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER):
        raise ApiError("malformed", param=name, reason=f"{name}: a whole number in digits")
    return int(text)
