"""What is read, written, counted and stopped while keys are rotated comes out as without."""

import json
import threading
from collections.abc import Collection
from datetime import date
from io import StringIO
from pathlib import Path
from time import sleep
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone
from kanpu_pos import VirtualCard, VirtualReader

from apps.accruals.models import Entry
from apps.accruals.operations.counting import count_all
from apps.audit.models import Alarm
from apps.audit.operations import record_accesses
from apps.purchases.models import Outcome
from apps.residents.judging import CardRecord
from apps.residents.keyring import KeyringOutdated, load_keyring
from apps.residents.models import Card, SealingKey, TestCard, VaultRecord
from apps.residents.operations import issue_cards, moving, register_residents, rotating
from apps.residents.operations.holding import hold_vault_keys
from apps.residents.queries import cards_by_index
from apps.residents.queries.vault import (
    ResidentUnknown,
    checked_vault_keys,
    read_vault,
    resident_by_code,
)
from apps.residents.recognition import SealedTap, recognise
from apps.residents.vault.contents import CARD_TABLE
from apps.residents.vault.keys import VaultKeysOutdated
from apps.residents.vault.sealing import Place, keyed_indexes, seal
from tests.integration.test_card_life import at_once
from tests.integration.test_counting import outcomes, report, totals_of
from tests.rotation import assert_the_vault_is_whole, key_file, old_and_new, rotate, statuses
from tests.till import b64
from tests.vault import DESK, HOME
from tests.world import TEST_TERMINAL, World

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_card_whose_index_moves_while_its_purchase_is_counted_is_not_called_unknown(
    world: World, web: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker has looked at its keys; then every card moves; then it looks for the card."""
    report(web, world.api_key, world.sale(reduced=100))

    def look_up_too_late(indexes: Collection[bytes]) -> dict[bytes, CardRecord]:
        monkeypatch.undo()
        assert at_once(lambda: rotate("card-index")) == [None]
        return cards_by_index(indexes)

    monkeypatch.setattr("apps.residents.recognition.cards_by_index", look_up_too_late)
    with pytest.raises(KeyringOutdated, match="changed meanwhile"):
        count_all()
    assert not Outcome.objects.exists()
    assert count_all() == 1
    assert Entry.objects.count() == 1


@pytest.mark.parametrize("kind", ["issuer", "sealing"])
def test_what_is_of_a_key_that_the_worker_has_not_seen_yet_is_not_rejected(world: World, kind: str) -> None:
    keys_of_before, reader, one = load_keyring(key_file(kind)), world.readers["live"], world.residents[0]
    rotate(kind)
    if kind == "issuer":
        Card.objects.filter(resident=one).update(issuer_version=2)
    else:
        key = SealingKey.objects.get(pk=3)
        reader = VirtualReader(
            [{"id": 3, "public_key": b64(bytes(key.public_key)), "seal_until": key.seal_until.isoformat()}]
        )
    now = timezone.now()
    token = reader.seal(world.cards[one], terminal="shop-1", seq=1, now=now)
    tap = SealedTap(token, "shop-1", 1, now, timezone.localdate(now), "live")
    with pytest.raises(KeyringOutdated, match="changed meanwhile"):
        recognise(keys_of_before, [tap])


def test_who_looks_for_a_resident_while_indexes_move_finds_them(known: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys were looked at; then the index moved; then the row is looked for."""

    def rotate_first(*arguments: Any) -> list[bytes]:
        monkeypatch.undo()
        found = keyed_indexes(*arguments)
        assert at_once(lambda: rotate("vault-index")) == [None]
        return found

    monkeypatch.setattr("apps.residents.queries.vault.keyed_indexes", rotate_first)
    assert resident_by_code("12345678901") == known.residents[0]
    with pytest.raises(ResidentUnknown):
        resident_by_code("12345678902")


def test_who_reads_a_row_while_it_is_sealed_anew_reads_it(known: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def rotate_first(*arguments: Any, **named: Any) -> None:
        record_accesses(*arguments, **named)
        assert at_once(lambda: rotate("vault")) == [None]

    monkeypatch.setattr("apps.residents.queries.vault.record_accesses", rotate_first)
    ref = known.residents[0]
    assert read_vault([ref], ["address"], access=DESK, at=timezone.now())[ref].address == HOME


def test_a_row_that_somebody_writes_is_left_until_it_is_free(known: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the rotation, and it waits for nobody with rows in its hands."""
    ref, waited = known.residents[0], threading.Event()

    def pause(_seconds: object) -> None:
        waited.set()
        sleep(0.02)

    monkeypatch.setattr("apps.residents.operations.moving.time.sleep", pause)

    def write() -> None:
        with transaction.atomic():
            VaultRecord.objects.select_for_update().get(pk=ref)
            assert waited.wait(20)
            assert VaultRecord.objects.filter(key_version=2).count() == 2
            with transaction.atomic():
                VaultRecord.objects.filter(pk=ref).update(resident_code=None, resident_code_index=None)

    def rotate_when_held() -> None:
        while not locks_held(ref):
            sleep(0.01)
        rotate("vault")

    assert at_once(write, rotate_when_held) == [None, None]
    row = VaultRecord.objects.get(pk=ref)
    assert (row.key_version, row.resident_code) == (2, None)


def test_a_new_key_waits_for_who_looks_and_then_writes_and_long_work_learns_of_it(known: World) -> None:
    """An import that looked under the old index only would take somebody whose row has moved for a newcomer."""
    keys, looking, ended = checked_vault_keys(), threading.Event(), []

    def look_and_write() -> None:
        with transaction.atomic():
            hold_vault_keys(keys)
            looking.set()
            sleep(0.5)
            assert resident_by_code("12345678901") == known.residents[0]
            assert VaultRecord.objects.filter(index_version=1).count() == 3
            ended.append("writer")

    def rotate_meanwhile() -> None:
        assert looking.wait(20)
        rotate("vault-index")
        ended.append("rotation")

    assert at_once(look_and_write, rotate_meanwhile) == [None, None]
    assert ended == ["writer", "rotation"]
    with pytest.raises(VaultKeysOutdated, match="changed meanwhile"), transaction.atomic():
        hold_vault_keys(keys)


def locks_held(ref: UUID) -> bool:
    with transaction.atomic():
        return not VaultRecord.objects.select_for_update(skip_locked=True).filter(pk=ref).exists()


@pytest.mark.parametrize("kind", ["card-index", "vault", "vault-index"])
def test_stopped_anywhere_it_goes_on_when_called_again(
    known: World, web: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register_residents([date(2017, 1, 1)] * 30, at=timezone.now(), actor="test")
    issue_cards(tmp_path / "more.csv", valid_from=None, at=timezone.now(), actor="test")
    monkeypatch.setattr(moving, "BATCH", 2)
    moves = moving._write
    stops = 0
    for page in (0, 0, 1, 3):
        left = [page]

        def stop(*arguments: Any, left: list[int] = left) -> None:
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            moves(*arguments)

        monkeypatch.setattr(moving, "_write", stop)
        try:
            rotate(kind)
        except KeyboardInterrupt:
            stops += 1
        report(web, known.api_key, known.sale(reduced=100))
        assert count_all() == 1
        assert_the_vault_is_whole(known)
    monkeypatch.setattr(moving, "_write", moves)
    assert stops >= 2
    finished = rotate(kind)
    old, new = old_and_new(kind)
    if stops == 4:
        assert (finished["key"], finished["added"], finished["switched_on"]) == (new, False, False)
    assert statuses()[old]["rows"] == 0
    assert not Outcome.objects.exists()
    assert_the_vault_is_whole(known)


def test_what_was_added_but_not_switched_on_is_taken_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotating, "_switch_on", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        rotate("sealing")
    monkeypatch.undo()
    result = rotate("sealing")
    assert (result["version"], result["added"], result["switched_on"]) == (3, False, True)
    assert sorted(load_keyring(key_file("sealing")).sealing) == [1, 2, 3]


def test_a_damaged_row_is_named_and_the_rest_is_moved(known: World) -> None:
    one, two = known.residents
    other = VaultRecord.objects.get(pk=two)
    VaultRecord.objects.filter(pk=one).update(address=other.address)
    card = Card.objects.get(resident=one)
    Card.objects.filter(pk=card.pk).update(sealed_card_id=Card.objects.get(resident=two).sealed_card_id)
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("rotate_keys", "vault", "--json", stdout=out)
    damaged = json.loads(out.getvalue())["damaged"]
    assert len(damaged) == 2
    assert str(one) in damaged[0]
    assert f"residents_card {card.pk}" in damaged[1]
    assert VaultRecord.objects.get(pk=two).key_version == 2
    assert VaultRecord.objects.get(pk=one).key_version == 1


def test_a_number_that_is_another_cards_is_not_indexed(world: World) -> None:
    """Sealed for its place by somebody who has the keys, and yet not the number that the card is known by."""
    card = Card.objects.get(resident=world.residents[0])
    keys = checked_vault_keys()
    place = Place(CARD_TABLE, "sealed_card_id", str(card.pk))
    Card.objects.filter(pk=card.pk).update(sealed_card_id=seal(keys, place, bytes(16)))
    with pytest.raises(SystemExit):
        call_command("rotate_keys", "card-index", "--json", stdout=StringIO())
    card.refresh_from_db()
    assert card.index_version == 1


def test_a_copied_card_shows_after_its_index_has_changed(world: World, web: str) -> None:
    one = world.residents[0]
    copy = VirtualCard(world.cards[one].card_id, world.cards[one].card_key)
    report(web, world.api_key, world.sale(reduced=100))
    count_all()
    rotate("card-index")
    world.cards[one] = copy
    report(web, world.api_key, world.sale(reduced=200), world.sale(reduced=400))
    count_all()
    assert totals_of(one) == {(1, 4, "reduced"): 100 + 400}
    assert outcomes() == {2: "held card_cloned"}
    assert Alarm.objects.filter(kind="card_cloned").count() == 1


def test_published_cards_keep_working_after_their_index_and_keys_have_changed(world: World, web: str) -> None:
    for kind in ("card-index", "card-index", "issuer", "sealing"):
        rotate(kind, "--mode", "test")
    for name, seq in (("standard", 1), ("held", 2), ("unknown", 3), ("cloned", 4)):
        card = TestCard.objects.get(name=name)
        world.cards[world.test_resident] = VirtualCard(bytes(card.card_id), bytes(card.card_key))
        sale = world.sale(world.test_resident, reduced=100, terminal=TEST_TERMINAL, mode="test", seq=seq)
        report(web, world.test_key, sale, terminal=TEST_TERMINAL)
    count_all()
    assert outcomes() == {2: "held card_suspended", 3: "rejected card_unknown", 4: "held card_cloned"}
