"""Reporting purchases and reading back what became of them."""

from datetime import date
from typing import cast

import msgspec
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.kernel.metrics import ACCEPTED, REFUSED
from apps.merchants.keys import TERMINAL_CODE
from apps.merchants.queries import KeyHolder, TerminalSeen, terminal_of, terminal_seen, visible_terminals
from apps.merchants.requests import ApiError, ApiKeyAuthentication, BodyParser, body_of
from apps.purchases.chain import ChainBroken, SealMismatch, SealMissing
from apps.purchases.doorbell import doorbell
from apps.purchases.following import Key
from apps.purchases.lanes import lane_of
from apps.purchases.openapi import READ_BACK, READ_TERMINAL, READ_TIERS, REPORT
from apps.purchases.operations import Answer, accept_batch
from apps.purchases.paging import PageQuery, QueryInvalid, read_query
from apps.purchases.queries import chain_of, last_closing
from apps.purchases.reading import Wanted, records_page
from apps.purchases.serializers import (
    Envelope,
    answer_json,
    bytes_text,
    page_json,
    read_envelope,
    terminal_json,
    tiers_json,
)
from apps.purchases.store import Sender
from apps.schemes.queries import scheme_on

SOFTWARE_LENGTH = 200


class PurchasesView(APIView):
    """Report purchases of one terminal. 200 means that every accepted record is durable."""

    authentication_classes = (ApiKeyAuthentication,)
    parser_classes = (BodyParser,)
    scopes = {"GET": "read", "POST": "report"}

    @extend_schema(operation=READ_BACK)
    def get(self, request: Request) -> Response:
        """What became of the key's records: by terminal and number, a page at a time."""
        query = _query(request)
        terminals = _terminals(request, query.terminal)
        after = query.after
        if query.terminal:  # of one terminal, so its number is known
            after = max(after, Key(next(iter(terminals)), query.from_seq - 1))
        wanted = Wanted(list(terminals), after, query.status, query.changed_after, query.limit + 1)
        return Response(page_json(records_page(wanted), terminals, query.limit))

    @extend_schema(operation=REPORT)
    def post(self, request: Request) -> Response:
        envelope = read_envelope(body_of(request))
        terminal = own_terminal(request, envelope.terminal)
        answer = _accept(_sender(request, terminal), envelope)
        if answer.decided.accepted or answer.decided.refused:
            doorbell.ring()
            ACCEPTED.inc(len(answer.decided.accepted))
        for _, defect, _ in answer.decided.refused:
            REFUSED.labels(defect.code).inc()
        return Response(answer_json(answer))


class TerminalView(APIView):
    """Where a terminal stands: its next number, its chain's head, what is missing, its last closing."""

    authentication_classes = (ApiKeyAuthentication,)
    scopes = {"GET": ("read", "report")}

    @extend_schema(operation=READ_TERMINAL)
    def get(self, request: Request, code: str) -> Response:
        terminal = own_terminal(request, code)
        return Response(
            terminal_json(terminal_seen(terminal.id), chain_of(terminal.id, code), last_closing(terminal.id))
        )


class TiersView(APIView):
    """The tiers in force on a day, with their rates and names."""

    authentication_classes = (ApiKeyAuthentication,)

    @extend_schema(operation=READ_TIERS)
    def get(self, request: Request) -> Response:
        text = request.query_params.get("on")
        try:
            day = timezone.localdate() if text is None else msgspec.convert(text, date)
        except msgspec.ValidationError as error:
            raise ApiError("malformed", param="on", reason="on: a date such as 2017-04-03") from error
        scheme = scheme_on(day)
        if scheme is None:
            raise ApiError("not_found", param="on")
        return Response(tiers_json(scheme, day))


def _query(request: Request) -> PageQuery:
    try:
        return read_query(request.query_params.dict())
    except QueryInvalid as error:
        raise ApiError("malformed", param=error.param, reason=str(error)) from error


def _terminals(request: Request, code: str) -> dict[int, str]:
    """The terminals to read, number to code: the one named, or all that the key may see."""
    if code:
        terminal = own_terminal(request, code)
        return {terminal.id: terminal.code}
    return dict(visible_terminals(cast("KeyHolder", request.auth)).order_by("pk").values_list("pk", "code"))


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
