"""The gateway: a till for programs in other languages, and for nobody else on the machine's browsers."""

import http.client
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kanpu_pos import Client, Till, VirtualCard, from_json
from kanpu_pos.gateway import Gateway

from .misbehaving import PosServer, serving
from .test_till import records_in

TERMINAL = "tokyo-0001-03"
SECRET = "a secret of this till"
LINES = [{"tier": "reduced", "amount": 1100}]
TOKEN = "kt1." + "A" * 114


@pytest.fixture
def server() -> Iterator[PosServer]:
    with serving() as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "till.db"


@pytest.fixture
def gateway(server: PosServer, path: Path) -> Iterator[Gateway]:
    client = Client(server.url, "kp_test_0123456789abcdef", timeout_s=5)
    with client, Till(path, terminal=TERMINAL, client=client) as till:
        till.refresh()
        with Gateway(till, secret=SECRET, port=0, test_card=lambda name: VirtualCard(bytes(16), bytes(32))) as running:
            thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            yield running
            running.shutdown()
            thread.join()


def ask(gateway: Gateway, method: str, path: str, body: Any = None, **headers: str | None) -> tuple[int, Any]:
    """An answer's status, and its JSON or text; a header that is None is left out."""
    sent = {"Kanpu-Till-Secret": SECRET, "Content-Type": "application/json"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", gateway.server_port, timeout=10)
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    kept = {name: value for name, value in (sent | named).items() if value is not None}
    connection.request(method, path, body=content, headers=kept)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.headers["Access-Control-Allow-Origin"] is None
    return answer.status, json.loads(text) if answer.headers["Content-Type"] == "application/json" else text


def sell(gateway: Gateway, **fields: Any) -> Any:
    status, answer = ask(gateway, "POST", "/sell", {"lines": LINES, **fields})
    assert status == 200, answer
    return answer


def test_a_day_at_the_till(gateway: Gateway, path: Path) -> None:
    sold = sell(gateway, claim=True, at="2017-04-03T09:30:00+09:00")
    assert (sold["terminal"], sold["seq"], sold["lines"]) == (TERMINAL, 1, LINES)
    assert (len(sold["claim_code"]), sold["expected_refund"]) == (26, 20)
    of = {"terminal": TERMINAL, "seq": 1}
    assert ask(gateway, "POST", "/return", {"of": of, "lines": LINES}) == (200, {"seq": 2})
    assert ask(gateway, "POST", "/correction", {"of": of, "lines": LINES, "sold_at": "2017-04-02T09:30:00Z"}) == (
        200,
        {"seq": 3},
    )
    assert ask(gateway, "POST", "/void", {"of": of}) == (200, {"seq": 4})
    status, closing = ask(gateway, "POST", "/closing", {"year": 2017, "at": "2017-04-03T21:00:00+09:00"})
    assert (status, from_json(json.dumps(closing).encode())) == (200, records_in(path)[-1])
    kinds = [record.kind for record in records_in(path)]
    assert kinds == ["sale", "return", "correction", "void", "closing"]


def test_a_card_is_read_for_a_reserved_number(gateway: Gateway, path: Path) -> None:
    assert ask(gateway, "POST", "/reserve", {}) == (200, {"terminal": TERMINAL, "seq": 1})
    assert sell(gateway, seq=1, card=TOKEN)["with_card"] is True
    status, answer = ask(gateway, "POST", "/sell", {"lines": LINES, "seq": 1, "card": TOKEN})
    assert (status, answer["error"]["code"]) == (409, "seq_not_reserved")  # the answer was lost, and it was asked again
    ask(gateway, "POST", "/reserve", {})
    assert ask(gateway, "POST", "/unused", {"seq": 2}) == (200, {"seq": 2})
    assert [record.kind for record in records_in(path)] == ["sale", "unused"]


def test_a_test_card_stands_in_for_a_reader(gateway: Gateway, path: Path) -> None:
    assert sell(gateway, test_card="standard")["with_card"] is True
    assert records_in(path)[0].card is not None


@pytest.mark.parametrize(("query", "words"), [("", "還付の見込み"), ("?lang=en", "Expected refund, about ¥20")])
def test_a_receipt_is_text(gateway: Gateway, query: str, words: str) -> None:
    sell(gateway, at="2017-04-03T09:30:00+09:00")
    status, text = ask(gateway, "GET", f"/receipt/1{query}")
    assert status == 200
    assert words in text


def test_the_status_says_how_the_till_stands(gateway: Gateway) -> None:
    sell(gateway)
    status, answer = ask(gateway, "GET", "/status")
    assert status == 200
    assert (answer["terminal"], answer["next_seq"], answer["waiting"], answer["rejected"]) == (TERMINAL, 2, 1, [])
    assert answer["keys_until"] == "2099-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Kanpu_Till_Secret": None}, "secret_wrong"),
        ({"Kanpu_Till_Secret": "another"}, "secret_wrong"),
        ({"Host": "shop.example"}, "host_not_local"),
        ({"Host": "127.0.0.1"}, "host_not_local"),
        ({"Origin": "https://shop.example"}, "from_a_page"),
        ({"Origin": "null"}, "from_a_page"),
        ({"Sec_Fetch_Site": "cross-site"}, "from_a_page"),
        ({"Sec_Fetch_Site": "same-origin"}, "from_a_page"),
    ],
)
@pytest.mark.parametrize(("method", "address"), [("POST", "/sell"), ("GET", "/status"), ("GET", "/nowhere")])
def test_pages_and_strangers_are_kept_out(
    gateway: Gateway, headers: dict[str, str | None], code: str, method: str, address: str
) -> None:
    status, answer = ask(gateway, method, address, {"lines": LINES}, **headers)
    assert (status, answer["error"]["code"]) == (403, code)
    assert gateway.till.status().next_seq == 1


