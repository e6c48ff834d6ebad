"""A till for programs in other languages: JSON over HTTP on this machine only.

Web pages are kept out: a request must name this machine as its host (else another name could be pointed here), bear the
secret in a header (which a page cannot read, nor send unasked), and come from no page.
"""

import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from kanpu_pos.card import VirtualCard
from kanpu_pos.errors import KanpuPosError
from kanpu_pos.fields import FieldError, Of
from kanpu_pos.receipt import Language, Sold
from kanpu_pos.records import pairs
from kanpu_pos.register import TillError
from kanpu_pos.till import Status, Till

SECRET_HEADER: Final = "Kanpu-Till-Secret"  # noqa: S105 - a header's name
MAX_BODY_BYTES: Final = 65_536
IDLE_TIMEOUT_S: Final = 30.0

Body = Mapping[str, Any]


class Refusal(KanpuPosError):
    """A request that is not answered; the status is HTTP's."""

    def __init__(self, status: HTTPStatus, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message


class Gateway(ThreadingHTTPServer):
    """Serves one till on 127.0.0.1; `port` 0 takes a free one."""

    daemon_threads = True

    def __init__(self, till: Till, *, secret: str, port: int, test_card: Callable[[str], VirtualCard]) -> None:
        """`test_card` returns a card by the name of a test card."""
        self.till, self.secret, self.test_card = till, secret, test_card
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"


def _sell(gateway: Gateway, body: Body) -> Body:
    token, test_card = _text(body, "card"), _text(body, "test_card")
    return sold_json(
        gateway.till.sell(
            pairs(body.get("lines")),
            card=gateway.test_card(test_card) if test_card else token,
            claim=body.get("claim") is True,
            at=body.get("at"),
            seq=body.get("seq"),
        )
    )


def _return(gateway: Gateway, body: Body) -> Body:
    return {"seq": gateway.till.return_goods(_of(body), pairs(body.get("lines")), at=body.get("at"))}


def _void(gateway: Gateway, body: Body) -> Body:
    return {"seq": gateway.till.void(_own(gateway.till, body), at=body.get("at"))}


def _correction(gateway: Gateway, body: Body) -> Body:
    of_seq, lines = _own(gateway.till, body), pairs(body.get("lines"))
    return {"seq": gateway.till.correct(of_seq, lines, sold_at=body.get("sold_at"), at=body.get("at"))}


def _reserve(gateway: Gateway, body: Body) -> Body:  # noqa: ARG001 - all of these take the same
    return {"terminal": gateway.till.terminal, "seq": gateway.till.reserve()}


def _unused(gateway: Gateway, body: Body) -> Body:
    return {"seq": gateway.till.unused(body.get("seq", 0))}


def _closing(gateway: Gateway, body: Body) -> Body:
    record: Body = json.loads(gateway.till.close_day(body.get("year"), at=body.get("at")).to_json())
    return record


_POSTS: Final[Mapping[str, Callable[[Gateway, Body], Body]]] = {
    "/sell": _sell,
    "/return": _return,
    "/void": _void,
    "/correction": _correction,
    "/reserve": _reserve,
    "/unused": _unused,
    "/closing": _closing,
}


def sold_json(sold: Sold) -> dict[str, object]:
    """Return a sale as JSON: amounts in minor units."""
    return {
        "terminal": sold.terminal,
        "seq": sold.seq,
        "at": sold.at.isoformat(),
        "lines": [{"tier": tier, "amount": amount} for tier, amount in sold.lines],
        "with_card": sold.with_card,
        "card_error": sold.card_error,
        "claim_code": sold.claim_code,
        "expected_refund": sold.expected_refund_minor,
    }


def status_json(status: Status) -> dict[str, object]:
    """Return a till's status as JSON."""
    rejected = [{"seq": seq, "code": code, "message": message} for seq, code, message in status.rejected]
    return {
        **asdict(status),
        "rejected": rejected,
        "keys_until": status.keys_until.isoformat() if status.keys_until else None,
        "tiers_on": status.tiers_on.isoformat() if status.tiers_on else None,
    }


def error_json(error: KanpuPosError) -> dict[str, object]:
    """Return an error as the protocol's error object, as far as it has a code and a param."""
    code = "field_invalid" if isinstance(error, FieldError) else getattr(error, "code", type(error).__name__)
    fields = {"code": code, "message": str(error)}
    return {"error": {**fields, "param": error.param} if isinstance(error, FieldError) else fields}


def _of(body: Body) -> Of:
    of = body.get("of")
    if not isinstance(of, dict):
        raise FieldError("of", 'give the record it is about: {"terminal": …, "seq": …}')
    return of.get("terminal", ""), of.get("seq", 0)


def _text(body: Body, name: str) -> str | None:
    value = body.get(name)
    if value is not None and not isinstance(value, str):
        raise FieldError(name, f"{value!r} is not a string")
    return value


def _own(till: Till, body: Body) -> int:
    terminal, seq = _of(body)
    if terminal != till.terminal:
        raise FieldError("of.terminal", f"a void or a correction is about a record of {till.terminal} itself")
    return seq


class _Handler(BaseHTTPRequestHandler):
    server: Gateway
    protocol_version = "HTTP/1.1"
    timeout = IDLE_TIMEOUT_S

    def do_GET(self) -> None:
        self._answer_with(self._read)

    def do_POST(self) -> None:
        self._answer_with(self._record)

    def _answer_with(self, work: Callable[[], tuple[str, bytes]]) -> None:
        try:
            self._check_caller()
            self._answer(HTTPStatus.OK, *work())
        except Refusal as error:
            self.close_connection = True  # its body may not have been read
            self._refuse(error.status, error)
        except FieldError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, error)
        except TillError as error:
            unknown = error.code == "record_unknown"
            self._refuse(HTTPStatus.NOT_FOUND if unknown else HTTPStatus.CONFLICT, error)
        except KanpuPosError as error:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, error)

    def _check_caller(self) -> None:
        port = self.server.server_port
        if self.headers.get("Host") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            raise Refusal(HTTPStatus.FORBIDDEN, "host_not_local", f"ask for http://127.0.0.1:{port}")
        if "Origin" in self.headers or self.headers.get("Sec-Fetch-Site", "none") != "none":
            raise Refusal(HTTPStatus.FORBIDDEN, "from_a_page", "web pages may not use this till")
        if not hmac.compare_digest(self.headers.get(SECRET_HEADER, "").encode(), self.server.secret.encode()):
            message = f"send the text of the till's file gateway-secret in the header {SECRET_HEADER}"
            raise Refusal(HTTPStatus.FORBIDDEN, "secret_wrong", message)

    def _read(self) -> tuple[str, bytes]:
        address = urlsplit(self.path)
        if address.path == "/status":
            return _json(status_json(self.server.till.status()))
        if address.path.startswith("/receipt/"):
            seq = address.path.removeprefix("/receipt/")
            if seq.isascii() and seq.isdecimal():
                language: Language = "en" if parse_qs(address.query).get("lang") == ["en"] else "ja"
                return "text/plain; charset=utf-8", self.server.till.receipt(int(seq)).receipt_text(language).encode()
        raise Refusal(HTTPStatus.NOT_FOUND, "not_found", "there are /status and /receipt/{seq}")

    def _record(self) -> tuple[str, bytes]:
        work = _POSTS.get(self.path)
        if work is None:
            raise Refusal(HTTPStatus.NOT_FOUND, "not_found", f"there are {', '.join(_POSTS)}")
        return _json(work(self.server, self._body()))

    def _body(self) -> Body:
        if self.headers.get_content_type() != "application/json":
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "send application/json")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdecimal()):
            raise Refusal(HTTPStatus.LENGTH_REQUIRED, "length_required", "send Content-Length")
        if int(length) > MAX_BODY_BYTES:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", f"at most {MAX_BODY_BYTES} bytes")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise Refusal(HTTPStatus.BAD_REQUEST, "malformed", "send a JSON object")
        return body

    def _refuse(self, status: HTTPStatus, error: KanpuPosError) -> None:
        self._answer(status, *_json(error_json(error)))

    def _answer(self, status: HTTPStatus, content_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing: the till's file has it all."""


def _json(value: object) -> tuple[str, bytes]:
    return "application/json", json.dumps(value, ensure_ascii=False).encode()
