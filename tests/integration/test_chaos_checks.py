"""What `make chaos` holds the outcome against would show a lost, a doubled and an invented purchase."""

from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from apps.accruals.models import Entry, Total
from apps.accruals.operations.counting import count_all
from apps.audit import outside
from tests.chaos.checking import Found, check, told
from tests.chaos.ledger import Note
from tests.till import RawTill, Record, send
from tests.world import TERMINAL, World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def log(tmp_path: Path, settings: Any) -> None:
    settings.KANPU_AUDIT_LOG, settings.KANPU_AUDIT_KEY = tmp_path / "audit", tmp_path / "audit.pem"
    outside.make_key(settings.KANPU_AUDIT_KEY)


def notes_of(world: World, records: list[Record]) -> list[Note]:
    """What the recorder is told of records that were rung up and acknowledged."""
    notes: list[Note] = []
    for record in records:
        kind, lines = record.get("kind", "sale"), [[row["tier"], row["amount"]] for row in record.get("lines", [])]
        of = record.get("of", {}).get("seq")
        about = {"terminal": TERMINAL, "seq": record["seq"]}
        intent = {"kind": kind, "at": record["at"], "lines": lines, "of": of, "resident": str(world.residents[0])}
        notes += [
            {"what": "intent", **about, **intent, "skewed": False},
            {"what": "done", **about},
            {"what": "ack", "terminal": TERMINAL, "records": [[record["seq"], kind, None, ""]]},
        ]
    return notes


@pytest.fixture
def notes(world: World) -> list[Note]:
    till = RawTill(world)
    sales = [till.sale(reduced=1080 + number, standard=10) for number in range(3)]
    till.give_back(sales[0], reduced=80)
    till.void(sales[1])
    send(till)
    count_all()
    return notes_of(world, till.records)


def found(world: World, notes: list[Note]) -> Found:
    return check(told(notes), world.residents, [])


def test_when_all_is_well_nothing_is_found(world: World, notes: list[Note]) -> None:
    outcome = found(world, notes)
    assert outcome.wrong == []
    assert (outcome.lost, outcome.doubled, outcome.counted, outcome.spend_minor) == (0, 0, 3, 1000 + 10 + 1082 + 10)


def test_an_acknowledged_purchase_that_is_not_counted_is_lost(world: World, notes: list[Note]) -> None:
    Entry.objects.filter(seq=3).delete()
    outcome = found(world, notes)
    assert outcome.lost == 1
    assert any("not counted" in words for words in outcome.wrong)


def test_a_record_that_was_rung_up_and_never_acknowledged_is_lost(world: World, notes: list[Note]) -> None:
    outcome = found(world, [*notes, {"what": "done", "terminal": TERMINAL, "seq": 99}])
    assert outcome.lost == 1


def test_an_acknowledged_record_that_is_not_kept_is_lost(world: World, notes: list[Note]) -> None:
    made_up = {"what": "ack", "terminal": TERMINAL, "records": [[99, "void", None, ""]]}
    assert found(world, [*notes, made_up]).lost == 1


def test_a_purchase_that_is_counted_twice_is_doubled(world: World, notes: list[Note]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE again AS SELECT * FROM accruals_entry WHERE seq = 3")
        cursor.execute("UPDATE again SET at = at + interval '1 second'")
        cursor.execute("INSERT INTO accruals_entry SELECT * FROM again")
    assert found(world, notes).doubled == 1


def test_a_total_that_is_off_by_a_yen_is_named(world: World, notes: list[Note]) -> None:
    total = Total.objects.get(resident_ref=world.residents[0], tier="standard")
    total.amounts_minor[7] += 1
    Total.objects.filter(pk=total.pk).update(amounts_minor=total.amounts_minor)
    words = found(world, notes).wrong
    assert any("differ from the recorder's" in one for one in words)
    assert any("differ from its entries" in one for one in words)


def test_a_record_that_was_told_to_be_taken_and_to_be_refused_is_a_contradiction(
    world: World, notes: list[Note]
) -> None:
    refused = {"what": "ack", "terminal": TERMINAL, "records": [[1, "sale", None, "tier_unknown"]]}
    assert any("was ('sale', '')" in words for words in found(world, [*notes, refused]).wrong)
