"""Cards for everybody who needs one: the file is complete or not there, and no committed card's key is ever lost."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from datetime import date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings as django_settings
from django.core.management import CommandError, call_command
from django.db import IntegrityError
from django.utils import timezone

from apps.accruals.operations.counting import count_all
from apps.audit.models import AccessRecord, Event
from apps.residents.models import Card, CardOrder, Resident, VaultRecord
from apps.residents.operations import cards as issuing
from apps.residents.operations import issue_cards, register_residents
from apps.residents.operations.card_life import hand_over, order_card, suspend_cards
from apps.residents.operations.personalisation import PersonalisationFile
from apps.residents.queries import checked_keyring
from apps.residents.queries.vault import checked_vault_keys
from apps.residents.tokens import card_index, card_key
from apps.residents.vault.contents import CARD_TABLE
from apps.residents.vault.sealing import Place, unseal
from tests.integration.test_card_life import at_once
from tests.integration.test_counting import report, totals_of
from tests.vault import enter
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
DAYS = ("2017-01-01", "2017-04-01", "2030-02-01")


@pytest.fixture
def now() -> datetime:
    return timezone.now()


def newcomers(*days: str, **changes: Any) -> list[UUID]:
    residents = register_residents(map(date.fromisoformat, days), at=timezone.now(), actor="test")
    Resident.objects.filter(pk__in=[r.pk for r in residents]).update(**changes) if changes else None
    return [resident.pk for resident in residents]


def rows_of(path: Path) -> dict[UUID, dict[str, str]]:
    with path.open(newline="") as file:
        return {UUID(row["resident_ref"]): row for row in csv.DictReader(file)}


def issue(path: Path, *options: str) -> dict[str, Any]:
    out = StringIO()
    call_command("issue_cards", "--out", str(path), "--json", *options, stdout=out)
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


def check_keys(rows: dict[UUID, dict[str, str]]) -> None:
    """Every row is of a card of its resident, with the key that workers derive, and its number opens in the vault."""
    keyring, vault_keys = checked_keyring(django_settings.KANPU_KEYRING), checked_vault_keys()
    for ref, row in rows.items():
        card_id = bytes.fromhex(row["card_id"])
        card = Card.objects.select_related("resident").get(card_index=card_index(keyring.card_index[1], card_id))
        assert card.resident_id == ref
        assert card_key(keyring.issuer[card.resident.mode, 1], card_id).hex() == row["card_key"]
        place = Place(CARD_TABLE, "sealed_card_id", str(card.pk))
        assert unseal(vault_keys, place, bytes(card.sealed_card_id or b"")) == card_id


def test_who_lives_here_gets_a_first_card_and_who_does_not_gets_none(world: World, tmp_path: Path) -> None:
    here = newcomers(*DAYS)
    newcomers("2017-01-01", resident_to=timezone.localdate())
    leaving = newcomers("2017-01-01", resident_to=timezone.localdate() + timedelta(days=1))
    erased = newcomers("2017-01-01")
    VaultRecord.objects.create(resident_id=erased[0], key_version=1, index_version=1, erased_at=timezone.now())
    result = issue(tmp_path / "new.csv", "--all")
    rows = rows_of(tmp_path / "new.csv")
    assert set(rows) == {*here, *leaving}
    assert (result["cards"], result["first"], result["ordered"]) == (4, 4, 0)
    check_keys(rows)
    assert {row["valid_from"] for row in rows.values()} == set(DAYS)
    assert all(card.active_from == card.valid_from for card in Card.objects.filter(resident__in=here))
    assert os.stat(tmp_path / "new.csv").st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("*.part*"))
    with pytest.raises(CommandError, match="file_exists"):
        issue(tmp_path / "new.csv")
    assert issue(tmp_path / "none.csv")["cards"] == 0


def test_a_card_lasts_ten_years_from_its_issue_however_long_its_holder_lives_here(
    world: World, tmp_path: Path, now: datetime
) -> None:
    newcomers("1980-05-01", "2096-02-29")
    issue(tmp_path / "new.csv")
    today = timezone.localdate(now)
    assert {(row["valid_from"], row["valid_until"]) for row in rows_of(tmp_path / "new.csv").values()} == {
        ("1980-05-01", today.replace(year=today.year + 10, day=min(today.day, 28)).isoformat())
        if (today.month, today.day) == (2, 29)
        else ("1980-05-01", today.replace(year=today.year + 10).isoformat()),
        ("2096-02-29", "2106-02-28"),
    }


def test_with_hand_over_a_first_card_waits_and_one_municipality_at_a_time_can_be_issued(
    world: World, tmp_path: Path, now: datetime
) -> None:
    setagaya, elsewhere = newcomers("2017-01-01", municipality="131121"), newcomers("2017-01-01")
    options = ("--hand-over", "--municipality", "131121", "--valid-from", "2017-02-01")
    assert issue(tmp_path / "new.csv", *options)["cards"] == 1
    card = Card.objects.get(resident=setagaya[0])
    assert (card.active_from, timezone.localdate(card.valid_from)) == (None, date(2017, 2, 1))
    assert not Card.objects.filter(resident__in=elsewhere).exists()
    hand_over(card.pk, documents=["passport"], office="Setagaya", at=now, actor="clerk")
    card.refresh_from_db()
    assert card.active_from == now


def test_what_was_ordered_is_issued_and_waits_for_its_hand_over(world: World, tmp_path: Path, now: datetime) -> None:
    one, two = world.residents
    order_card(one, reason=CardOrder.Reason.LOST, at=now, actor="clerk")
    cancelled = order_card(two, reason=CardOrder.Reason.LOST, at=now, actor="clerk")
    CardOrder.objects.filter(pk=cancelled.pk).update(cancelled_at=now)
    result = issue(tmp_path / "new.csv")
    assert (result["first"], result["ordered"]) == (0, 1)
    rows = rows_of(tmp_path / "new.csv")
    check_keys(rows)
    new = CardOrder.objects.get(resident=one).card
    assert new
    assert (new.active_from, rows[one]["valid_from"]) == (None, timezone.localdate(now).isoformat())
    assert Card.objects.filter(resident=one, active_from__isnull=False, replaced_from=None).count() == 1
    assert Event.objects.filter(action="card.issue").latest("pk").detail["count"] == 1


def test_cards_that_end_soon_are_renewed_once(world: World, tmp_path: Path, now: datetime) -> None:
    one, two = world.residents
    Card.objects.filter(resident=one).update(valid_until=now + timedelta(days=29))
    Card.objects.filter(resident=two).update(valid_until=now - timedelta(days=5))
    later = now + timedelta(days=31)
    Card.objects.filter(resident=world.test_resident).update(valid_until=later)
    assert issue(tmp_path / "none.csv")["cards"] == 0
    assert issue(tmp_path / "new.csv", "--renew-within", "30")["ordered"] == 2
    assert set(CardOrder.objects.values_list("resident", "reason")) == {(one, "expiry"), (two, "expiry")}
    assert issue(tmp_path / "again.csv", "--renew-within", "30")["ordered"] == 0
    new = Card.objects.get(resident=one, active_from=None)
    hand_over(new.pk, documents=["passport"], office="Setagaya", at=now, actor="clerk")
    assert issue(tmp_path / "still.csv", "--renew-within", "30")["ordered"] == 0


def test_codes_are_read_on_request_and_on_record(world: World, tmp_path: Path) -> None:
    with_code, without = newcomers("2017-01-01"), newcomers("2017-01-01")
    enter(with_code[0], code="12345678901")
    assert issue(tmp_path / "plain.csv", "--municipality", "999999")["cards"] == 0
    issue(tmp_path / "new.csv", "--with-codes")
    rows = rows_of(tmp_path / "new.csv")
    assert {ref: rows[ref]["resident_code"] for ref in rows} == {with_code[0]: "12345678901", without[0]: ""}
    record = AccessRecord.objects.get(resident_ref=with_code[0])
    assert (record.what, record.purpose, record.role) == ("vault:resident_code", "card personalisation", "operator")


def test_without_vault_keys_cards_are_issued_without_their_sealed_number(
    world: World, tmp_path: Path, settings: Any
) -> None:
    ref = newcomers("2017-01-01")[0]
    settings.KANPU_VAULT_KEYS = None
    with pytest.raises(CommandError, match="vault_keys_missing"):
        issue(tmp_path / "new.csv", "--with-codes")
    assert not list(tmp_path.glob("new*"))
    assert issue(tmp_path / "new.csv")["cards"] == 1
    card = Card.objects.get(resident=ref)
    assert (card.sealed_card_id, card.key_version) == (None, None)


def test_issued_cards_pay(world: World, web: str, tmp_path: Path, now: datetime) -> None:
    one = world.residents[0]
    suspend_cards(one, lost_since=now, channel="phone", at=now, actor="x")  # type: ignore[arg-type]
    order_card(one, reason=CardOrder.Reason.LOST, at=now, actor="clerk")
    issue(tmp_path / "new.csv", "--valid-from", "2017-01-01")
    new = Card.objects.get(resident=one, active_from=None)
    hand_over(new.pk, documents=["passport"], office="Setagaya", at=now, actor="clerk")
    Card.objects.filter(pk=new.pk).update(active_from=new.valid_from)  # as if it had been there in 2017
    row = rows_of(tmp_path / "new.csv")[one]
    card = world.cards[one]
    card.card_id, card.card_key, card.counter = bytes.fromhex(row["card_id"]), bytes.fromhex(row["card_key"]), 0
    report(web, world.api_key, world.sale(one, reduced=100))
    count_all()
    assert totals_of(one) == {(1, 4, "reduced"): 100}


# --- what dies on the way ---


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuing, "BATCH", 10)


def same_as_cards(path: Path, refs: list[UUID]) -> bool:
    """The file has the key of each resident's one card, and of nobody else's."""
    rows = rows_of(path)
    check_keys(rows)
    return set(rows) == set(refs) and Card.objects.filter(resident__in=refs).count() == len(refs)


def test_a_batch_that_fails_leaves_no_key_on_the_disk_and_the_rest_is_taken_up(
    world: World, tmp_path: Path, small_batches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = newcomers(*["2017-01-01"] * 35)
    path, add = tmp_path / "new.csv", PersonalisationFile.add

    def fail_after_writing(file: Any, rows: Any) -> None:
        add(file, rows)
        if Card.objects.filter(resident__in=refs).count() == 30:
            raise IntegrityError("planted")

    monkeypatch.setattr(PersonalisationFile, "add", fail_after_writing)
    with pytest.raises(IntegrityError):
        issue(path)
    monkeypatch.undo()
    assert not path.exists()
    left = rows_of(tmp_path / "new.csv.part")
    assert len(left) == Card.objects.filter(resident__in=refs).count() == 20
    result = issue(path)
    assert (result["taken_up"], result["first"]) == (20, 15)
    assert same_as_cards(path, refs)


def test_rows_of_cards_that_were_never_committed_are_dropped_cut_off_ones_too(
    world: World, tmp_path: Path, small_batches: None
) -> None:
    refs = newcomers(*["2017-01-01"] * 5)
    path = tmp_path / "new.csv"
    stranger = f"{UUID(int=1)},,{'ab' * 16},{'cd' * 32},2017-01-01,2027-01-01\r\n"
    header = "resident_ref,resident_code,card_id,card_key,valid_from,valid_until\r\n"
    (tmp_path / "new.csv.part").write_text(header + stranger + f"{UUID(int=2)},,{'ab' * 10}")
    assert issue(path)["taken_up"] == 0
    assert same_as_cards(path, refs)


def test_killed_anywhere_it_is_taken_up_and_no_key_is_lost(
    world: World, vault_keys: Path, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refs = newcomers(*["2017-01-01"] * 2_000)
    path = tmp_path / "new.csv"
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "KANPU_KEYRING": str(django_settings.KANPU_KEYRING),
        "KANPU_VAULT_KEYS": str(vault_keys),
    }
    script = (
        "import os, sys, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'config.settings'; django.setup();"
        "from apps.residents.operations import cards; cards.BATCH = 50;"
        "from django.core.management import call_command; call_command('issue_cards', '--out', sys.argv[1], '--json')"
    )
    kills = 0
    for _ in range(20):
        had = Card.objects.count()
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(path)], cwd=django_settings.BASE_DIR, env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        while process.poll() is None and Card.objects.count() < had + 600:
            time.sleep(0.01)
        if process.poll() is not None:
            assert process.returncode == 0
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        assert not path.exists()
    assert kills >= 2
    assert path.exists()
    assert len(rows_of(path)) == 2_000
    assert same_as_cards(path, refs)
    assert not list(tmp_path.glob("new.csv.*"))


def test_only_one_issues_cards_at_a_time(world: World, tmp_path: Path) -> None:
    newcomers("2017-01-01")
    refused: list[Exception | None] = []

    def issue_meanwhile(_done: int, _total: int) -> None:
        refused.extend(at_once(lambda: issue(tmp_path / "other.csv")))

    issue_cards(tmp_path / "new.csv", valid_from=None, at=timezone.now(), actor="test", seen=issue_meanwhile)
    assert "work_running" in str(refused[0])
    assert not (tmp_path / "other.csv").exists()
