"""Enrolling terminals, one-time codes, and the keys that tills register."""

from typing import Final

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.merchants.enrolment import read_terminal
from apps.merchants.keys import TERMINAL_CODE, public_key_text
from apps.merchants.models import Merchant
from apps.merchants.openapi import ENROL, ISSUE_CODE, REGISTER_KEY
from apps.merchants.operations import (
    Enrolling,
    EnrolmentCodeInvalid,
    enrol_terminals,
    issue_enrolment_code,
    register_key,
)
from apps.merchants.queries import TerminalSeen, merchant_of, terminal_of
from apps.merchants.requests import ApiError, ApiKeyAuthentication, BodyParser, body_of, holder_in
from apps.merchants.serializers import enrolment_json, read_enrolment, read_registration

NO_STORE: Final = {"Cache-Control": "no-store"}  # one-time codes are for the asker alone


class TerminalsView(APIView):
    """`POST /v1/terminals`: enrol one terminal, or up to 1,000."""

    authentication_classes = (ApiKeyAuthentication,)
    parser_classes = (BodyParser,)
    scopes = {"POST": "enrol"}

    @extend_schema(operation=ENROL)
    def post(self, request: Request) -> Response:
        asked = read_enrolment(body_of(request))
        enrolling = Enrolling(_merchant(request, asked.merchant), store_ids=tuple(holder_in(request).stores))
        terminals = [read_terminal(terminal) for terminal in asked.terminals]
        results = enrol_terminals(enrolling, terminals, at=timezone.now(), actor=_actor(request))
        return Response(enrolment_json(asked, results), headers=NO_STORE)


class EnrolmentCodesView(APIView):
    """`POST /v1/terminals/{code}/enrolment-codes`: a new one-time code, for a first key or after a broken disk."""

    authentication_classes = (ApiKeyAuthentication,)
    parser_classes = (BodyParser,)
    scopes = {"POST": "enrol"}

    @extend_schema(operation=ISSUE_CODE)
    def post(self, request: Request, code: str) -> Response:
        terminal = own_terminal(request, code)
        issued = issue_enrolment_code(terminal.id, at=timezone.now(), actor=_actor(request))
        answer = {"code": code, "enrolment_code": issued.enrolment_code, "expires_at": issued.expires_at.isoformat()}
        return Response(answer, headers=NO_STORE)


class TerminalKeyView(APIView):
    """`POST /v1/terminals/{code}/key`: a till registers its own key. The one-time code is the proof, not an API key."""

    parser_classes = (BodyParser,)

    @extend_schema(operation=REGISTER_KEY)
    def post(self, request: Request, code: str) -> Response:
        sent = read_registration(body_of(request))
        public_key = sent.read_public_key()
        try:
            register_key(code, enrolment_code=sent.enrolment_code, public_key=public_key, at=timezone.now())
        except EnrolmentCodeInvalid as error:
            raise ApiError("enrolment_code_invalid", param="enrolment_code") from error
        return Response({"code": code, "public_key": public_key_text(public_key)})


def own_terminal(request: Request, code: str) -> TerminalSeen:
    """The terminal of that code, if the request's key may see it. Raises ApiError `terminal_not_yours`."""
    terminal = terminal_of(code, holder_in(request)) if TERMINAL_CODE.fullmatch(code) else None
    if terminal is None:
        raise ApiError("terminal_not_yours", value=code[:63])
    return terminal


def _merchant(request: Request, number: int | None) -> Merchant:
    merchant = merchant_of(holder_in(request), number)
    if merchant is None:
        raise ApiError("merchant_not_yours", param="merchant", value="" if number is None else str(number))
    return merchant


def _actor(request: Request) -> str:
    return f"key:{holder_in(request).key_id}"
