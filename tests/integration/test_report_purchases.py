"""POST /v1/purchases over HTTP, on a real server: what is taken, what is refused, and with which words."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.audit.models import Alarm
from apps.merchants.models import ApiKey
from apps.purchases.models import Batch, Purchase, Rejection
from apps.schemes.models import TaxYear
from tests.world import OTHER_TERMINAL, TEST_TERMINAL, World, body

pytestmark = pytest.mark.django_db(transaction=True)


def post(web: str, key: str, content: bytes, **headers: str) -> httpx.Response:
    all_headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"} | headers
    answer = httpx.post(f"{web}/v1/purchases", content=content, headers=all_headers, timeout=30)
    assert UUID(answer.headers["Request-Id"])
    assert answer.headers["Content-Type"] == "application/json"
    return answer


def error_of(answer: httpx.Response) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["message"]
    assert error["doc_url"] == f"/docs/errors#{error['code']}"
    return answer.status_code, error["code"]


def rejections(answer: httpx.Response) -> list[tuple[int, str, str]]:
    assert answer.status_code == 200, answer.text
    return [
        (result["index"], result["error"]["code"], result["error"].get("param"))
        for result in answer.json()["results"]
        if result["status"] == "rejected"
    ]


def plain(seq: int, **changes: Any) -> bytes:
    record = {"seq": seq, "at": "2017-04-03T09:30:00+09:00", "lines": [{"tier": "reduced", "amount": 1080}]}
    return json.dumps(record | changes).encode()


def test_good_records_are_kept_beside_every_kind_of_bad_one(world: World, web: str) -> None:
    ahead = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    records = [
        plain(1),
        plain(2, lines=[{"tier": "gold", "amount": 100}]),
        plain(3, lines=[{"tier": "reduced", "amount": -100}]),
        plain(4, at=ahead),
        plain(5, at="2012-04-03T09:30:00+09:00"),
        plain(6, at="yesterday"),
        b'{"seq": "seven"}',
        b"[]",
        plain(8, kind="return"),
        plain(9, card="kt1.short"),
        plain(10),
    ]
    answer = post(web, world.api_key, body(records))
    assert rejections(answer) == [
        (1, "tier_unknown", "purchases[1].lines[0].tier"),
        (2, "amount_invalid", "purchases[2].lines[0].amount"),
        (3, "from_the_future", "purchases[3].at"),
        (4, "year_not_open", "purchases[4].at"),
        (5, "record_malformed", "purchases[5].at"),
        (6, "record_malformed", "purchases[6].seq"),
        (7, "record_malformed", "purchases[7]"),
        (8, "record_malformed", "purchases[8].of"),
        (9, "record_malformed", "purchases[9].card"),
    ]
    content = answer.json()
    assert (content["accepted"], content["duplicates"], content["rejected"]) == (2, 0, 9)
    assert content["terminal"] == {"next_seq": 11, "missing": [[7, 7]]}
    assert sorted(Purchase.objects.values_list("seq", flat=True)) == [1, 10]
    assert Rejection.objects.count() == 9


def test_the_same_batch_again_is_all_duplicates_and_changes_nothing(world: World, web: str) -> None:
    content = body([world.sale(reduced=1080), world.sale(reduced=540), plain(3, lines=[{"tier": "x", "amount": 1}])])
    first = post(web, world.api_key, content).json()
    again = post(web, world.api_key, content).json()
    assert (first["accepted"], first["rejected"]) == (2, 1)
    assert (again["accepted"], again["duplicates"], again["rejected"]) == (0, 3, 0)
    assert [result["status"] for result in again["results"]] == ["duplicate"] * 3
    assert [result.get("error", {}).get("code") for result in again["results"]] == [None, None, "tier_unknown"]
    assert again["terminal"] == first["terminal"] == {"next_seq": 4, "missing": []}
    assert Purchase.objects.count() == 2


def test_another_content_under_a_known_number_is_refused_with_an_alarm_and_the_first_stays(
    world: World, web: str
) -> None:
    post(web, world.api_key, body([plain(1)]))
    for _ in range(2):
        answer = post(web, world.api_key, body([plain(1, lines=[{"tier": "reduced", "amount": 1}]), plain(2)]))
        assert rejections(answer) == [(0, "seq_conflict", "purchases[0].seq")]
    assert Purchase.objects.get(seq=1).amount_minor == 1080
    assert Alarm.objects.filter(kind="seq_conflict").count() == 1


def test_a_number_sent_twice_in_one_batch_is_taken_once(world: World, web: str) -> None:
    answer = post(web, world.api_key, body([plain(1), plain(1), plain(1, at="2017-04-03T09:30:01+09:00")]))
    assert answer.json()["accepted"] == 1
    assert answer.json()["duplicates"] == 1
    assert rejections(answer) == [(2, "seq_conflict", "purchases[2].seq")]


def test_gaps_are_told_and_close_when_what_is_missing_comes(world: World, web: str) -> None:
    terminal = post(web, world.api_key, body([plain(5), plain(2)])).json()["terminal"]
    assert terminal == {"next_seq": 6, "missing": [[1, 1], [3, 4]]}
    terminal = post(web, world.api_key, body([plain(1), plain(3), plain(4)])).json()["terminal"]
    assert terminal == {"next_seq": 6, "missing": []}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b'{"terminal": "shop-1"}', b'{"terminal": 5, "purchases": []}',
     b'{"terminal": "shop-1", "purchases": {}}', b'\xff\xfe', b'{"terminal": "\xff", "purchases": []}',
     b'{"terminal": "shop-1", "purchases": [}', b"[" * 5000],
)  # fmt: skip
def test_what_is_no_batch_is_malformed(world: World, web: str, content: bytes) -> None:
    assert error_of(post(web, world.api_key, content)) == (400, "malformed")


def test_wrong_keys_and_foreign_terminals_are_refused(world: World, web: str) -> None:
    batch = body([plain(1)])
    assert error_of(post(web, world.api_key[:-1] + "~", batch)) == (401, "key_invalid")
    assert error_of(post(web, "kp_live_" + "x" * 43, batch)) == (401, "key_invalid")
    assert error_of(httpx.post(f"{web}/v1/purchases", content=batch)) == (401, "key_invalid")
    assert error_of(post(web, world.rival_key, batch)) == (403, "terminal_not_yours")
    assert error_of(post(web, world.test_key, batch)) == (403, "terminal_not_yours")
    assert error_of(post(web, world.api_key, body([plain(1)], terminal=OTHER_TERMINAL))) == (
        403,
        "terminal_not_yours",
    )
    assert error_of(post(web, world.api_key, body([], terminal="no-such"))) == (403, "terminal_not_yours")
    ApiKey.objects.update(revoked_at=datetime.now(UTC))
    assert error_of(post(web, world.api_key, batch)) == (401, "key_invalid")
    assert not Purchase.objects.exists()


def test_a_test_key_reports_for_test_terminals(world: World, web: str) -> None:
    answer = post(web, world.test_key, body([plain(1)], terminal=TEST_TERMINAL))
    assert answer.json()["accepted"] == 1


def test_a_batch_has_at_most_a_thousand_records_and_one_mebibyte(world: World, web: str) -> None:
    full = body([plain(seq) for seq in range(1, 1001)])
    over = body([plain(seq) for seq in range(1, 1002)])
    huge = body([plain(seq, note="x" * 2000) for seq in range(1, 1001)])
    assert len(huge) > 2 * 1024 * 1024
    assert error_of(post(web, world.api_key, over)) == (413, "batch_too_large")
    assert error_of(post(web, world.api_key, huge)) == (413, "batch_too_large")
    packed = {"Content-Encoding": "gzip"}
    assert error_of(post(web, world.api_key, gzip.compress(huge), **packed)) == (413, "batch_too_large")
    bomb = gzip.compress(b" " * 200_000_000)
    assert error_of(post(web, world.api_key, bomb, **packed)) == (413, "batch_too_large")
    assert not Purchase.objects.exists()
    assert post(web, world.api_key, gzip.compress(full), **packed).json()["accepted"] == 1000


def test_other_media_types_encodings_addresses_and_methods_get_their_errors(world: World, web: str) -> None:
    batch = body([plain(1)])
    key = world.api_key
    assert error_of(post(web, key, batch, **{"Content-Type": "text/xml"})) == (415, "unsupported_media_type")
    assert error_of(post(web, key, batch, **{"Content-Encoding": "br"})) == (415, "unsupported_media_type")
    assert error_of(post(web, key, batch, **{"Content-Encoding": "gzip"})) == (400, "malformed")
    assert error_of(post(web, key, gzip.compress(batch)[:-9], **{"Content-Encoding": "gzip"})) == (
        400,
        "malformed",
    )
    headers = {"Authorization": f"Bearer {key}"}
    assert error_of(httpx.delete(f"{web}/v1/purchases", headers=headers)) == (405, "method_not_allowed")
    assert error_of(httpx.get(f"{web}/v1/nothing", headers=headers)) == (404, "not_found")


def test_messages_follow_the_language_asked_for(world: World, web: str) -> None:
    batch = body([plain(1, lines=[{"tier": "gold", "amount": 1}])])
    english = post(web, world.api_key, batch, **{"Accept-Language": "en"}).json()["results"][0]["error"]["message"]
    assert "gold" in english
    assert english.isascii()
    japanese = post(
        web,
        world.api_key,
        body([plain(2, lines=[{"tier": "gold", "amount": 1}])]),
        **{"Accept-Language": "ja"},
    ).json()["results"][0]["error"]["message"]
    assert "gold" in japanese
    assert not japanese.isascii()


def test_a_year_past_its_deadline_takes_nothing_more(world: World, web: str) -> None:
    year = TaxYear.objects.get(year=2017)
    TaxYear.objects.filter(year=2017).update(deadline_at=year.ends_at)
    answer = post(web, world.api_key, body([plain(1)]))
    assert rejections(answer) == [(0, "year_closed", "purchases[0].at")]


def test_the_number_of_queries_does_not_grow_with_the_batch(world: World) -> None:
    def queries(first: int, count: int) -> int:
        batch = body([plain(seq) for seq in range(first, first + count)])
        with CaptureQueriesContext(connection) as seen:
            headers = {"Authorization": f"Bearer {world.api_key}"}
            answer = Client().post("/v1/purchases", batch, content_type="application/json", headers=headers)
        assert answer.json()["accepted"] == count
        return len(seen)

    queries(1, 1)
    assert queries(2, 1) == queries(3, 500) <= 10


def test_the_batch_keeps_who_sent_it(world: World, web: str) -> None:
    answer = post(web, world.api_key, body([plain(1)]), **{"Kanpu-Software": "acme/till/9"})
    batch = Batch.objects.get()
    assert batch.software == "acme/till/9"
    assert str(batch.request_id) == answer.headers["Request-Id"]
    assert batch.counted_at is None


def test_sealing_keys_are_public_by_mode(world: World, web: str) -> None:
    live = httpx.get(f"{web}/v1/keys").json()
    test = httpx.get(f"{web}/v1/keys?mode=test").json()
    assert [key["id"] for key in live] == [1]
    assert [key["id"] for key in test] == [2]
    assert set(live[0]) == {"id", "public_key", "seal_until"}


def test_whatever_a_client_says_it_accepts_it_gets_json(world: World, web: str) -> None:
    for accept in ("text/html", "application/xml", "*/*"):
        answer = post(web, world.api_key, body([]), Accept=accept)
        assert (answer.status_code, answer.json()["accepted"]) == (200, 0)
    assert httpx.get(f"{web}/v1/keys?format=xml").status_code == 200
    assert error_of(httpx.get(f"{web}/v1")) == (404, "not_found")
    assert error_of(httpx.get(f"{web}/v1/keys", headers={"Host": "elsewhere.example"})) == (400, "malformed")


def test_a_nul_in_a_terminals_code_is_a_foreign_terminal(world: World, web: str) -> None:
    content = b'{"terminal": "shop-1\\u0000", "purchases": []}'
    assert error_of(post(web, world.api_key, content)) == (403, "terminal_not_yours")


def test_a_lone_surrogate_spoils_its_record_only(world: World, web: str) -> None:
    bad = plain(2).replace(b"reduced", b"\\ud800")
    answer = post(web, world.api_key, body([plain(1), bad, plain(3)]))
    assert [code for _, code, _ in rejections(answer)] == ["record_malformed"]
    assert answer.json()["accepted"] == 2
    assert error_of(post(web, world.api_key, body([plain(4, note=1).replace(b"1}", b"NaN}")]))) == (400, "malformed")


def test_a_body_in_chunks_or_in_several_gzip_members_is_read_whole(world: World, web: str) -> None:
    headers = {"Authorization": f"Bearer {world.api_key}", "Content-Type": "application/json"}
    content = body([plain(1), plain(2)])
    pieces = (content[n : n + 7] for n in range(0, len(content), 7))
    chunked = httpx.post(f"{web}/v1/purchases", content=pieces, headers=headers)
    assert chunked.json()["accepted"] == 2
    members = gzip.compress(content[:40]) + gzip.compress(content[40:])
    assert post(web, world.api_key, members, **{"Content-Encoding": "gzip"}).json()["duplicates"] == 2


def test_a_received_number_is_never_free_again_though_its_record_is_gone(world: World, web: str) -> None:
    post(web, world.api_key, body([plain(1)]))
    Purchase.objects.all().delete()
    assert rejections(post(web, world.api_key, body([plain(1, at="2017-05-01T00:00:00Z")]))) == [
        (0, "seq_conflict", "purchases[0].seq")
    ]