def test_a_browsers_question_beforehand_is_not_answered(gateway: Gateway) -> None:
    status, _ = ask(gateway, "OPTIONS", "/sell", Origin="https://shop.example")
    assert status == 501


def test_it_listens_to_this_machine_only(gateway: Gateway) -> None:
    assert gateway.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    ("address", "body", "expected"),
    [
        ("/sell", {"lines": [{"tier": "reduced", "amount": 0}]}, (400, "field_invalid", "lines[0].amount")),
        ("/sell", {"lines": [{"tier": "reduced", "amount": 1.0}]}, (400, "field_invalid", "lines[0].amount")),
        ("/sell", {}, (400, "field_invalid", "lines")),
        ("/sell", {"lines": LINES, "card": 5}, (400, "field_invalid", "card")),
        ("/sell", {"lines": LINES, "card": TOKEN}, (409, "seq_not_reserved", None)),
        ("/sell", {"lines": LINES, "seq": "1"}, (409, "seq_not_reserved", None)),
        ("/sell", {"lines": LINES, "at": "noon"}, (400, "field_invalid", "at")),
        ("/sell", {"lines": LINES, "at": 5}, (400, "field_invalid", "at")),
        ("/return", {"lines": LINES}, (400, "field_invalid", "of")),
        ("/return", {"of": {"terminal": "osaka-9", "seq": 1}, "lines": []}, (400, "field_invalid", "lines")),
        ("/void", {"of": {"terminal": "osaka-9", "seq": 1}}, (400, "field_invalid", "of.terminal")),
        ("/void", {"of": {"terminal": TERMINAL, "seq": 2**70}}, (400, "field_invalid", "of.seq")),
        ("/void", {"of": {"terminal": TERMINAL, "seq": []}}, (400, "field_invalid", "of.seq")),
        ("/void", {"of": {"terminal": TERMINAL, "seq": 9}}, (404, "record_unknown", None)),
        ("/closing", {"year": "2017"}, (400, "field_invalid", "year")),
        ("/closing", {"year": 2**70}, (400, "field_invalid", "year")),
        ("/unused", {}, (409, "seq_not_reserved", None)),
        ("/sell", [], (400, "malformed", None)),
        ("/sell", b"{", (400, "malformed", None)),
        ("/sell", b"[" * 50_000, (400, "malformed", None)),
        ("/sell", b"x" * 65_537, (413, "too_large", None)),
        ("/give", {}, (404, "not_found", None)),
    ],
)
def test_what_is_wrong_is_an_error_object_and_records_nothing(
    gateway: Gateway, address: str, body: Any, expected: tuple[int, str, str | None]
) -> None:
    status, answer = ask(gateway, "POST", address, body)
    error = answer["error"]
    assert (status, error["code"], error.get("param")) == expected
    assert error["message"]
    assert gateway.till.status().next_seq == 1


def test_a_form_is_not_json(gateway: Gateway) -> None:
    status, answer = ask(gateway, "POST", "/sell", {"lines": LINES}, Content_Type="text/plain")
    assert (status, answer["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("address", ["/receipt/1", "/receipt/x", "/receipt/99999999999999999999", "/", "/statuses"])
def test_what_there_is_not_is_not_found(gateway: Gateway, address: str) -> None:
    status, answer = ask(gateway, "GET", address)
    assert status in (400, 404)
    assert answer["error"]["message"]
