"""The client against a real server on a local port that drops, delays and refuses."""

import gzip
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from kanpu_pos import (
    ApiError,
    Client,
    Clock,
    FieldError,
    GaveUpError,
    KanpuPosError,
    Report,
    Sale,
    SetupError,
    StoredRecordError,
    UnexpectedAnswerError,
)

from .misbehaving import DROP, DROP_AFTER_STORING, TRUNCATED_ANSWER, Fault, PosServer, refusal, serving

TERMINAL = "tokyo-0001-03"
API_KEY = "kp_test_0123456789abcdef"
TWO_ACCEPTED = b'{"accepted":2,"duplicates":0,"rejected":0,"results":[],"terminal":{"next_seq":3,"missing":[]}}'


class FakeClock:
    """Sleeps take no time but pass, and are kept; every jitter is half of what it could be."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self.sleeps_s: list[float] = []

    def sleep_s(self, seconds: float) -> None:
        self.elapsed_s += seconds
        self.sleeps_s.append(seconds)

    def clock(self) -> Clock:
        return Clock(
            monotonic_s=lambda: self.elapsed_s,
            sleep_s=self.sleep_s,
            now=lambda: datetime(2017, 4, 3, 0, 30, tzinfo=UTC),
            uniform=lambda low, high: (low + high) / 2,
        )


@pytest.fixture
def server() -> Iterator[PosServer]:
    with serving() as running:
        yield running


@pytest.fixture
def fake() -> FakeClock:
    return FakeClock()


@pytest.fixture
def client(server: PosServer, fake: FakeClock) -> Iterator[Client]:
    with Client(server.url, API_KEY, timeout_s=5, clock=fake.clock()) as made:
        yield made


def sales(count: int, *, first_seq: int = 1, tier: str = "reduced", lines: int = 1) -> list[bytes]:
    rows = tuple((f"{tier}_{number}" if number else tier, 100 + number) for number in range(lines))
    return [
        Sale(seq=seq, at="2017-04-03T09:30:00+09:00", lines=rows).to_json()
        for seq in range(first_seq, first_seq + count)
    ]


def assert_sent_alike(server: PosServer, attempts: int) -> None:
    assert len(server.requests) == attempts
    assert {request.raw for request in server.requests} == {server.requests[0].raw}


def test_a_report_says_what_became_of_each_record(client: Client, server: PosServer) -> None:
    client.report(TERMINAL, sales(2))
    records = [*sales(4), *sales(1, first_seq=7, tier="unknown")]
    report = client.report(TERMINAL, records)
    assert (report.count, report.accepted, report.duplicates) == (5, 2, 2)
    [rejected] = report.rejected
    assert (rejected.index, rejected.seq, rejected.code) == (4, 7, "tier_unknown")
    assert (rejected.param, rejected.message) == ("purchases[4].lines[0].tier", "no such tier")
    assert (report.next_seq, report.missing) == (8, ((5, 5), (6, 6)))


def test_a_request_carries_the_stored_bytes_key_and_software(server: PosServer) -> None:
    with Client(server.url, API_KEY, timeout_s=5, software="acme/till/4.2") as client:
        client.report(TERMINAL, sales(2))
    [request] = server.requests
    assert request.body == b'{"terminal":"tokyo-0001-03","purchases":[' + b",".join(sales(2)) + b"]}"
    assert request.path == "/v1/purchases"
    assert request.headers["authorization"] == f"Bearer {API_KEY}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["kanpu-software"] == "acme/till/4.2"
    assert request.headers["accept-language"] == "en"
    assert request.headers["user-agent"].startswith("kanpu-pos/")


@pytest.mark.parametrize("compress", [True, False])
def test_bodies_are_gzip_unless_told_otherwise(server: PosServer, compress: bool) -> None:
    with Client(server.url, API_KEY, timeout_s=5, compress=compress) as client:
        client.report(TERMINAL, sales(50))
    [request] = server.requests
    assert request.headers.get("content-encoding") == ("gzip" if compress else None)
    assert request.raw.startswith(b"\x1f\x8b" if compress else b"{")
    assert (request.raw[4:8] == bytes(4)) == compress  # no time in it: the same records, the same bytes
    assert len(request.body) > 2000
    assert (len(request.raw) < 1000) == compress


@pytest.mark.parametrize(
    ("faults", "sleeps_s"),
    [
        ([DROP], [0.25]),
        ([refusal(500)], [0.25]),
        ([refusal(502)], [0.25]),
        ([refusal(504)], [0.25]),
        ([refusal(503, Retry_After="3")], [3.25]),
        ([refusal(429, "rate_limited", Retry_After="Mon, 03 Apr 2017 00:30:10 GMT")], [10.25]),
        ([Fault(status=502, body=b"<html>bad gateway</html>")], [0.25]),
        (
            [DROP, refusal(503, Retry_After="7"), refusal(429, Retry_After="1"), refusal(500)],
            [0.25, 7.5, 2, 2],
        ),
    ],
    ids=["drop", "500", "502", "504", "503", "429", "502 in HTML", "one after another"],
)
def test_what_may_pass_is_sent_again_byte_for_byte(
    client: Client, server: PosServer, fake: FakeClock, faults: list[Fault], sleeps_s: list[float]
) -> None:
    server.faults.extend(faults)
    report = client.report(TERMINAL, sales(3))
    assert (report.accepted, report.duplicates, report.rejected) == (3, 0, ())
    assert fake.sleeps_s == sleeps_s
    assert_sent_alike(server, attempts=len(faults) + 1)


@pytest.mark.parametrize("fault", [DROP_AFTER_STORING, TRUNCATED_ANSWER], ids=["no answer", "half an answer"])
def test_a_batch_whose_answer_was_lost_counts_as_duplicates(client: Client, server: PosServer, fault: Fault) -> None:
    server.faults.append(fault)
    report = client.report(TERMINAL, sales(3))
    assert (report.count, report.accepted, report.duplicates) == (3, 0, 3)
    assert len(server.records) == 3
    assert_sent_alike(server, attempts=2)


def test_an_answer_that_takes_too_long_is_not_waited_for(server: PosServer, fake: FakeClock) -> None:
    server.faults.append(Fault(stores=True, status=200, delay_s=1.0))
    with Client(server.url, API_KEY, timeout_s=0.2, clock=fake.clock()) as client:
        report = client.report(TERMINAL, sales(3))
    assert report.accepted + report.duplicates == 3
    assert_sent_alike(server, attempts=2)


def test_a_server_that_is_not_there_is_given_up(fake: FakeClock) -> None:
    with serving() as gone:
        url = gone.url
    with (
        Client(url, API_KEY, timeout_s=1, give_up_after_s=20, clock=fake.clock()) as client,
        pytest.raises(GaveUpError, match=r"after 7 attempts in 15\.8 s: .*refused") as caught,
    ):
        client.report(TERMINAL, sales(1))
    assert fake.sleeps_s == [0.25, 0.5, 1, 2, 4, 8]
    assert isinstance(caught.value.__cause__, httpx.ConnectError)


def test_a_server_that_asks_for_too_much_patience_is_given_up_at_once(
    client: Client, server: PosServer, fake: FakeClock
) -> None:
    server.faults.append(refusal(503, Retry_After="3600"))
    with pytest.raises(GaveUpError, match="after 1 attempts") as caught:
        client.report(TERMINAL, sales(1))
    assert fake.sleeps_s == []
    assert isinstance(caught.value.__cause__, ApiError)


def test_each_batch_has_its_own_patience(server: PosServer, fake: FakeClock) -> None:
    server.faults.extend([refusal(503, Retry_After="9"), Fault(stores=True, status=200)] * 3)
    with Client(server.url, API_KEY, timeout_s=5, give_up_after_s=10, clock=fake.clock()) as client:
        assert client.report(TERMINAL, sales(2500)).accepted == 2500
    assert fake.sleeps_s == [9.25] * 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 415, 422, 501])
def test_a_refused_request_is_an_error_and_not_sent_again(
    client: Client, server: PosServer, fake: FakeClock, status: int
) -> None:
    server.faults.append(refusal(status, "terminal_not_yours"))
    with pytest.raises(ApiError, match=f"{status} terminal_not_yours: terminal_not_yours! .request req-1") as caught:
        client.report(TERMINAL, sales(1))
    error = caught.value
    assert (error.status, error.code, error.param) == (status, "terminal_not_yours", "purchases[0]")
    assert (error.message, error.request_id) == ("terminal_not_yours!", "req-1")
    assert error.doc_url == "/docs/errors#terminal_not_yours"
    assert (fake.sleeps_s, len(server.requests)) == ([], 1)


@pytest.mark.parametrize("body", [b"<html>blocked</html>", b"", b"[]", b'{"error": "blocked"}', b"{}"])
def test_a_refusal_in_foreign_words_is_an_error_too(client: Client, server: PosServer, body: bytes) -> None:
    server.faults.append(Fault(status=403, body=body))
    with pytest.raises(ApiError, match="Forbidden, without an error object") as caught:
        client.report(TERMINAL, sales(1))
    assert (caught.value.code, caught.value.param, caught.value.request_id) == ("", None, None)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=200, body=b"<html>sign in</html>"),
        Fault(status=204),
        Fault(status=202, stores=True),
        Fault(status=302, headers={"Location": "/elsewhere"}),
        Fault(status=200, body=TWO_ACCEPTED),
    ],
    ids=["a captive portal", "no content", "a promise", "elsewhere", "more than was sent"],
)
def test_an_answer_that_is_not_the_protocols_is_not_counted(client: Client, server: PosServer, fault: Fault) -> None:
    server.faults.append(fault)
    with pytest.raises(UnexpectedAnswerError):
        client.report(TERMINAL, sales(1))
    assert len(server.requests) == 1


def test_1001_records_are_two_batches_and_positions_run_on(client: Client, server: PosServer) -> None:
    batches: list[Report] = []
    records = [*sales(1000), *sales(1, first_seq=1001, tier="unknown")]
    report = client.report(TERMINAL, iter(records), on_batch=batches.append)
    assert [(batch.first_index, batch.count, batch.accepted) for batch in batches] == [
        (0, 1000, 1000),
        (1000, 1, 0),
    ]
    assert (report.count, report.accepted, report.next_seq) == (1001, 1000, 1002)
    assert [(row.index, row.param) for row in report.rejected] == [(1000, "purchases[1000].lines[0].tier")]


def test_two_mebibytes_are_three_batches_in_order(client: Client, server: PosServer) -> None:
    records = sales(1300, lines=50)
    assert sum(map(len, records)) > 2 * 1024 * 1024
    report = client.report(TERMINAL, records)
    assert (report.count, report.accepted) == (1300, 1300)
    assert b",".join(records) == b",".join(
        request.body.partition(b"[")[2].removesuffix(b"]}") for request in server.requests
    )
    assert len(server.requests) == 3


def test_what_was_acknowledged_before_an_error_has_been_told(client: Client, server: PosServer) -> None:
    told: list[Report] = []
    server.faults.extend([Fault(stores=True, status=200), refusal(422, "chain_broken")])
    with pytest.raises(ApiError) as caught:
        client.report(TERMINAL, sales(1500), on_batch=told.append)
    assert [(batch.first_index, batch.count, batch.accepted) for batch in told] == [(0, 1000, 1000)]
    assert caught.value.param == "purchases[1000]"


def test_nothing_to_report_sends_nothing(client: Client, server: PosServer) -> None:
    assert client.report(TERMINAL, []) == Report()
    assert server.requests == []


@pytest.mark.parametrize(
    ("terminal", "records", "error"),
    [("Tokyo", [b"{}"], FieldError), (TERMINAL, [b'{"seq":'], StoredRecordError)],
)
def test_what_would_spoil_a_batch_is_not_sent(
    client: Client, server: PosServer, terminal: str, records: list[bytes], error: type[KanpuPosError]
) -> None:
    with pytest.raises(error):
        client.report(terminal, records)
    assert server.requests == []


def test_threads_share_one_client(server: PosServer) -> None:
    server.faults.extend([refusal(503, Retry_After="0"), DROP, DROP_AFTER_STORING, refusal(500)])
    start = threading.Barrier(8)
    fake = FakeClock()

    with (
        Client(server.url, API_KEY, timeout_s=20, clock=fake.clock()) as shared,
        ThreadPoolExecutor(8) as pool,
    ):

        def report(number: int) -> Report:
            start.wait()
            return shared.report(f"till-{number}", sales(1500, first_seq=number + 1))

        reports = list(pool.map(report, range(8)))
    assert [each.accepted + each.duplicates for each in reports] == [1500] * 8
    assert [each.next_seq for each in reports] == [1501 + number for number in range(8)]
    assert sum(each.duplicates for each in reports) in (500, 1000)
    assert len(server.records) == 8 * 1500


def test_sealing_keys_are_fetched_without_the_api_key(client: Client, server: PosServer) -> None:
    server.faults.append(refusal(503))
    [key] = client.keys()
    assert (key.id, key.seal_until) == (1, datetime(2099, 1, 1, tzinfo=UTC))
    assert [request.path for request in server.requests] == ["/v1/keys?mode=test"] * 2
    assert all("authorization" not in request.headers for request in server.requests)


def test_a_live_till_fetches_the_live_keys(server: PosServer) -> None:
    with Client(server.url, API_KEY.replace("kp_test_", "kp_live_"), timeout_s=5) as client:
        client.keys()
    assert [request.path for request in server.requests] == ["/v1/keys"]


@pytest.mark.parametrize("body", [b"{}x", b'{"keys": []}', b"[1]", b"null", b'[{"id": 1}]'])
def test_keys_out_of_form_are_not_taken(client: Client, server: PosServer, body: bytes) -> None:
    server.faults.append(Fault(status=200, body=body))
    with pytest.raises(UnexpectedAnswerError):
        client.keys()


@pytest.mark.parametrize(
    ("base_url", "api_key", "options"),
    [
        ("pos.kanpu.example", API_KEY, {}),
        ("ftp://pos.kanpu.example", API_KEY, {}),
        ("https://pos.kanpu.example", "sk_test_1", {}),
        ("https://pos.kanpu.example", f"{API_KEY}\r\nX: y", {}),
        ("https://pos.kanpu.example", API_KEY, {"software": "till"}),
        ("https://pos.kanpu.example", API_KEY, {"software": "a/b/c\r\nX: y"}),
        ("https://pos.kanpu.example", API_KEY, {"timeout_s": 0}),
        ("https://pos.kanpu.example", API_KEY, {"give_up_after_s": -1}),
    ],
)
def test_a_client_that_cannot_work_is_refused_and_its_key_not_told(
    base_url: str, api_key: str, options: dict[str, Any]
) -> None:
    with pytest.raises(SetupError) as caught:
        Client(base_url, api_key, **{"timeout_s": 5, **options})
    assert api_key not in str(caught.value)


def test_a_transport_of_ones_own_is_used() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        terminal = {"next_seq": 2, "missing": []}
        counts = {"accepted": 1, "duplicates": 0, "rejected": 0, "results": [], "terminal": terminal}
        return httpx.Response(200, json=counts)

    transport = httpx.MockTransport(answer)
    with Client("https://pos.kanpu.example/jp", API_KEY, timeout_s=5, transport=transport) as client:
        assert client.report(TERMINAL, sales(1)).accepted == 1
    assert str(seen[0].url) == "https://pos.kanpu.example/jp/v1/purchases"
    assert gzip.decompress(seen[0].content).endswith(b"]}")
