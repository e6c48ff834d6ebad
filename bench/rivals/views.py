"""`typical`: a serializer with many=True and bulk_create. `bare`: a view that decodes and inserts, and nothing else."""

import base64
from datetime import datetime
from typing import Any, cast

import msgspec
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from kanpu_pos import digest_0, digests, from_json, line
from rest_framework import serializers
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.merchants.models import Terminal
from apps.merchants.requests import ApiKeyAuthentication
from bench.rivals.models import Purchase

INSERT = (
    "INSERT INTO rivals_purchase (terminal_id, seq, at, card, lines, received_at)"
    " SELECT %s, s, a, c, l::jsonb, now() FROM unnest(%b::int4[], %b::timestamptz[], %b::text[], %b::text[])"
    " AS t (s, a, c, l) ON CONFLICT (terminal_id, seq) DO NOTHING"
)


class LineSerializer(serializers.Serializer[Any]):
    """An amount of a tier."""

    tier = serializers.RegexField(r"^[a-z][a-z0-9_]{0,31}$")
    amount = serializers.IntegerField(min_value=1, max_value=10**12)


class PurchaseSerializer(serializers.Serializer[Any]):
    """A sale."""

    seq = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    at = serializers.DateTimeField()
    card = serializers.RegexField(r"^kt1\.[A-Za-z0-9_-]{114}$")
    lines = LineSerializer(many=True)


class TypicalView(APIView):
    """Authenticated, validated, its chain checked, idempotent, durable."""

    authentication_classes = (ApiKeyAuthentication,)
    parser_classes = (JSONParser,)

    def post(self, request: Request) -> Response:
        data = cast("dict[str, Any]", request.data)
        terminal = Terminal.objects.get(code=data["terminal"])
        serializer = PurchaseSerializer(data=data["purchases"], many=True)
        serializer.is_valid(raise_exception=True)
        _check_seal(terminal, data)
        now = timezone.now()
        with transaction.atomic():
            rows = Purchase.objects.bulk_create(
                (Purchase(terminal=terminal, received_at=now, **fields) for fields in serializer.validated_data),
                ignore_conflicts=True,
            )
        return Response({"accepted": len(rows), "duplicates": 0, "rejected": 0, "results": []})


def _check_seal(terminal: Terminal, data: dict[str, Any]) -> None:
    """The digests of this batch and the signature; where the chain stood before is not looked up."""
    lines = [line(from_json(msgspec.json.encode(record))) for record in data["purchases"]]
    assert list(digests(digest_0(terminal.code), lines))
    head, signature = (base64.urlsafe_b64decode(data["seal"][name] + "==") for name in ("head", "signature"))
    Ed25519PublicKey.from_public_bytes(bytes(terminal.public_key or b"")).verify(signature, head)


class _Sale(msgspec.Struct):
    seq: int
    at: datetime
    card: str
    lines: msgspec.Raw


class _Batch(msgspec.Struct):
    terminal: str
    purchases: list[_Sale]


DECODER = msgspec.json.Decoder(_Batch)


@csrf_exempt
def bare(request: HttpRequest) -> HttpResponse:
    """The least: decode, one idempotent INSERT, a durable commit."""
    batch = DECODER.decode(request.body)
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(
            INSERT,
            (
                int(batch.terminal.rpartition("-")[2]),
                [sale.seq for sale in batch.purchases],
                [sale.at for sale in batch.purchases],
                [sale.card for sale in batch.purchases],
                [bytes(sale.lines).decode() for sale in batch.purchases],
            ),
        )
    return HttpResponse(b'{"accepted": 0, "rejected": 0}', content_type="application/json")


@csrf_exempt
def empty(_request: HttpRequest) -> HttpResponse:
    """A view that does nothing: what the server itself costs."""
    return HttpResponse(b"{}", content_type="application/json")
