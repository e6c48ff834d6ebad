"""A local Stripe behind Stripe's own protocol: what Kanpu asks of it, with the faults that the real one may have.

For the demo and tests, on loopback only, a process of its own. It takes forms, answers JSON, keeps answers by
idempotency key, and sends signed webhooks. Faults are drawn at random, or ordered by POST /_faults: a list of
[path, fault].
"""

import json
import random
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import stripe

from apps.simulator.stripe_ledger import SHOWN, Ledger, Params, Refusal, invalid

BUSY, LIMIT, FAILS, FAILS_AFTER, SILENT_AFTER = "busy", "limit", "fails", "fails_after", "silent_after"
FAULTS: Final = (BUSY, LIMIT, FAILS, FAILS_AFTER, SILENT_AFTER)
ERROR_500: Final = json.dumps({"error": {"type": "api_error", "message": "Something went wrong here."}})
TICK_S: Final = 0.02
HOOK_TIMEOUT_S: Final = 5


class Silence(Exception):
    """The connection ends without an answer."""


@dataclass(slots=True)
class Api:
    """The API: its books, its key, the faults of a thousand requests, and those that were ordered."""

    ledger: Ledger
    key: str
    faults: int = 0
    rng: random.Random = field(default_factory=random.Random)
    ordered: list[list[str]] = field(default_factory=list)
    at_work: set[str] = field(default_factory=set)

    def get(self, path: str, asked: Params, account: str) -> dict[str, Any]:
        """An object or a list. Raises Refusal."""
        if self.fault_of(path) in (LIMIT, FAILS):
            raise Refusal(500, "api_error", "", "Something went wrong here.")
        match path.strip("/").split("/"):
            case ["v1", "balance"]:
                return self.ledger.balance(account)
            case ["v1", "accounts" | "transfers" | "payouts" as kind]:
                return self._list(kind[:-1], asked, account)
            case ["v1", "transfers", pk, "reversals"]:
                return self._list("reversal", {**asked, "transfer": pk}, account)
            case ["v1", "events"]:
                rows = self.ledger.rows("SELECT body FROM event ORDER BY seq DESC LIMIT 100")
                return {"object": "list", "has_more": False, "data": [json.loads(row["body"]) for row in rows]}
        return self._one(path, account)

    def _one(self, path: str, account: str) -> dict[str, Any]:
        match path.strip("/").split("/"):
            case ["v1", "accounts", pk]:
                return self.ledger.account(pk)
            case ["v1", "accounts", pk, "external_accounts"]:
                return dict(self.ledger.account(pk)["external_accounts"])
            case ["v1", "transfers", pk]:
                return self.ledger.transfer(pk)
            case ["v1", "payouts", pk]:
                return self.ledger.payout(pk, account)
        raise invalid("", f"Unrecognized request URL: {path}", 404)

    def _list(self, kind: str, asked: Params, account: str) -> dict[str, Any]:
        """The newest first, after `starting_after`, with the filters that Kanpu asks for."""
        wheres, values = ["1"], []
        filters = {"created[gte]": "created >= ?", "transfer_group": "refund = ?", "transfer": "transfer = ?"}
        if kind == "payout":
            filters["account"], asked = "account = ?", {**asked, "account": account}
        for name, where in filters.items():
            if name in asked:
                wheres.append(where)
                values.append(int(asked[name]) if name == "created[gte]" else asked[name])
        if after := asked.get("starting_after"):
            wheres.append(f"seq < (SELECT seq FROM {kind} WHERE id = ?)")  # noqa: S608 - a name of ours
            values.append(after)
        limit = int(asked.get("limit", 10))
        statement = f"SELECT * FROM {kind} WHERE {' AND '.join(wheres)} ORDER BY seq DESC LIMIT ?"  # noqa: S608
        rows = self.ledger.rows(statement, *values, limit + 1)
        data = [SHOWN[kind](row) for row in rows[:limit]]
        return {"object": "list", "url": f"/v1/{kind}s", "has_more": len(rows) > limit, "data": data}

    def post(self, path: str, asked: Params, account: str, key: str) -> tuple[int, str]:
        """Make something, once a key. Raises Silence."""
        fault = self.fault_of(path)
        with self.ledger.lock:
            if fault == BUSY or key in self.at_work:
                return _refused(Refusal(409, "idempotency_error", "lock_timeout", "The key is in use."))
            if fault == LIMIT:
                return _refused(Refusal(429, "invalid_request_error", "rate_limit", "Too many requests."))
            self.at_work.add(key)
        try:
            answer = self._once(path, asked, account, key, fault)
        except Refusal as refusal:
            return _refused(refusal)
        finally:
            with self.ledger.lock:
                self.at_work.discard(key)
        if fault == SILENT_AFTER:
            raise Silence
        return answer

    def _once(self, path: str, asked: Params, account: str, key: str, fault: str) -> tuple[int, str]:
        """The answer that was given to the key, or what is made now. Both are kept, or neither is."""
        said = json.dumps([path, account, sorted(asked.items())])
        with self.ledger.writing():
            if known := self.ledger.kept(key, said):
                return known
            answer = 500, ERROR_500
            if fault != FAILS:
                made = self._make(path, asked, account)
                answer = answer if fault == FAILS_AFTER else made
            self.ledger.keep(key, said, *answer)
        return answer

    def _make(self, path: str, asked: Params, account: str) -> tuple[int, str]:
        """What was made. An endpoint's refusal, once it is at work, is an answer that is kept."""
        making: dict[str, Callable[[Params, str], dict[str, Any]]] = {
            "/v1/accounts": self.ledger.make_account,
            "/v1/transfers": self.ledger.make_transfer,
            "/v1/payouts": self.ledger.make_payout,
        }
        try:
            if path in making:
                return 200, json.dumps(making[path](asked, account))
            match path.strip("/").split("/"):
                case ["v1", "transfers", pk, "reversals"]:
                    return 200, json.dumps(self.ledger.make_reversal(pk, asked))
        except Refusal as refusal:
            if refusal.body["error"]["code"] == "balance_insufficient":
                return _refused(refusal)
            raise
        raise invalid("", f"Unrecognized request URL: {path}", 404)

    def fault_of(self, path: str) -> str:
        """The fault of this request: one that was ordered for its path, one at random, or none."""
        for order in self.ordered:
            if path.endswith(order[0]):
                self.ordered.remove(order)
                return order[1]
        return self.rng.choice(FAULTS) if self.rng.randrange(1_000) < self.faults else ""


