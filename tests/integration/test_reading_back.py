"""Reading back: what became of a merchant's records, where its terminals stand, which tiers are in force."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from kanpu_pos import VirtualCard

from apps.accruals.operations.counting import count_all
from apps.merchants.models import Merchant
from apps.merchants.operations import enrol_terminal
from apps.purchases.models import Batch
from tests.till import DAY, SECOND, RawTill, send
from tests.world import OTHER_TERMINAL, TERMINAL, TEST_TERMINAL, World, suspend

pytestmark = pytest.mark.django_db(transaction=True)


def get(web: str, key: str, path: str, **params: Any) -> httpx.Response:
    return httpx.get(f"{web}{path}", params=params or None, headers={"Authorization": f"Bearer {key}"}, timeout=30)


def read(web: str, key: str, **params: Any) -> list[dict[str, Any]]:
    answer = get(web, key, "/v1/purchases", **params)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["purchases"]
    return rows


def numbers(rows: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(row["terminal"], row["seq"]) for row in rows]


@pytest.fixture
def till(world: World) -> RawTill:
    return RawTill(world)


def test_every_status_is_read_back_with_its_reason_and_never_a_resident(world: World, web: str, till: RawTill) -> None:
    suspend(world.residents[1], datetime(2017, 1, 2, tzinfo=UTC))
    sale = till.sale(reduced=1000)
    till.sale(world.residents[1], reduced=1)
    till.sale(foood=5)
    till.give_back(sale, reduced=2000)
    till.sale(claim="A" * 43, reduced=7)
    voided = till.sale(reduced=9)
    till.void(voided)
    till.correct({"seq": 4}, reduced=1)  # a return's correction
    till.records.append({"seq": 9, "at": "some day"})
    send(till)
    count_all()
    till.sale(reduced=3)
    early = till.void({"seq": 4})
    send(till, early)
    rows = read(web, world.api_key)
    assert [(row["seq"], row["status"], row["error"] and row["error"]["code"]) for row in rows] == [
        (1, "counted", None),
        (2, "held", "card_suspended"),
        (3, "rejected", "tier_unknown"),
        (4, "counted", None),
        (5, "unclaimed", None),
        (6, "voided", None),
        (7, "counted", None),
        (8, "counted", None),
        (9, "rejected", "record_malformed"),
        (11, "received", None),
    ]
    assert rows[0] | {"received_at": "", "changed_at": ""} == {
        "terminal": TERMINAL, "seq": 1, "kind": "sale", "at": DAY, "of": None,
        "lines": [{"tier": "reduced", "amount": 1000}], "status": "counted", "error": None,
        "received_at": "", "changed_at": "",
    }  # fmt: skip
    assert rows[3]["of"] == {"terminal": TERMINAL, "seq": 1}
    text = str(rows)
    assert not any(str(resident) in text for resident in world.residents)
    assert "kt1." not in text


def test_a_return_before_its_sale_is_waiting(world: World, web: str, till: RawTill) -> None:
    sale = till.sale(reduced=1000)
    send(till, till.give_back(sale, reduced=1))
    assert [row["status"] for row in read(web, world.api_key)] == ["received"]
    count_all()
    assert [row["status"] for row in read(web, world.api_key)] == ["waiting"]


def test_an_excess_return_says_what_is_left_in_the_readers_language(world: World, web: str, till: RawTill) -> None:
    till.give_back(till.sale(reduced=1000), reduced=1001)
    send(till)
    count_all()
    headers = {"Authorization": f"Bearer {world.api_key}", "Accept-Language": "ja"}
    answer = httpx.get(f"{web}/v1/purchases?status=rejected", headers=headers, timeout=30)
    assert answer.json()["purchases"][0]["error"]["message"] == "返品が売上の残りを超えています（残り：reduced=1000）。"


def test_pages_follow_each_other_over_all_terminals(world: World, web: str, till: RawTill) -> None:
    enrol_terminal(Merchant.objects.get(name="Shop"), SECOND, at=timezone.now(), actor="test")
    other = RawTill(world, SECOND)
    for _ in range(5):
        till.sale(reduced=1)
        other.sale(foood=1)
    send(till)
    send(other)
    seen, cursor = [], None
    for _ in range(10):
        answer = get(web, world.api_key, "/v1/purchases", limit=3, **({"cursor": cursor} if cursor else {})).json()
        seen += numbers(answer["purchases"])
        cursor = answer["next_cursor"]
        if cursor is None:
            break
    assert seen == [(code, seq) for code in (TERMINAL, SECOND) for seq in range(1, 6)]


def test_filters(world: World, web: str, till: RawTill) -> None:
    for _ in range(3):
        till.sale(reduced=1)
    till.sale(foood=1)
    send(till)
    count_all()
    middle = timezone.now()
    Batch.objects.update(counted_at=middle - timedelta(seconds=1))
    voided = till.void({"seq": 2})
    send(till, voided)
    count_all()
    key = world.api_key

    def seqs(**params: Any) -> list[int]:
        return [row["seq"] for row in read(web, key, **params)]

    assert seqs(terminal=TERMINAL, from_seq=3) == [3, 4, 5]
    assert seqs(status="counted") == [1, 3, 5]
    assert seqs(status="rejected") == [4]
    assert seqs(status="voided") == [2]
    assert seqs(changed_after=middle.isoformat()) == [2, 5]
    assert seqs(changed_after=middle.isoformat(), status="voided") == [2]
    assert seqs(changed_after=(middle + timedelta(hours=1)).isoformat()) == []


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"status": "lost"}, "status"),
        ({"limit": 0}, "limit"),
        ({"limit": 1001}, "limit"),
        ({"limit": "many"}, "limit"),
        ({"from_seq": 1}, "from_seq"),
        ({"terminal": TERMINAL, "from_seq": 2**31}, "from_seq"),
        ({"changed_after": "yesterday"}, "changed_after"),
        ({"cursor": "WzEsMiwzXQ"}, "cursor"),
        ({"cursor": "é"}, "cursor"),
    ],
)
def test_a_parameter_that_is_none_is_named(world: World, web: str, params: dict[str, Any], param: str) -> None:
    answer = get(web, world.api_key, "/v1/purchases", **params)
    assert (answer.status_code, answer.json()["error"]["code"], answer.json()["error"]["param"]) == (
        400, "malformed", param,
    )  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/purchases?terminal={}", "/v1/terminals/{}"])
@pytest.mark.parametrize("terminal", [OTHER_TERMINAL, TEST_TERMINAL, "nobody-1", "Not-A-Code"])
def test_other_merchants_terminals_are_as_if_they_were_not(world: World, web: str, path: str, terminal: str) -> None:
    answer = get(web, world.api_key, path.format(terminal))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "terminal_not_yours")


def test_a_terminal_says_where_it_stands(world: World, web: str, till: RawTill) -> None:
    first, _, third = till.sale(reduced=10), till.sale(reduced=20), till.sale(reduced=30)
    closing = till.close(reduced=61)
    send(till, first, third, closing)
    count_all()
    seen = get(web, world.api_key, f"/v1/terminals/{TERMINAL}").json()
    assert (seen["next_seq"], seen["missing"], seen["sealed"], seen["head"]) == (5, [[2, 2]], False, None)
    assert (seen["last_closing"]["seq"], seen["last_closing"]["agrees"]) == (4, None)
    send(till)
    count_all()
    seen = get(web, world.api_key, f"/v1/terminals/{TERMINAL}").json()
    assert seen["last_closing"] | {"at": ""} == {
        "seq": 4, "at": "", "year": 2017, "agrees": False,
        "differences": [{"tier": "reduced", "reported": 61, "recorded": 60}],
    }  # fmt: skip


def test_tiers_in_force_on_a_day(world: World, web: str) -> None:
    tiers = get(web, world.api_key, "/v1/tiers", on="2017-04-03").json()
    assert (tiers["scheme"], tiers["currency"], tiers["collected"]) == ("jp-2015", "JPY", "0.10")
    assert [(tier["code"], tier["rate"]) for tier in tiers["tiers"]] == [("reduced", "0.08"), ("standard", "0.10")]
    assert tiers["tiers"][0]["name"] == {"ja": "飲食料品", "en": "Food and drink"}
    assert get(web, world.api_key, "/v1/tiers").status_code == 200
    assert get(web, world.api_key, "/v1/tiers", on="2012-01-01").status_code == 404
    assert get(web, world.api_key, "/v1/tiers", on="someday").json()["error"]["param"] == "on"
    assert get(web, "kp_test_nobody", "/v1/tiers").status_code == 401


def test_the_published_cards_do_what_they_are_for(world: World, web: str) -> None:
    cards = get(web, world.test_key, "/v1/test/cards").json()
    assert get(web, world.api_key, "/v1/test/cards").json()["error"]["code"] == "test_mode_only"
    till = RawTill(world, TEST_TERMINAL)
    for _ in range(2):  # two developers, each with counters of his own
        for card in cards:
            chip = VirtualCard.from_hex(card["card_id"], card["card_key"])
            sale = till.sale(reduced=100)
            now = datetime.now(UTC)
            sale["card"] = world.readers["test"].seal(chip, terminal=TEST_TERMINAL, seq=sale["seq"], now=now)
    send(till)
    count_all()
    rows = read(web, world.test_key)
    found = [(row["status"], row["error"] and row["error"]["code"]) for row in rows]
    assert found == [(card["expect"]["status"], card["expect"]["code"]) for card in cards] * 2


def test_reading_back_costs_the_same_queries_however_much_there_is(world: World, till: RawTill, client: Client) -> None:
    def queries(path: str) -> int:
        headers = {"Authorization": f"Bearer {world.api_key}"}
        client.get(path, headers=headers)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(path, headers=headers).status_code == 200
        return len(captured)

    paths = [
        "/v1/purchases",
        f"/v1/purchases?terminal={TERMINAL}",
        f"/v1/terminals/{TERMINAL}",
        "/v1/tiers?on=2017-04-03",
    ]
    till.sale(reduced=1)
    send(till)
    few = [queries(path) for path in paths]
    merchant = Merchant.objects.get(name="Shop")
    for number in range(20):
        enrol_terminal(merchant, f"many-{number}", at=timezone.now(), actor="test")
        more = RawTill(world, f"many-{number}")
        more.sale(reduced=1)
        more.close(reduced=1)
        send(more)
    count_all()
    assert [queries(path) for path in paths] == few
    assert max(few) <= 5
