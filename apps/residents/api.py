"""The public sealing keys, for card readers."""

import base64
from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.merchants.models import Mode
from apps.residents.models import SealingKey
from apps.residents.queries import sealing_keys


class SealingKeysView(APIView):
    """`GET /v1/keys`: readers seal to the newest key whose `seal_until` is ahead. `?mode=test` for test cards."""

    def get(self, request: Request) -> Response:
        mode = Mode.TEST if request.query_params.get("mode") == "test" else Mode.LIVE
        answer = Response([_as_json(key) for key in sealing_keys(mode, now=timezone.now())])
        answer["Cache-Control"] = "public, max-age=3600"
        return answer


def _as_json(key: SealingKey) -> dict[str, Any]:
    public_key = base64.urlsafe_b64encode(bytes(key.public_key)).rstrip(b"=").decode()
    return {"id": key.pk, "public_key": public_key, "seal_until": key.seal_until.isoformat()}
