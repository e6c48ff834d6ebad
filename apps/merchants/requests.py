"""What all API requests share: a Request-Id, the key's holder, the body's limits, and errors of one form."""

import logging
import re
import sys
import time
import uuid
import zlib
from collections.abc import Callable, Mapping
from typing import IO, Any, Final, cast

from django.conf import settings
from django.core.signals import got_request_exception
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.kernel.metrics import ANSWERED_ERRORS
from apps.kernel.request_ids import done_for, read_request_id
from apps.merchants.catalogue import CATALOGUE, error_object
from apps.merchants.operations import note_use
from apps.merchants.queries import KeyHolder, holder_of
from apps.merchants.rate_limit import rate_limiter

logger = logging.getLogger(__name__)

BODY_LIMIT_BYTES: Final = 1024 * 1024
GZIP_OVERHEAD_BYTES: Final = 64 * 1024  # what does not compress grows a little
RETRY_AFTER_S: Final = 5
FAILED: Final = "kanpu.failed"
NOT_LOGGED: Final = ("health/", "metrics")  # asked every few seconds
BEARER: Final = re.compile(r"Bearer (kp_(?:live|test)_[A-Za-z0-9_-]{20,100})")


class ApiError(Exception):
    """A whole-request error of the catalogue. `extra` goes into the error object, `headers` beside it."""

    def __init__(
        self,
        code: str,
        *,
        param: str = "",
        value: str = "",
        reason: str = "",
        headers: Mapping[str, str] | None = None,
        **extra: object,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.headers = headers or {}
        self.body = {**error_object(code, param=param, value=value, reason=reason), **extra}


class RequestIdMiddleware:
    """Give every request a number, its sender's `Request-Id` if that is a UUID: the answer, batches and logs bear it.

    Each answer leaves one line in the log, with the address's pattern, never with what stood in its place, and with
    what failed, if something did that nobody foresaw.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began_s = time.perf_counter()
        number = read_request_id(request.META.get("HTTP_REQUEST_ID", "")) or uuid.uuid4()
        request.META["kanpu.request_id"] = number
        with done_for(number):
            response = self.get_response(request)
            _log_answer(request, response.status_code, time.perf_counter() - began_s)
        response["Request-Id"] = str(number)
        return response


def _log_answer(request: HttpRequest, status: int, took_s: float) -> None:
    match = request.resolver_match
    route = match.route if match else ""
    failed = request.META.get(FAILED)
    if failed or not route.startswith(NOT_LOGGED):
        fields = {"method": request.method, "route": route, "status": status, "ms": round(took_s * 1000, 1)}
        logger.log(logging.ERROR if failed else logging.INFO, "answered", exc_info=failed, extra={"fields": fields})


@receiver(got_request_exception)
def note_failure(request: HttpRequest, **_: object) -> None:
    """What is raised and not caught, outside views as well: the line of the answer says it."""
    request.META[FAILED] = sys.exc_info()[1]


def https_middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Where pages are led to https, the API refuses: a till that is led there sends its key in clear each time."""

    def answer(request: HttpRequest) -> HttpResponse:
        if settings.SECURE_SSL_REDIRECT and is_api(request) and not request.is_secure():
            ANSWERED_ERRORS.labels("https_required").inc()
            return JsonResponse({"error": error_object("https_required")}, status=CATALOGUE["https_required"].status)
        return get_response(request)

    return answer


def is_api(request: HttpRequest) -> bool:
    """Whether the answer is for a program: an error object, never a page."""
    return request.path == "/v1" or request.path.startswith("/v1/")


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer kp_…`: the request's `auth` is the KeyHolder.

    The view's `scopes` say by method which the key must have, or several of which one will do; any key else.
    """

    def authenticate(self, request: Request) -> tuple[None, KeyHolder]:
        match = BEARER.fullmatch(request.headers.get("Authorization", ""))
        holder = holder_of(match[1]) if match else None
        if holder is None:
            raise ApiError("key_invalid")
        if wait_s := rate_limiter.spend(holder):
            raise ApiError("rate_limited", value=str(wait_s), headers={"Retry-After": str(wait_s)})
        note_use(holder, at=timezone.now())
        _check_scope(holder, request)
        return None, holder


def _check_scope(holder: KeyHolder, request: Request) -> None:
    method = "GET" if request.method == "HEAD" else request.method
    scope: str | tuple[str, ...] = getattr(request.parser_context["view"], "scopes", {}).get(method, ())
    enough = (scope,) if isinstance(scope, str) else scope
    if enough and not set(enough) & set(holder.scopes):
        raise ApiError("scope_missing", value=" / ".join(enough))


def holder_in(request: Request) -> KeyHolder:
    """Whose key the request bears, as ApiKeyAuthentication found it."""
    return cast("KeyHolder", request.auth)


class BodyParser(BaseParser):
    """The JSON body's bytes, decompressed, within the limit; their fields are read where they are known."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: Any = None, parser_context: Any = None) -> Any:  # noqa: ARG002
        request: Request = parser_context["request"]
        encoding = request.headers.get("Content-Encoding", "identity").lower()
        if encoding not in ("identity", "gzip"):
            raise ApiError("unsupported_media_type")
        body = stream.read(BODY_LIMIT_BYTES + GZIP_OVERHEAD_BYTES)
        if encoding == "gzip":
            body = _gunzip(body)
        if len(body) > BODY_LIMIT_BYTES:
            raise ApiError("batch_too_large")
        return body


def body_of(request: Request) -> bytes:
    """The body, read by BodyParser. One that comes in chunks has no length, which the framework takes for empty."""
    if "chunked" in request.headers.get("Transfer-Encoding", "").lower():
        if request.content_type.partition(";")[0].strip() != BodyParser.media_type:
            raise ApiError("unsupported_media_type")
        body: bytes = BodyParser().parse(request.META["wsgi.input"], parser_context={"request": request})
        return body
    return request.data if isinstance(request.data, bytes) else b""


class JsonAlways(BaseContentNegotiation):
    """Answer JSON whatever the client says it accepts: an error in words beats 406."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return DefaultContentNegotiation().select_parser(request, parsers)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:  # noqa: ARG002
        return renderers[0], renderers[0].media_type


def _gunzip(body: bytes) -> bytes:
    """The content of all gzip members, at most one byte more than the limit, however much there is inside."""
    plain = b""
    while body and len(plain) <= BODY_LIMIT_BYTES:
        unpacker = zlib.decompressobj(wbits=31)
        try:
            plain += unpacker.decompress(body, BODY_LIMIT_BYTES + 1 - len(plain))
        except zlib.error as error:
            raise ApiError("malformed", reason="not gzip") from error
        if len(plain) <= BODY_LIMIT_BYTES and not unpacker.eof:
            raise ApiError("malformed", reason="the gzip data ends early")
        body = unpacker.unused_data
    return plain


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """Every error as the protocol's error object; what we did not foresee is logged and answered 503."""
    if isinstance(error, ApiError):
        return _error_response(error.code, error.body, error.headers)
    code = _code_of(error)
    if code == "unavailable":
        context["request"].META[FAILED] = error
    reason = str(error) if code == "malformed" else ""
    return _error_response(code, error_object(code, reason=reason))


def _code_of(error: Exception) -> str:
    if isinstance(error, exceptions.UnsupportedMediaType):
        return "unsupported_media_type"
    if isinstance(error, exceptions.MethodNotAllowed):
        return "method_not_allowed"
    if isinstance(error, Http404 | exceptions.NotFound):
        return "not_found"
    if isinstance(error, exceptions.APIException) and error.status_code < 500:
        return "malformed"
    return "unavailable"


def _error_response(code: str, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Response:
    ANSWERED_ERRORS.labels(code).inc()
    response = Response({"error": body}, status=CATALOGUE[code].status, headers=headers)
    if code == "unavailable":
        response["Retry-After"] = str(RETRY_AFTER_S)
    if code == "key_invalid":
        response["WWW-Authenticate"] = "Bearer"
    return response
