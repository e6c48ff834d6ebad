"""Every code of the error catalogue, provoked over the API."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone
from kanpu_pos import VirtualCard

from apps.accruals.operations.counting import count_all
from apps.merchants import rate_limit
from apps.merchants.catalogue import CATALOGUE
from apps.merchants.models import Merchant
from apps.merchants.operations import Grant, enrol_terminal, issue_key
from apps.residents.models import Card
from apps.schemes.models import TaxYear
from tests.till import RawTill, Record, b64
from tests.world import OTHER_TERMINAL, TERMINAL, World, suspend

pytestmark = pytest.mark.django_db(transaction=True)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SEALED = "sealed-1"
Answer = dict[str, Any]


@dataclass(slots=True)
class Api:
    """A till maker with a live key, and what the API answers."""

    client: Client
    world: World
    monkeypatch: pytest.MonkeyPatch
    till: RawTill

    def ask(self, method: str, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> Answer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {key or self.world.api_key}"} | headers
        kind = headers.pop("content_type", "application/json")
        answer = self.client.generic(method, path, content if body is not None else b"", kind, headers=headers)
        found: Answer = answer.json()
        return found | {"status": answer.status_code}

    def report(self, *records: Record, terminal: str = TERMINAL, **changes: Any) -> Answer:
        return self.ask("POST", "/v1/purchases", {"terminal": terminal, "purchases": list(records), **changes})

    def sealed_till(self) -> RawTill:
        merchant = Merchant.objects.get(name="Shop")
        public_key = KEY.public_key().public_bytes_raw()
        enrol_terminal(merchant, SEALED, public_key=public_key, at=timezone.now(), actor="test")
        return RawTill(self.world, SEALED, KEY)

    def read_back(self) -> str:
        """The one code that workers came to."""
        count_all()
        rows = self.ask("GET", "/v1/purchases")["purchases"]
        return str(next(row["error"]["code"] for row in rows if row["error"]))


@pytest.fixture
def api(world: World, client: Client, monkeypatch: pytest.MonkeyPatch) -> Api:
    return Api(client, world, monkeypatch, RawTill(world))


def whole(answer: Answer, code: str) -> None:
    assert (answer["error"]["code"], answer["status"]) == (code, CATALOGUE[code].status)


def single(answer: Answer, code: str) -> None:
    assert ([result["error"]["code"] for result in answer["results"]], answer["status"]) == ([code], 200)


def rate_limited(api: Api) -> Answer:
    api.monkeypatch.setattr(rate_limit, "BASE_REQUESTS", 0)
    api.monkeypatch.setattr(rate_limit, "REQUESTS_PER_TERMINAL", 0)
    rate_limit.rate_limiter._allowed.clear()
    return api.ask("GET", "/v1/tiers")


def unavailable(api: Api) -> Answer:
    connection.close()
    with api.monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "PORT", "1")  # where nobody listens
        answer = api.ask("GET", "/v1/tiers")
    connection.close()
    return answer


def scope_missing(api: Api) -> Answer:
    merchant = Merchant.objects.get(name="Shop")
    issued = issue_key(merchant, name="reads only", grant=Grant(("read",)), at=timezone.now(), actor="test")
    return api.ask("POST", "/v1/purchases", {"terminal": TERMINAL, "purchases": []}, key=issued.key)


def seal_mismatch(api: Api) -> Answer:
    till = api.sealed_till()
    till.sale(reduced=1)
    content = json.loads(till.batch())
    content["purchases"][0]["lines"][0]["amount"] = 2
    return api.ask("POST", "/v1/purchases", content)


def chain_broken(api: Api) -> Answer:
    till = api.sealed_till()
    till.sale(reduced=1)
    till.sale(reduced=1)
    return api.ask("POST", "/v1/purchases", till.batch(till.records[1:]))


def https_required(api: Api) -> Answer:
    api.monkeypatch.setattr(settings, "SECURE_SSL_REDIRECT", True)
    return api.ask("GET", "/v1/tiers")


WHOLE: dict[str, Callable[[Api], Answer]] = {
    "malformed": lambda api: api.ask("POST", "/v1/purchases", b"{"),
    "key_invalid": lambda api: api.ask("GET", "/v1/tiers", key="kp_live_" + "x" * 43),
    "https_required": https_required,
    "terminal_not_yours": lambda api: api.report(terminal=OTHER_TERMINAL),
    "test_mode_only": lambda api: api.ask("GET", "/v1/test/cards"),
    "scope_missing": scope_missing,
    "merchant_not_yours": lambda api: api.ask("POST", "/v1/terminals", {"code": "x-1", "store": "x", "merchant": 0}),
    "enrolment_code_invalid": lambda api: api.ask(
        "POST", f"/v1/terminals/{TERMINAL}/key", {"enrolment_code": "x" * 26, "public_key": b64(bytes(range(32)))}
    ),
    "not_found": lambda api: api.ask("GET", "/v1/nothing"),
    "method_not_allowed": lambda api: api.ask("DELETE", "/v1/purchases"),
    "batch_too_large": lambda api: api.report(*[{"seq": n} for n in range(1001)]),
    "unsupported_media_type": lambda api: api.ask("POST", "/v1/purchases", b"{}", content_type="text/xml"),
    "seal_missing": lambda api: api.report(api.sealed_till().sale(reduced=1), terminal=SEALED),
    "chain_broken": chain_broken,
    "seal_mismatch": seal_mismatch,
    "rate_limited": rate_limited,
    "unavailable": unavailable,
}


def seq_conflict(api: Api) -> Answer:
    sale = api.till.sale(reduced=1)
    api.report(sale)
    return api.report(sale | {"lines": [{"tier": "reduced", "amount": 2}]})


def year_closed(api: Api) -> Answer:
    TaxYear.objects.filter(year=2017).update(deadline_at=timezone.now() - timedelta(seconds=1))
    return api.report(api.till.sale(reduced=1))


def tier_not_in_force(api: Api) -> Answer:
    document = TaxYear.objects.get(year=2017).scheme_version.scheme()
    assert min(tier.rates[0].from_date for tier in document.tiers).year == 2015
    with connection.cursor() as cursor:  # a year that began before the scheme's tiers had a rate
        cursor.execute(
            "INSERT INTO schemes_taxyear SELECT (jsonb_populate_record(t, %s::jsonb)).*"
            " FROM schemes_taxyear t WHERE year = 2017",
            [json.dumps({"year": 2014, "starts_at": "2014-01-01T00:00+09:00", "ends_at": "2015-01-01T00:00+09:00"})],
        )
    return api.report(api.till.sale(reduced=1, at="2014-04-03T09:30:00+09:00"))


SINGLE: dict[str, Callable[[Api], Answer]] = {
    "seq_conflict": seq_conflict,
    "record_malformed": lambda api: api.report({"seq": 1, "at": "some day"}),
    "year_not_open": lambda api: api.report(api.till.sale(reduced=1, at="2012-04-03T09:30:00+09:00")),
    "year_closed": year_closed,
    "from_the_future": lambda api: api.report(
        api.till.unused(at=(datetime.now(UTC) + timedelta(minutes=11)).isoformat())
    ),
    "tier_unknown": lambda api: api.report(api.till.sale(gold=1)),
    "tier_not_in_force": tier_not_in_force,
    "amount_invalid": lambda api: api.report(api.till.sale(reduced=0)),
    "card_and_claim": lambda api: api.report(api.till.sale(reduced=1) | {"claim": "A" * 43}),
    "terminal_invalid": lambda api: api.ask("POST", "/v1/terminals", {"code": "Not A Code", "store": "x"}),
    "terminal_code_taken": lambda api: api.ask("POST", "/v1/terminals", {"code": OTHER_TERMINAL, "store": "x"}),
}


def tapped(api: Api, card: VirtualCard, *, seq: int = 1) -> None:
    """Report a sale with the token of this card, sealed for a number."""
    sale = api.till.sale(reduced=1)
    now = datetime.now(UTC)
    api.report(sale | {"card": api.world.readers["live"].seal(card, terminal=TERMINAL, seq=seq, now=now)})


def lost_card(api: Api) -> None:
    suspend(api.world.residents[0], datetime(2017, 1, 2, tzinfo=UTC))
    with_card(api)


def with_card(api: Api, **state: datetime) -> None:
    """Report a sale with a card of this state."""
    Card.objects.filter(resident_id=api.world.residents[0]).update(**state)
    api.report(api.till.sale(reduced=1))


def twice_tapped(api: Api) -> None:
    card = api.world.cards[api.world.residents[0]]
    tapped(api, card)
    card.counter -= 2  # a copy that is behind; making the sale taps it once more
    tapped(api, card, seq=2)


def returned(api: Api) -> None:
    sale = api.till.sale(reduced=1)
    api.report(sale, api.till.give_back(sale, reduced=2))


def voided_twice(api: Api) -> None:
    sale = api.till.sale(reduced=1)
    api.report(sale, api.till.void(sale), api.till.void(sale))


def voided_unused(api: Api) -> None:
    unused = api.till.unused()
    api.report(unused, api.till.void(unused))


LATER: dict[str, Callable[[Api], None]] = {
    "card_unknown": lambda api: tapped(api, VirtualCard(bytes(16), bytes(32))),
    "cryptogram_wrong": lambda api: tapped(api, api.world.cards[api.world.residents[0]], seq=2),
    "card_not_valid": lambda api: with_card(api, valid_until=datetime(2017, 1, 2, tzinfo=UTC)),
    "card_suspended": lost_card,
    "card_replaced": lambda api: with_card(api, replaced_from=datetime(2017, 1, 2, tzinfo=UTC)),
    "card_cloned": twice_tapped,
    "return_exceeds_sale": returned,
    "already_void": voided_twice,
    "of_not_a_sale": voided_unused,
}


def test_no_code_is_left_out() -> None:
    assert WHOLE.keys() | SINGLE.keys() | LATER.keys() == CATALOGUE.keys()
    assert WHOLE.keys() == {code for code, entry in CATALOGUE.items() if entry.status}


@pytest.mark.parametrize("code", WHOLE)
def test_a_request_that_is_refused_as_a_whole(api: Api, code: str) -> None:
    whole(WHOLE[code](api), code)


@pytest.mark.parametrize("code", SINGLE)
def test_a_record_that_is_refused(api: Api, code: str) -> None:
    single(SINGLE[code](api), code)


@pytest.mark.parametrize("code", LATER)
def test_a_record_that_workers_decide_on(api: Api, code: str) -> None:
    LATER[code](api)
    assert api.read_back() == code
