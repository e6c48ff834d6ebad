"""Each kind of key is replaced while it is in use: by one command, for one host or for many."""

import json
import os
import stat
from datetime import date, datetime
from pathlib import Path

import httpx
import pytest
from django.core.management import CommandError
from django.db import transaction
from django.utils import timezone
from kanpu_pos import VirtualReader

from apps.accruals.operations.counting import count_all
from apps.audit.models import Event
from apps.residents.keyring import KeyringOutdated
from apps.residents.models import Card, SealingKey
from apps.residents.operations import issue_cards, register_residents
from apps.residents.operations.holding import held_vault_keys
from apps.residents.operations.vault import new_vault_record
from apps.residents.queries.vault import (
    resident_by_code,
)
from apps.residents.vault.contents import Identity
from apps.residents.vault.keys import VaultKeysOutdated
from tests.integration.test_counting import report, totals_of
from tests.rotation import KINDS, assert_the_vault_is_whole, key_file, keys_in, old_and_new, rotate, statuses
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("kind", KINDS)
def test_one_command_makes_a_new_key_and_moves_everything_to_it(known: World, web: str, kind: str) -> None:
    report(web, known.api_key, known.sale(reduced=100))
    result = rotate(kind)
    old, new = old_and_new(kind)
    assert (result["key"], result["added"], result["switched_on"], result["damaged"]) == (new, True, True, [])
    found = statuses()
    assert (found[old]["in_use"], found[old]["newest"], found[old]["here"]) == (True, False, "yes")
    assert (found[new]["in_use"], found[new]["newest"], found[new]["here"]) == (True, True, "yes")
    if kind in ("vault", "vault-index", "card-index"):
        assert (found[old]["rows"], found[new]["rows"]) == (0, result["moved"])
        assert result["moved"] > 0
    report(web, known.api_key, known.sale(reduced=200))
    assert count_all() == 2
    assert totals_of(known.residents[0]) == {(1, 4, "reduced"): 300}
    assert_the_vault_is_whole(known)
    assert Event.objects.filter(action="keys.rotate", subject=f"key:{new}").count() == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_file_is_added_to_and_nothing_else_of_it_changes(world: World, kind: str) -> None:
    path = key_file(kind)
    content = json.loads(path.read_text()) | {"note": "kept by the vault's officers"}
    path.write_text(json.dumps(content, indent=3) + "\n")
    path.chmod(0o640)
    before = path.read_text()
    rotate(kind)
    after = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert after.endswith("}\n")
    assert '\n   "note"' in after
    assert json.loads(after)["note"] == content["note"]
    old, new = (keys_in(text) for text in (before, after))
    assert old < new
    assert len(new - old) == 1
    assert os.listdir(path.parent) == [name for name in os.listdir(path.parent) if not name.endswith(".new")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_is_handed_to_all_hosts_before_it_is_used(known: World, web: str, kind: str, tmp_path: Path) -> None:
    old_file = key_file(kind).read_text()
    _, new = old_and_new(kind)
    added = rotate(kind, "--add-only")
    assert (added["key"], added["added"], added["switched_on"]) == (new, True, False)
    assert rotate(kind, "--add-only")["added"] is False
    assert (statuses()[new]["in_use"], statuses()[new]["here"]) == (False, "yes")
    # Nobody uses it yet, whether he has it or not.
    fresh = register_residents([date(2017, 1, 1)], at=timezone.now(), actor="test")[0]
    issue_cards(tmp_path / "new.csv", valid_from=None, at=timezone.now(), actor="test")
    card = Card.objects.get(resident=fresh.pk)
    assert (card.index_version, card.issuer_version, card.key_version) == (1, 1, 1)
    with transaction.atomic():
        row = new_vault_record(held_vault_keys(), fresh.pk, Identity(resident_code="5" * 11))
    assert (row.key_version, row.index_version) == (1, 1)
    used = rotate(kind, "--use")
    assert (used["added"], used["switched_on"], statuses()[new]["newest"]) == (False, True, True)
    with pytest.raises(CommandError, match="no_new_key"):
        rotate(kind, "--use")
    # From now on who has the old file does nothing, until he has the new one.
    new_file = key_file(kind).read_text()
    key_file(kind).write_text(old_file)
    report(web, known.api_key, known.sale(reduced=100))
    if kind.startswith("vault"):
        with pytest.raises(VaultKeysOutdated, match=new):
            resident_by_code("12345678901")
    else:
        with pytest.raises(KeyringOutdated, match=new):
            count_all()
    assert statuses()[new]["here"] == "no"
    key_file(kind).write_text(new_file)
    assert count_all() == 1
    assert_the_vault_is_whole(known)


def test_a_new_sealing_key_is_the_newest_that_tills_see_and_the_old_ones_time_is_cut(world: World, web: str) -> None:
    now = timezone.now()
    with pytest.raises(CommandError, match="overlap_too_long"):
        rotate("sealing", "--seal-days", "10", "--overlap-days", "10")
    rotate("sealing", "--seal-days", "400", "--overlap-days", "7")
    keys = httpx.get(f"{web}/v1/keys").json()
    assert [key["id"] for key in keys] == [1, 3]
    ends = [(datetime.fromisoformat(key["seal_until"]) - now).total_seconds() / 86400 for key in keys]
    assert [round(end) for end in ends] == [7, 400]
    assert VirtualReader(keys).sealing_key(now).id == 3
    rotate("sealing", "--mode", "test")
    assert set(SealingKey.objects.values_list("pk", "mode")) == {(1, "live"), (2, "test"), (3, "live"), (4, "test")}
