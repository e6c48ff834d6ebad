"""What a thief finds who takes everything but the keys: nobody's number, name, address or account, and no shopper."""

import csv
import hashlib
import json
import re
from datetime import date
from pathlib import Path

import httpx
import pytest
from django.conf import settings
from django.utils import timezone
from kanpu_pos import Client

from apps.accruals.models import Entry
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.verifying import verify_run
from apps.residents.models import VaultRecord
from apps.residents.operations.accounts import name_account
from apps.residents.operations.vault import new_vault_record
from apps.residents.queries.vault import checked_vault_keys
from apps.residents.vault.contents import Account, Address, Identity, Person
from apps.residents.vault.keys import VaultKeys
from apps.residents.vault.sealing import keyed_index
from apps.simulator.processes import Processes
from tests import dump
from tests.integration.test_counting import wait_until
from tests.world import OTHER_TERMINAL, TERMINAL, YEAR, World

pytestmark = pytest.mark.django_db(transaction=True)
ACCOUNT = Account("0005", "123", "1", "7654321", "ヨシノ タカコ")
PEOPLE = (
    Identity(
        individual_number="983205673214",
        resident_code="48120975361",
        person=Person("𠮷野 髙子", "ヨシノ タカコ", "YOSHINO TAKAKO", date(1981, 7, 23), "よしたか", "渡邉 髙子"),
        address=Address("155-0031", "東京都世田谷区北沢二丁目８番１号"),
        contact="takako.yoshino@example.jp",
    ),
    Identity(
        individual_number="123456789018",
        person=Person("Maria da Silva", "マリア ダ シルバ", "DA SILVA MARIA", date(1990, 11, 30)),
        address=Address("060-0042", "北海道札幌市中央区大通西１９丁目"),
    ),
)


def secrets_of(identity: Identity) -> set[str]:
    person, address = identity.person, identity.address
    assert person
    assert address
    texts = {identity.individual_number, identity.resident_code, person.name, person.name_kana, person.name_latin}
    texts |= {person.name_alias, person.former_name, address.postal_code, address.address}
    texts |= {person.birth_date.isoformat(), f"{person.birth_date:%Y%m%d}"}
    texts |= {ACCOUNT.number, ACCOUNT.holder}
    return {text for text in (*texts, identity.contact) if text}


def settle_in(world: World) -> None:
    keys = checked_vault_keys()
    for ref, identity in zip(world.residents, PEOPLE, strict=True):
        new_vault_record(keys, ref, identity).save()
    name_account(world.residents[0], ACCOUNT, channel="portal", at=timezone.now(), actor="resident")


def test_a_dump_of_everything_names_nobody_and_ties_no_two_purchases(
    world: World, web: str, web_logs: Path, workers: Processes, tmp_path: Path
) -> None:
    """Two residents buy at two merchants, all is counted, the year is assessed; then everything is taken."""
    settle_in(world)
    answers = {terminal: buy(world, web, terminal) for terminal in (TERMINAL, OTHER_TERMINAL)}
    wait_until(lambda: Entry.objects.count() == 8)
    read_back(world, web, answers)
    freeze(YEAR, actor="test")
    assess_run(YEAR, actor="test")
    assert verify_run(YEAR, actor="test").state == "verified"

    logs = dump.logs(tmp_path) + dump.logs(web_logs)
    everything = "\n".join([dump.database(), dump.in_redis(), logs, *answers.values()])
    for identity in PEOPLE:
        assert not dump.found_in(everything, secrets_of(identity))
    assert dump.found_in(everything + "よしの タカ子 YOSHINO TAKAKO", ["YOSHINO TAKAKO"])  # what stands there is found

    with (tmp_path / "cards.csv").open() as file:
        cards = list(csv.DictReader(file))
    assert not dump.found_in(everything, [row[name] for row in cards for name in ("card_id", "card_key")])
    for ref in map(str, world.residents):  # no shop's side knows a resident by whatever name
        assert ref not in shop_side(answers) + dump.in_redis() + logs
    assert ties(answers) == set()


def buy(world: World, web: str, terminal: str) -> str:
    """Both residents buy twice at a terminal, at times and for amounts of their own. Returns the server's answer."""
    key = world.api_key if terminal == TERMINAL else world.rival_key
    shop = 1 if terminal == TERMINAL else 2
    sales = [
        world.sale(resident, reduced=amount(shop, who, time), at=at(shop, who, time), terminal=terminal)
        for who, resident in enumerate(world.residents)
        for time in range(2)
    ]
    with Client(web, key, timeout_s=30) as client:
        assert client.report(terminal, sales).accepted == 4
    return ""


