"""Enrolling terminals: over HTTP one or a thousand, and the keys that tills register themselves."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.audit.models import Alarm, Event
from apps.merchants.catalogue import error_object
from apps.merchants.enrolment import COLUMNS, Defect, Known, is_same, read_terminal
from apps.merchants.keys import CROCKFORD, enrolment_code_hash, new_enrolment_code, public_key_text
from apps.merchants.models import EnrolmentCode, Merchant, Mode, Store, Terminal, TerminalKey
from apps.merchants.operations import (
    Grant,
    authorise_vendor,
    create_vendor,
    issue_key,
    issue_vendor_key,
    withdraw_authorisation,
)
from tests.world import OTHER_TERMINAL, TERMINAL, World

pytestmark = pytest.mark.django_db(transaction=True)
KEY = public_key_text(bytes(range(32)))
OTHER_KEY = public_key_text(bytes(range(1, 33)))


def post(web: str, key: str | None, path: str, content: Any = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.post(f"{web}{path}", json={} if content is None else content, headers=headers, timeout=60)


def enrol(web: str, key: str, *terminals: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    answer = post(web, key, "/v1/terminals", {"terminals": terminals, **more})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    assert [result["index"] for result in results] == list(range(len(terminals)))
    return results


def error_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def statuses(results: list[dict[str, Any]]) -> list[str]:
    return [result["error"]["code"] if "error" in result else result["status"] for result in results]


def row(code: str, **changes: Any) -> dict[str, Any]:
    return {"code": code, "store": "Shibuya"} | changes


# --- enrolling over HTTP ---


def test_one_terminal_is_enrolled_and_its_till_registers_a_key(world: World, web: str) -> None:
    answer = post(web, world.api_key, "/v1/terminals", row("shop-2", region="13", latitude=35.658581, longitude=-0.5))
    content = answer.json()
    assert (answer.status_code, content["enrolled"], content["rejected"]) == (200, 1, 0)
    assert answer.headers["Cache-Control"] == "no-store"
    terminal = Terminal.objects.get(code="shop-2")
    assert (terminal.merchant.name, terminal.store.name, terminal.region) == ("Shop", "Shibuya", "13")
    assert (terminal.latitude, terminal.longitude) == (Decimal("35.65858"), Decimal("-0.5"))
    code = content["results"][0]["enrolment_code"]
    assert code.encode() not in bytes(EnrolmentCode.objects.get().sha256)
    typed = f"{code[:5]}-{code[5:]}".lower()
    answer = post(web, None, "/v1/terminals/shop-2/key", {"enrolment_code": typed, "public_key": KEY})
    assert (answer.status_code, answer.json()) == (200, {"code": "shop-2", "public_key": KEY})
    terminal.refresh_from_db()
    assert bytes(terminal.public_key or b"") == bytes(range(32))
    assert list(Event.objects.filter(subject="terminal:shop-2").order_by("pk").values_list("action", flat=True)) == [
        "terminal.enrol",
        "terminal.key",
    ]
    assert not Alarm.objects.exists()


def test_good_terminals_are_enrolled_beside_bad_ones(world: World, web: str) -> None:
    results = enrol(
        web,
        world.api_key,
        row("shop-2", public_key=KEY),
        row("Shop 3"),
        row("shop-4", store=" \t "),
        row("shop-5", latitude=35.6),
        row("shop-6", latitude=91, longitude=0),
        row("shop-7", public_key=KEY + "="),
        {"code": "shop-8"},
        row(OTHER_TERMINAL),
        row("shop-9", replaces="nowhere"),
        "shop-10",  # type: ignore[arg-type]
        row("shop-11", region="Tōkyō"),
        row("shop-12"),
    )
    invalid = "terminal_invalid"
    assert statuses(results) == [
        "enrolled", invalid, invalid, invalid, invalid, invalid, invalid, "terminal_code_taken", invalid, invalid,
        invalid, "enrolled",
    ]  # fmt: skip
    assert [result["error"].get("param") for result in results if "error" in result] == [
        "terminals[1].code",
        "terminals[2].store",
        "terminals[3].latitude",
        "terminals[4].latitude",
        "terminals[5].public_key",
        "terminals[6]",
        "terminals[7].code",
        "terminals[8].replaces",
        "terminals[9]",
        "terminals[10].region",
    ]
    assert "enrolment_code" not in results[0]
    assert "enrolment_code" in results[11]
    assert set(Terminal.objects.filter(merchant__name="Shop").values_list("code", flat=True)) == {
        TERMINAL,
        "shop-2",
        "shop-12",
    }
    assert TerminalKey.objects.get().terminal.code == "shop-2"


def test_the_same_again_exists_and_anything_else_under_a_code_is_refused(world: World, web: str) -> None:
    first = row("shop-2", latitude=35.65858, longitude=139.7, public_key=KEY, replaces=TERMINAL)
    assert statuses(enrol(web, world.api_key, first, row("shop-3"), row("shop-3"), row("shop-3", region="1"))) == [
        "enrolled", "enrolled", "exists", "terminal_code_taken",
    ]  # fmt: skip
    before = Event.objects.count()
    assert statuses(enrol(web, world.api_key, first, row("shop-3"))) == ["exists", "exists"]
    for change in ({"store": "Ginza"}, {"latitude": 35.6}, {"public_key": OTHER_KEY}, {"replaces": None}):
        assert statuses(enrol(web, world.api_key, first | change)) == ["terminal_code_taken"]
    assert statuses(enrol(web, world.rival_key, row("shop-3"))) == ["terminal_code_taken"]
    assert Event.objects.count() == before
    assert not Store.objects.filter(name="Ginza").exists()


def test_a_terminal_whose_till_registered_a_key_since_is_still_the_same(world: World, web: str) -> None:
    (result,) = enrol(web, world.api_key, row("shop-2"))
    code = result["enrolment_code"]
    post(web, None, "/v1/terminals/shop-2/key", {"enrolment_code": code, "public_key": KEY})
    (again,) = enrol(web, world.api_key, row("shop-2"))
    assert again == {"index": 0, "code": "shop-2", "status": "exists"}


def test_a_till_is_replaced_once_and_by_its_own_merchant(world: World, web: str) -> None:
    assert statuses(enrol(web, world.rival_key, row("rival-2", replaces=TERMINAL))) == ["terminal_invalid"]
    results = enrol(web, world.api_key, row("shop-2", replaces=TERMINAL), row("shop-3", replaces=TERMINAL))
    assert statuses(results) == ["enrolled", "terminal_invalid"]
    assert statuses(enrol(web, world.api_key, row("shop-4", replaces=TERMINAL))) == ["terminal_invalid"]
    old = Terminal.objects.get(code=TERMINAL)
    assert (old.replaced_by and old.replaced_by.code, bool(old.replaced_at)) == ("shop-2", True)
    with pytest.raises(IntegrityError, match="replaced_by_another"), transaction.atomic():
        Terminal.objects.filter(code="shop-2").update(replaced_by_id=Terminal.objects.get(code="shop-2").pk)


@pytest.mark.parametrize(
    "content", ["", "[]", "5", '{"terminals": {}}', '{"terminals": null}', '{"merchant": "x", "code": "a"}', "[" * 9999]
)
def test_what_is_no_enrolment_is_malformed(world: World, content: str) -> None:
    headers = {"Authorization": f"Bearer {world.api_key}"}
    answer = Client().post("/v1/terminals", content, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed")


def test_a_thousand_terminals_take_as_many_queries_as_one(world: World) -> None:
    def queries(*terminals: dict[str, Any]) -> int:
        with CaptureQueriesContext(connection) as seen:
            headers = {"Authorization": f"Bearer {world.api_key}"}
            answer = Client().post(
                "/v1/terminals", {"terminals": terminals}, content_type="application/json", headers=headers
            )
        assert answer.json()["enrolled"] == len(terminals)
        return len(seen)

    queries(row("warm-up"))
    for kind in ({}, {"public_key": KEY}):
        one = queries(row(f"one-{len(kind)}", store="One", **kind))
        many = queries(*(row(f"many-{len(kind)}-{n}", store=f"Store {n % 50}", **kind) for n in range(999)))
        assert one == many <= 13
    one = queries(row("new-one", replaces="one-0"))
    many = queries(*(row(f"new-{n}", replaces=f"many-0-{n}") for n in range(999)))
    assert one == many <= 15
    headers = {"Authorization": f"Bearer {world.api_key}"}
    too_many = {"terminals": [row(f"x-{n}") for n in range(1001)]}
    answer = Client().post("/v1/terminals", too_many, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "batch_too_large")


def test_two_requests_that_enrol_one_code_at_once_agree_on_whose_it_is(world: World, web: str) -> None:
    terminals = [row(f"race-{n}") for n in range(40)]
    with ThreadPoolExecutor(4) as pool:
        turns = [(world.api_key, terminals), (world.rival_key, terminals[::-1])] * 2
        answers = list(pool.map(lambda turn: enrol(web, turn[0], *turn[1]), turns))
    for code in (terminal["code"] for terminal in terminals):
        said = [result["status"] for results in answers for result in results if result["code"] == code]
        assert sorted(said) == ["enrolled", "exists", "rejected", "rejected"]


# --- keys that see a part ---


def test_a_key_limited_to_stores_enrols_only_there(world: World, web: str) -> None:
    enrol(web, world.api_key, row("shibuya-1"), row("ginza-1", store="Ginza"))
    shop = Merchant.objects.get(name="Shop")
    grant = Grant(stores=[Store.objects.get(name="Shibuya")])
    key = issue_key(shop, name="Shibuya", grant=grant, at=timezone.now(), actor="test").key
    results = enrol(
        web, key, row("shibuya-2"), row("ginza-2", store="Ginza"), row("shibuya-3", replaces="ginza-1"),
        row("shibuya-4", replaces="shibuya-1"),
    )  # fmt: skip
    assert statuses(results) == ["enrolled", "terminal_invalid", "terminal_invalid", "enrolled"]
    assert post(web, key, "/v1/terminals/shibuya-1/enrolment-codes").status_code == 200
    assert error_of(post(web, key, "/v1/terminals/ginza-1/enrolment-codes")) == (403, "terminal_not_yours")


def test_a_vendors_key_names_the_merchant_that_authorised_it(world: World, web: str) -> None:
    now = timezone.now()
    vendor = create_vendor("Acme", conformance_required=False, at=now, actor="test")
    key = issue_vendor_key(vendor, mode=Mode.LIVE, name="x", at=now, actor="test").key
    shop, rival, tests = (Merchant.objects.get(name=name) for name in ("Shop", "Rival", "Tests"))
    for merchant in (shop, tests):
        authorise_vendor(vendor, merchant, at=now, actor="test")
    (result,) = enrol(web, key, row("shop-2"), merchant=shop.pk)
    assert Terminal.objects.get(code="shop-2").merchant == shop
    answer = post(web, key, "/v1/terminals", row("shop-3", merchant=shop.pk))
    assert answer.json()["enrolled"] == 1
    for number in (None, rival.pk, tests.pk, 999_999):  # not named, did not authorise, of another mode, nobody
        answer = post(web, key, "/v1/terminals", {"terminals": [row("shop-4")], "merchant": number})
        assert error_of(answer) == (403, "merchant_not_yours")
        assert answer.json()["error"]["param"] == "merchant"
    assert post(web, key, "/v1/terminals/shop-2/enrolment-codes").status_code == 200
    assert error_of(post(web, key, f"/v1/terminals/{OTHER_TERMINAL}/enrolment-codes")) == (403, "terminal_not_yours")
    withdraw_authorisation(vendor, shop, at=now, actor="test")
    assert error_of(post(web, key, "/v1/terminals/shop-2/enrolment-codes")) == (403, "terminal_not_yours")
    assert error_of(post(web, world.api_key, "/v1/terminals", row("a", merchant=rival.pk))) == (
        403,
        "merchant_not_yours",
    )
    assert result["status"] == "enrolled"


# --- one-time codes and keys ---


def new_code(web: str, world: World, terminal: str = TERMINAL) -> str:
    answer = post(web, world.api_key, f"/v1/terminals/{terminal}/enrolment-codes")
    assert answer.status_code == 200
    assert set(answer.json()) == {"code", "enrolment_code", "expires_at"}
    code: str = answer.json()["enrolment_code"]
    return code


def register(web: str, code: str, key: str = KEY, terminal: str = TERMINAL) -> httpx.Response:
    return post(web, None, f"/v1/terminals/{terminal}/key", {"enrolment_code": code, "public_key": key})


def test_a_rivals_terminal_looks_like_an_unknown_one(world: World, web: str) -> None:
    answers = [
        post(web, world.api_key, f"/v1/terminals/{code}/enrolment-codes")
        for code in (OTHER_TERMINAL, "test-1", "unknown-1")
    ]
    assert {error_of(answer) for answer in answers} == {(403, "terminal_not_yours")}
    code = new_code(web, world)
    answers = [register(web, code, terminal=terminal) for terminal in (OTHER_TERMINAL, "unknown-1")]
    answers += [register(web, "A" * 26), register(web, "")]
    assert {error_of(answer) for answer in answers} == {(403, "enrolment_code_invalid")}
    assert register(web, code).status_code == 200


def test_a_code_registers_one_key(world: World, web: str) -> None:
    code = new_code(web, world)
    assert register(web, code).status_code == 200
    assert register(web, code).status_code == 200  # the first answer may have been lost
    assert error_of(register(web, code, OTHER_KEY)) == (403, "enrolment_code_invalid")
    assert TerminalKey.objects.count() == 1
    assert not Alarm.objects.exists()


def test_a_code_ends_after_two_days_and_with_the_next_one(world: World, web: str) -> None:
    first, second = new_code(web, world), new_code(web, world)
    assert error_of(register(web, first)) == (403, "enrolment_code_invalid")
    lasts = EnrolmentCode.objects.latest("pk").expires_at - timezone.now()
    assert timedelta(hours=47) < lasts <= timedelta(hours=48)
    EnrolmentCode.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert error_of(register(web, second)) == (403, "enrolment_code_invalid")


def test_a_key_over_an_earlier_one_raises_an_alarm_and_the_earlier_is_kept(world: World, web: str) -> None:
    register(web, new_code(web, world))
    register(web, new_code(web, world))  # the same key again is no change
    assert not Alarm.objects.exists()
    register(web, new_code(web, world), OTHER_KEY)
    alarm = Alarm.objects.get(kind="terminal_rekeyed")
    assert alarm.key.startswith(TERMINAL)
    kept = TerminalKey.objects.order_by("registered_at").values_list("public_key", "superseded_at")
    assert [(bytes(key)[0], ended is None) for key, ended in kept] == [(0, False), (1, True)]


def test_a_code_used_twice_at_once_registers_one_key(world: World, web: str) -> None:
    code = new_code(web, world)
    keys = [public_key_text(bytes([n]) * 32) for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda key: register(web, code, key), keys))
    won = [key for key, answer in zip(keys, answers, strict=True) if answer.status_code == 200]
    assert len(won) == 1
    assert public_key_text(bytes(TerminalKey.objects.get().public_key)) == won[0]
    assert sorted(answer.status_code for answer in answers) == [200, 403, 403, 403]


@pytest.mark.parametrize("content", [{}, {"enrolment_code": 5, "public_key": KEY}, [], {"enrolment_code": "x"}])
def test_what_is_no_registration_is_malformed(world: World, web: str, content: Any) -> None:
    assert error_of(post(web, None, f"/v1/terminals/{TERMINAL}/key", content)) == (400, "malformed")


@pytest.mark.parametrize("key", ["", KEY[:-1], KEY + "A", KEY[:-1] + "!", "鍵" * 43, KEY[:-1] + "_"])
def test_a_key_is_32_bytes_in_one_spelling(world: World, web: str, key: str) -> None:
    answer = register(web, new_code(web, world), key)
    assert (*error_of(answer), answer.json()["error"]["param"]) == (400, "malformed", "public_key")


@given(st.text(CROCKFORD, min_size=26, max_size=26), st.sampled_from(["", "-", " "]), st.data())
def test_a_code_is_the_same_however_it_is_typed(code: str, separator: str, data: st.DataObject) -> None:
    misread = {"0": "0Oo", "1": "1IiLl"}
    typed = separator.join(data.draw(st.sampled_from(misread.get(c, c + c.lower()))) for c in code)
    assert enrolment_code_hash(typed) == enrolment_code_hash(code)
    assert enrolment_code_hash(typed[:-1]) != enrolment_code_hash(code)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80) | st.just(KEY) | st.just("a-1")


@given(st.dictionaries(st.sampled_from(COLUMNS), VALUES) | VALUES | st.lists(VALUES))
def test_whatever_is_sent_is_a_terminal_or_a_defect_in_words(fields: object) -> None:
    read = read_terminal(fields)
    if isinstance(read, Defect):
        assert error_object(read.code, value=read.value, reason=read.reason)["message"]
    else:
        again = {"code": read.code, "store": read.store, "region": read.region, "replaces": read.replaces}
        if read.place:
            again |= {"latitude": str(read.place[0]), "longitude": str(read.place[1])}
        if read.public_key:
            again["public_key"] = public_key_text(read.public_key)
        assert read_terminal(again) == read
        assert is_same(Known(1, read), 1, read)
        assert not is_same(Known(2, read), 1, read)


def test_codes_are_random_and_hold_128_bits() -> None:
    codes = {new_enrolment_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert {len(code) for code in codes} == {26}
    assert {code[0] for code in codes} <= set("01234567")  # 130 bits in 26 characters: two are always 0