def _refused(refusal: Refusal) -> tuple[int, str]:
    return refusal.status, json.dumps(refusal.body)


class Handler(BaseHTTPRequestHandler):
    """HTTP, kept alive."""

    api: Api
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        """Read something."""
        parts = urlsplit(self.path)
        if parts.path == "/":
            self._answer(200, "{}")
            return
        try:
            self._check_key()
            found = self.api.get(parts.path, dict(parse_qsl(parts.query)), self.headers.get("Stripe-Account", ""))
            self._answer(200, json.dumps(found))
        except Refusal as refusal:
            self._answer(*_refused(refusal))

    def do_POST(self) -> None:
        """Make something, or order faults."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path == "/_faults":
            self.api.ordered.extend(json.loads(body))
            self._answer(200, "{}")
            return
        account, key = self.headers.get("Stripe-Account", ""), self.headers.get("Idempotency-Key", "")
        try:
            self._check_key()
            asked = dict(parse_qsl(body, keep_blank_values=True))
            self._answer(*self.api.post(self.path, asked, account, f"{account} {key}"))
        except Refusal as refusal:
            self._answer(*_refused(refusal))
        except Silence:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def do_DELETE(self) -> None:
        """Delete a connected account."""
        try:
            self._check_key()
            with self.api.ledger.writing():
                self._answer(200, json.dumps(self.api.ledger.forget_account(self.path.rpartition("/")[2])))
        except Refusal as refusal:
            self._answer(*_refused(refusal))

    def _check_key(self) -> None:
        if self.headers.get("Authorization") != f"Bearer {self.api.key}":
            raise Refusal(401, "invalid_request_error", "", "Invalid API Key provided.")

    def _answer(self, status: int, body: str) -> None:
        raw = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(raw)))
        self.send_header("Request-Id", f"req_{time.monotonic_ns():x}")
        if status >= 500:  # the same key would only repeat it
            self.send_header("Stripe-Should-Retry", "false")
        self.end_headers()
        self.wfile.write(raw)
        self.wfile.flush()

    def log_message(self, *_said: object) -> None:
        """Nothing."""


def server_of(api: Api, port: int) -> ThreadingHTTPServer:
    """A server of the API on loopback, which time does not go by for."""
    return ThreadingHTTPServer(("127.0.0.1", port), type("Bound", (Handler,), {"api": api}))


def serve(api: Api, port: int, *, hook: str = "", secret: str = "") -> None:
    """Answer, let time go by and send webhooks until the process is ended."""
    while api.ledger.go_on():  # what should have happened while it was dead
        pass
    threading.Thread(target=_go_on, args=[api.ledger], daemon=True).start()
    if hook:
        threading.Thread(target=_send, args=[api.ledger, hook, secret], daemon=True).start()
    server_of(api, port).serve_forever()


def _go_on(ledger: Ledger) -> None:
    while True:
        ledger.go_on()
        time.sleep(TICK_S)


def _send(ledger: Ledger, hook: str, secret: str) -> None:
    while True:
        told: list[int] = []
        failed: list[int] = []
        for delivery in ledger.deliveries():
            (told if _sent(delivery["body"], hook, secret) else failed).append(delivery["seq"])
        if told or failed:
            ledger.delivered(told, failed)
        time.sleep(TICK_S)


def _sent(body: str, hook: str, secret: str) -> bool:
    signature = stripe.WebhookSignature.generate_signature_header(body, secret)
    headers = {"Content-Type": "application/json", "Stripe-Signature": signature}
    request = urllib.request.Request(hook, body.encode(), headers)  # noqa: S310 - our own address  # nosec B310
    try:
        with urllib.request.urlopen(request, timeout=HOOK_TIMEOUT_S) as answer:  # noqa: S310  # nosec B310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
