"""The public sealing keys for card readers, and the published test cards."""

import base64
from typing import Any, cast

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.merchants.models import Mode
from apps.merchants.queries import KeyHolder
from apps.merchants.requests import ApiError, ApiKeyAuthentication
from apps.residents.models import SealingKey, TestCard
from apps.residents.openapi import CARDS, KEYS
from apps.residents.published import PUBLISHED
from apps.residents.queries import published_cards, sealing_keys


class SealingKeysView(APIView):
    """`GET /v1/keys`: readers seal to the newest key whose `seal_until` is ahead. `?mode=test` for test cards."""

    @extend_schema(operation=KEYS)
    def get(self, request: Request) -> Response:
        mode = request.query_params.get("mode", Mode.LIVE)
        if mode not in Mode.values:
            raise ApiError("malformed", param="mode", reason="mode: live or test")
        answer = Response([_as_json(key) for key in sealing_keys(mode, now=timezone.now())])
        answer["Cache-Control"] = "public, max-age=3600"
        return answer


class TestCardsView(APIView):
    """`GET /v1/test/cards`: cards to try a till with, their secrets included. Test keys only."""

    __test__ = False  # no test class, whatever its name
    authentication_classes = (ApiKeyAuthentication,)

    @extend_schema(operation=CARDS)
    def get(self, request: Request) -> Response:
        if cast("KeyHolder", request.auth).mode != Mode.TEST:
            raise ApiError("test_mode_only")
        return Response([_card_json(card) for card in published_cards()])


def _card_json(card: TestCard) -> dict[str, Any]:
    purpose = PUBLISHED[card.name]
    return {
        "name": card.name,
        "card_id": bytes(card.card_id).hex(),
        "card_key": bytes(card.card_key).hex(),
        "expect": {"status": purpose.status, "code": purpose.code or None},
        "purpose": {"ja": purpose.ja, "en": purpose.en},
    }


def _as_json(key: SealingKey) -> dict[str, Any]:
    public_key = base64.urlsafe_b64encode(bytes(key.public_key)).rstrip(b"=").decode()
    return {"id": key.pk, "public_key": public_key, "seal_until": key.seal_until.isoformat()}
