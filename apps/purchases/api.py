"""`POST /v1/purchases`."""

from typing import cast

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.merchants.keys import TERMINAL_CODE
from apps.merchants.queries import KeyHolder, terminal_id_of
from apps.merchants.requests import ApiError, ApiKeyAuthentication, BodyParser, body_of
from apps.purchases.doorbell import doorbell
from apps.purchases.operations import Sender, accept_batch
from apps.purchases.serializers import Envelope, answer_json, read_envelope

SOFTWARE_LENGTH = 200


class PurchasesView(APIView):
    """Report purchases of one terminal. 200 means that every accepted record is durable."""

    authentication_classes = (ApiKeyAuthentication,)
    parser_classes = (BodyParser,)

    def post(self, request: Request) -> Response:
        envelope = read_envelope(body_of(request))
        answer = accept_batch(_sender(request, envelope), map(bytes, envelope.purchases), now=timezone.now())
        if answer.decided.accepted:
            doorbell.ring()
        return Response(answer_json(answer))


def _sender(request: Request, envelope: Envelope) -> Sender:
    holder = cast("KeyHolder", request.auth)
    terminal_id = terminal_id_of(envelope.terminal, holder) if TERMINAL_CODE.fullmatch(envelope.terminal) else None
    if terminal_id is None:
        raise ApiError("terminal_not_yours", param="terminal", value=envelope.terminal[:63])
    return Sender(
        terminal_id=terminal_id,
        terminal_code=envelope.terminal,
        request_id=request.META["kanpu.request_id"],
        software=request.headers.get("Kanpu-Software", "")[:SOFTWARE_LENGTH],
    )
