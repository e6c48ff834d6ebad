"""`POST /v1/purchases`."""

from typing import cast

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.merchants.keys import TERMINAL_CODE
from apps.merchants.queries import KeyHolder, TerminalSeen, terminal_of
from apps.merchants.requests import ApiError, ApiKeyAuthentication, BodyParser, body_of
from apps.purchases.chain import ChainBroken, SealMismatch, SealMissing
from apps.purchases.doorbell import doorbell
from apps.purchases.lanes import lane_of
from apps.purchases.operations import Answer, accept_batch
from apps.purchases.queries import chain_of
from apps.purchases.serializers import Envelope, answer_json, bytes_text, read_envelope
from apps.purchases.store import Sender

SOFTWARE_LENGTH = 200


class PurchasesView(APIView):
    """Report purchases of one terminal. 200 means that every accepted record is durable."""

    authentication_classes = (ApiKeyAuthentication,)
    parser_classes = (BodyParser,)
    scope = "report"

    def post(self, request: Request) -> Response:
        envelope = read_envelope(body_of(request))
        terminal = own_terminal(request, envelope.terminal)
        answer = _accept(_sender(request, terminal), envelope)
        if answer.decided.accepted or answer.decided.refused:
            doorbell.ring()
        return Response(answer_json(answer))


def own_terminal(request: Request, code: str) -> TerminalSeen:
    """The terminal of that code, if the request's key may see it. Raises ApiError `terminal_not_yours`."""
    holder = cast("KeyHolder", request.auth)
    terminal = terminal_of(code, holder) if TERMINAL_CODE.fullmatch(code) else None
    if terminal is None:
        raise ApiError("terminal_not_yours", param="terminal", value=code[:63])
    return terminal


def _accept(sender: Sender, envelope: Envelope) -> Answer:
    try:
        return accept_batch(sender, map(bytes, envelope.purchases), seal=envelope.read_seal(), now=timezone.now())
    except ChainBroken as error:
        chain = chain_of(sender.terminal_id, sender.terminal_code)
        raise ApiError(
            "chain_broken", value=str(chain.next_seq), next_seq=chain.next_seq, head=bytes_text(chain.head)
        ) from error
    except (SealMissing, SealMismatch) as error:
        raise ApiError(error.code, param="seal", reason=str(error)) from error


def _sender(request: Request, terminal: TerminalSeen) -> Sender:
    return Sender(
        lane=lane_of(terminal.id),
        terminal_id=terminal.id,
        terminal_code=terminal.code,
        merchant_id=terminal.merchant_id,
        public_key=terminal.public_key,
        request_id=request.META["kanpu.request_id"],
        software=request.headers.get("Kanpu-Software", "")[:SOFTWARE_LENGTH],
    )
