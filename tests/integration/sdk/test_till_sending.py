"""A till and a server on a local port that drops, refuses, forgets and knows better."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from kanpu_pos import (
    ApiError,
    ChainError,
    Client,
    Clock,
    GaveUpError,
    Till,
    TillError,
    base64url,
    digest_0,
    digests,
    from_json,
    line,
)

from .misbehaving import DROP, DROP_AFTER_STORING, Fault, PosServer, refusal, serving

TERMINAL = "tokyo-0001-03"
LINES = (("reduced", 1100),)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def server() -> Iterator[PosServer]:
    with serving() as running:
        yield running


@pytest.fixture
def till(server: PosServer, tmp_path: Path) -> Iterator[Till]:
    clock = Clock(uniform=lambda low, high: 0.05)
    client = Client(server.url, "kp_test_0123456789abcdef", timeout_s=5, give_up_after_s=0.5, clock=clock)
    with client, Till(tmp_path / "till.db", terminal=TERMINAL, client=client) as opened:
        yield opened


@pytest.fixture
def sealed(till: Till) -> Till:
    till.use_key(KEY)
    return till


def sell(till: Till, count: int) -> None:
    for _ in range(count):
        till.sell(LINES)


def heads(server: PosServer) -> list[bytes]:
    """The digests after the records that the server has, the one before them first."""
    stored = [record for _, record in sorted(server.records.items())]
    lines = [line(from_json(json.dumps(record).encode())) for record in stored]
    return [digest_0(TERMINAL), *digests(digest_0(TERMINAL), lines)]


def seqs_sent(server: PosServer) -> list[list[int]]:
    bodies = [json.loads(request.body) for request in server.requests]
    return [[record["seq"] for record in body["purchases"]] for body in bodies]


def broken(next_seq: int, head: bytes) -> Any:
    return refusal(422, "chain_broken", details={"next_seq": next_seq, "head": base64url.encode(head)})


def test_what_was_sold_offline_is_sent_once(till: Till, server: PosServer) -> None:
    sell(till, 1001)
    seen: list[tuple[int, int]] = []
    sent = till.send(lambda done, in_all: seen.append((done, in_all)))
    assert (sent.count, sent.rejected) == (1001, 0)
    assert seen == [(1000, 1001), (1001, 1001)]
    assert till.send().count == 0
    assert sum(map(len, seqs_sent(server))) == 1001
    assert till.status().waiting == 0


def test_each_batch_of_a_sealed_till_bears_its_seal(sealed: Till, server: PosServer) -> None:
    sell(sealed, 1001)
    sealed.send()
    chain = heads(server)
    for request, after in zip(server.requests, (1000, 1001), strict=True):
        seal = json.loads(request.body)["seal"]
        assert seal["head"] == base64url.encode(chain[after])
        public_key = Ed25519PublicKey.from_public_bytes(KEY.public_key().public_bytes_raw())
        public_key.verify(base64url.decode(seal["signature"]), chain[after])


def test_an_answer_that_was_lost_costs_nothing(till: Till, server: PosServer) -> None:
    sell(till, 3)
    server.faults.extend([DROP, DROP_AFTER_STORING])
    assert till.send().count == 3
    assert seqs_sent(server) == [[1, 2, 3]] * 3
    assert len(server.records) == 3


def test_records_wait_while_the_server_is_away(till: Till, server: PosServer) -> None:
    sell(till, 2)
    server.faults.extend([refusal(503)] * 20)
    with pytest.raises(GaveUpError):
        till.send()
    assert till.status().waiting == 2
    server.faults.clear()
    assert till.send().count == 2


def test_rejections_are_kept_and_shown(till: Till) -> None:
    till.sell(LINES)
    till.sell((("unknown", 5),))
    assert till.send().rejected == 1
    status = till.status()
    assert (status.waiting, status.rejected_count) == (0, 1)
    assert status.rejected == ((2, "tier_unknown", "no such tier"),)


def test_a_server_that_was_set_back_gets_what_it_lost_again(sealed: Till, server: PosServer) -> None:
    sell(sealed, 5)
    sealed.send()
    chain = heads(server)
    for seq in (4, 5):
        del server.records[TERMINAL, seq]
    sealed.sell(LINES)
    server.requests.clear()
    server.faults.append(broken(4, chain[3]))
    assert sealed.send().count == 3
    assert seqs_sent(server) == [[6], [4, 5, 6]]
    assert len(server.records) == 6


def test_a_server_that_has_more_of_ours_than_we_knew_is_believed(sealed: Till, server: PosServer) -> None:
    sell(sealed, 3)
    server.faults.extend([DROP_AFTER_STORING, *[refusal(503)] * 20])
    with pytest.raises(GaveUpError):
        sealed.send()
    server.faults.clear()
    sealed.sell(LINES)
    server.requests.clear()
    server.faults.append(broken(4, heads(server)[3]))
    sealed.send()
    assert seqs_sent(server) == [[1, 2, 3, 4], [4]]
    assert sealed.status().waiting == 0


@pytest.mark.parametrize(
    "fault",
    [
        broken(3, b"x" * 32),
        broken(9, b"x" * 32),
        refusal(422, "seal_mismatch"),
        refusal(422, "chain_broken", details={"next_seq": 3, "head": None}),
    ],
    ids=["other records", "more than we have", "another key", "no head"],
)
def test_what_cannot_be_mended_stops_with_what_to_do(sealed: Till, server: PosServer, fault: Any) -> None:
    sell(sealed, 3)
    server.faults.append(fault)
    with pytest.raises(ChainError, match="enrol it with a new one-time code"):
        sealed.send()
    assert sealed.status().waiting == 3
    assert sealed.sell(LINES).seq == 4  # it can sell all the same


def test_a_chain_that_stays_broken_is_given_up(sealed: Till, server: PosServer) -> None:
    sell(sealed, 3)
    server.faults.extend([broken(1, digest_0(TERMINAL))] * 5)
    with pytest.raises(ChainError):
        sealed.send()
    assert len(server.requests) == 2


def test_a_till_without_a_key_is_told_to_enrol(till: Till, server: PosServer) -> None:
    till.sell(LINES)
    server.faults.append(refusal(422, "seal_missing"))
    with pytest.raises(ChainError, match="enrol it with a one-time code"):
        till.send()


def test_without_seals_a_server_that_was_set_back_gets_what_it_misses(till: Till, server: PosServer) -> None:
    sell(till, 5)
    till.send()
    for seq in (2, 4, 5):
        del server.records[TERMINAL, seq]
    till.sell(LINES)
    till.send()
    assert sorted(seq for _, seq in server.records) == [1, 2, 3, 4, 5, 6]


def test_an_error_of_the_whole_request_is_raised_and_nothing_is_marked(till: Till, server: PosServer) -> None:
    till.sell(LINES)
    server.faults.append(refusal(403, "terminal_not_yours"))
    with pytest.raises(ApiError, match="terminal_not_yours"):
        till.send()
    assert till.status().waiting == 1


def test_keys_and_tiers_are_kept_for_the_time_without_a_network(till: Till, server: PosServer) -> None:
    assert till.status().keys_until is None
    till.refresh()
    server.shutdown()
    status = till.status()
    assert (status.keys_until, status.tiers_on) == (datetime(2099, 1, 1, tzinfo=UTC), date(2017, 4, 3))
    sold = till.sell(LINES, at="2017-04-03T09:30:00+09:00")
    assert sold.expected_refund_minor == 20
    assert "飲食料品  ¥1,100" in sold.receipt_text("ja")
    assert till.sell(LINES, at="2017-04-02T23:59:59+09:00").expected_refund_minor is None


def wait_until(true: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_in_the_background_records_are_sent_as_they_come_and_keys_fetched(till: Till, server: PosServer) -> None:
    till.start()
    sell(till, 20)
    wait_until(lambda: len(server.records) == 20 and till.status().keys_until is not None)
    till.sell(LINES)
    wait_until(lambda: till.status().waiting == 0)
    assert till.status().last_error is None


def test_in_the_background_a_failure_is_shown_and_tried_again(till: Till, server: PosServer) -> None:
    server.faults.extend([refusal(403, "terminal_not_yours")] * 3)
    till.sell(LINES)
    till.start()
    wait_until(lambda: "terminal_not_yours" in (till.status().last_error or ""))
    wait_until(lambda: till.status().waiting == 0)


def test_in_the_background_a_refresh_that_fails_holds_up_no_sending(till: Till, server: PosServer) -> None:
    till.sell(LINES)
    server.faults.extend([Fault(stores=True, status=200), refusal(404, "not_found")])
    till.start()
    wait_until(lambda: "not_found" in (till.status().last_error or ""))
    started_s = time.monotonic()
    for _ in range(5):
        till.sell(LINES)
        wait_until(lambda: till.status().waiting == 0)
    assert time.monotonic() - started_s < 2


def test_a_key_is_not_changed_under_records(till: Till) -> None:
    till.use_key(KEY)
    till.use_key(KEY)
    with pytest.raises(TillError, match="enrol it"):
        till.use_key(Ed25519PrivateKey.generate())
