"""The network as a till meets it: batches come twice, late and again, and each acknowledgement goes to the recorder."""

import gzip
import json
import random
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

import httpx

from tests.chaos.ledger import Pen

REPORT: Final = "/v1/purchases"
TWICE, AGAIN, LATE = 0.05, 0.05, 0.03  # of all batches


class Wire(httpx.BaseTransport):
    """Sends what a till's library sends, and more of it. For one thread."""

    def __init__(self, pen: Pen, rng: random.Random) -> None:
        self._pen, self._rng = pen, rng
        self._inner = httpx.HTTPTransport()
        self._earlier: deque[bytes] = deque(maxlen=20)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request; a batch may be sent more than once. Raises what httpx raises."""
        body = request.read()
        if request.method != "POST" or request.url.path != REPORT:
            return self._inner.handle_request(request)
        drawn = self._rng.random()
        if drawn < TWICE:
            self._note_fault("batch_twice_at_once")
            other = threading.Thread(target=self._send_ignored, args=(request, body, 0.0))
            other.start()
            try:
                return self._send(request, body)
            finally:
                other.join()
        if drawn < TWICE + AGAIN and self._earlier:
            self._note_fault("old_batch_again")
            self._send(request, self._rng.choice(self._earlier)).close()
        elif drawn > 1 - LATE:
            self._note_fault("batch_delayed")
            late = (request, body, self._rng.uniform(0.3, 3.0))
            threading.Thread(target=self._send_ignored, args=late, daemon=True).start()
            raise httpx.ReadTimeout("held up on the way", request=request)
        self._earlier.append(body)
        return self._send(request, body)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def _send(self, request: httpx.Request, body: bytes) -> httpx.Response:
        response = self._inner.handle_request(_copy(request, body))
        answer = response.read()
        if response.status_code == httpx.codes.OK:
            self._pen.note("ack", **_acknowledged(body, answer))
        return httpx.Response(response.status_code, headers=_plain(response), content=answer, request=request)

    def _send_ignored(self, request: httpx.Request, body: bytes, after_s: float) -> None:
        """What nobody waits for: its answer is not noted, the batch comes all the same."""
        time.sleep(after_s)
        try:
            self._inner.handle_request(_copy(request, body)).close()
        except httpx.HTTPError:
            return

    def _note_fault(self, kind: str) -> None:
        self._pen.note("fault", "", kind=kind)


def _copy(request: httpx.Request, body: bytes) -> httpx.Request:
    headers = {name: value for name, value in request.headers.items() if name != "content-length"}
    return httpx.Request("POST", request.url, headers=headers, content=body, extensions=request.extensions)


def _plain(response: httpx.Response) -> Mapping[str, str]:
    """The headers of an answer that was read already."""
    return {k: v for k, v in response.headers.items() if k not in ("content-encoding", "content-length")}


def _acknowledged(body: bytes, answer: bytes) -> dict[str, Any]:
    """What an answer acknowledges: each record by number, and the code of those that were refused."""
    batch = json.loads(gzip.decompress(body))
    results = json.loads(answer)["results"]
    refused = {row["index"]: row["error"]["code"] for row in results if "error" in row}
    records = [
        [record["seq"], record.get("kind", "sale"), record.get("lines"), refused.get(index, "")]
        for index, record in enumerate(batch["purchases"])
    ]
    return {"terminal": batch["terminal"], "records": records}