def amount(shop: int, who: int, time: int) -> int:
    return 10_000 + 1_000 * shop + 100 * who + time


def at(shop: int, who: int, time: int) -> str:
    return f"2017-0{shop + 3}-1{who}T1{time}:{shop}{who}:{time}{shop}+09:00"


def read_back(world: World, web: str, answers: dict[str, str]) -> None:
    """What each merchant's own key is told of its purchases, terminals, keys and tiers."""
    for terminal, key in ((TERMINAL, world.api_key), (OTHER_TERMINAL, world.rival_key)):
        paths = (f"/v1/purchases?terminal={terminal}", f"/v1/terminals/{terminal}")
        for path in paths:
            answer = httpx.get(web + path, headers={"Authorization": f"Bearer {key}"})
            assert answer.status_code == 200, answer.text
            answers[terminal] += answer.text + repr(answer.headers)


def shop_side(answers: dict[str, str]) -> str:
    names = [table for table in dump.tables() if table.startswith(("purchases_", "merchants_"))]
    return "\n".join([*("\n".join(dump.rows(table)) for table in names), *answers.values()])


def ties(answers: dict[str, str]) -> set[str]:
    """Values that one resident's purchases at both merchants have, and none of the other resident's has."""
    by_place: dict[tuple[int, int], str] = {}
    lines = shop_side({}).splitlines() + [json.dumps(row) for answer in answers.values() for row in _objects(answer)]
    for shop in (1, 2):
        for who in (0, 1):
            marks = [str(amount(shop, who, time)) for time in range(2)]
            mine = [line for line in lines if any(mark in line for mark in marks)]
            assert mine
            by_place[shop, who] = "\n".join(mine)
    words = {place: dump.words(text) for place, text in by_place.items()}
    of_one = (words[1, 0] & words[2, 0]) - words[1, 1] - words[2, 1]
    of_two = (words[1, 1] & words[2, 1]) - words[1, 0] - words[2, 0]
    return of_one | of_two


def _objects(answer: str) -> list[object]:
    start = answer.find("{")
    decoded, _ = json.JSONDecoder().raw_decode(answer[start:])
    return list(decoded.get("purchases", decoded.get("data", [])))


def number(eleven: int) -> str:
    """An individual number with its check digit (行政手続番号法施行省令 5条), written apart from the product's rule."""
    digits = [int(c) for c in f"{eleven:011}"][::-1]
    rest = sum(p * (n + 1 if n <= 6 else n - 5) for n, p in enumerate(digits, start=1)) % 11
    return f"{eleven:011}{0 if rest <= 1 else 11 - rest}"


def test_without_the_keys_no_number_is_recovered_from_the_dump(world: World) -> None:
    """100,000 residents; the thief has the dump, the municipality's list of all candidates and the real function."""
    keys, municipality = checked_vault_keys(), [number(12_345_000_000 + 7 * n) for n in range(100_000)]
    known = {keyed_index(keys, "individual_number", text) for text in municipality}
    settle_in(world)
    VaultRecord.objects.filter(resident=world.residents[0]).update(
        individual_number_index=keyed_index(keys, "individual_number", municipality[0])
    )
    stored = known | {bytes(i) for i in VaultRecord.objects.values_list("individual_number_index", flat=True) if i}

    def recovered(guesses: "set[bytes]") -> int:
        return len(stored & guesses)

    for key in thiefs_keys():
        wrong = VaultKeys({1: key}, {1: key})
        assert recovered({keyed_index(wrong, "individual_number", text) for text in municipality}) == 0
    for plain in (hashlib.sha256, hashlib.sha1, hashlib.md5, hashlib.sha3_256, hashlib.blake2s):
        assert recovered({plain(text.encode()).digest() for text in municipality}) == 0
    right = {keyed_index(keys, "individual_number", text) for text in municipality}
    assert recovered(right) == 100_000  # the keys are what it takes


def thiefs_keys() -> set[bytes]:
    """Keys that a dump or a guess offers: none, words, and every 32 bytes that stand in the database."""
    in_dump = {bytes.fromhex(found) for found in re.findall(r"\\x([0-9a-f]{64})\b", dump.database())}
    guessed = {bytes(32), b"kanpu" + bytes(27), hashlib.sha256(b"kanpu").digest(), settings.SECRET_KEY.encode()[:32]}
    return guessed | set(sorted(in_dump)[:6])
