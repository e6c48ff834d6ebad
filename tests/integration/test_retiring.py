"""An old key goes when nothing needs it any more, and not before."""

import json
import os
import re
import threading
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import transaction
from django.utils import timezone

from apps.accruals.operations.counting import count_all
from apps.audit.models import Event
from apps.residents.key_documents import Kind
from apps.residents.models import Card, KeyFingerprint, SealingKey, VaultRecord
from apps.residents.operations import issue_cards, register_residents, rotating
from apps.residents.operations.holding import held_vault_keys
from apps.residents.operations.moving import HOLDINGS
from apps.residents.queries.key_status import TABLES
from apps.schemes.models import TaxYear
from tests.integration.test_card_life import at_once
from tests.integration.test_counting import outcomes, report, totals_of
from tests.rotation import KINDS, assert_the_vault_is_whole, command, key_file, keys_in, old_and_new, rotate, statuses
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_newest_key_and_one_that_is_needed_are_not_retired(known: World, kind: str) -> None:
    with pytest.raises(CommandError, match=r"is the newest.*key_in_use"):
        rotate(kind, "--retire", "1", "--force")
    with pytest.raises(CommandError, match="key_unknown"):
        rotate(kind, "--retire", "9")
    rotate(kind, "--add-only")
    rotate(kind, "--use")
    if kind in ("sealing", "issuer"):
        with pytest.raises(CommandError, match=r"may come until .*key_in_use"):
            rotate(kind, "--retire", "1")
    else:
        table, column = TABLES[Kind(kind)][0]
        table._default_manager.filter(pk=table._default_manager.order_by("pk").values("pk")[:1]).update(**{column: 1})
        with pytest.raises(CommandError, match=r"1 rows stand under .*key_in_use"):
            rotate(kind, "--retire", "1", "--force")
    assert statuses()[old_and_new(kind)[0]]["in_use"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_retired_key_is_gone_from_the_database_and_the_file_and_nothing_misses_it(
    known: World, web: str, kind: str
) -> None:
    report(web, known.api_key, known.sale(reduced=100))
    count_all()
    before = key_file(kind).read_text()
    rotate(kind)
    force = ["--force"] if kind in ("sealing", "issuer") else []
    result = rotate(kind, "--retire", "1", *force)
    old, new = old_and_new(kind)
    assert (result["key"], result["was_in_use"], result["was_in_file"]) == (old, True, True)
    assert old not in statuses()
    assert_the_vault_is_whole(known)
    if kind in ("sealing", "issuer"):  # what was forced: cards of the old key count no more
        report(web, known.api_key, known.sale(reduced=200))
        count_all()
        assert outcomes() == {2: "rejected cryptogram_wrong"}
    else:
        report(web, known.api_key, known.sale(reduced=200))
        count_all()
        assert totals_of(known.residents[0]) == {(1, 4, "reduced"): 300}
    # Another host still has the old key in its file: nobody uses it, and it can be taken out there as well.
    content, new_content = json.loads(before), json.loads(key_file(kind).read_text())
    assert keys_in(before) - keys_in(json.dumps(new_content))
    key_file(kind).write_text(json.dumps(merged(content, new_content)))
    assert (statuses()[old]["in_use"], statuses()[old]["newest"]) == (False, False)
    again = rotate(kind, "--retire", "1")
    assert (again["was_in_use"], again["was_in_file"]) == (False, True)
    assert rotate(kind)["version"] > int(new.rsplit(" ", 1)[1])


def merged(one: dict[str, Any], two: dict[str, Any]) -> dict[str, Any]:
    """A document with the keys of both."""
    return {
        name: one[name] | two[name]
        if isinstance(one[name], dict)
        else [*one[name], *(key for key in two[name] if key not in one[name])]
        for name in one
    }


def test_a_sealing_key_may_go_when_no_till_can_send_what_was_sealed_to_it(known: World) -> None:
    rotate("sealing", "--overlap-days", "0")
    with pytest.raises(CommandError, match=r"may come until .*key_in_use"):
        rotate("sealing", "--retire", "1")
    TaxYear.objects.exclude(year=2017).delete()
    TaxYear.objects.update(deadline_at=datetime(2018, 4, 1, tzinfo=UTC))
    rotate("sealing", "--retire", "1")
    assert not SealingKey.objects.get(pk=1).seal_until > timezone.now()
    assert rotate("sealing")["version"] == 4


def test_an_issuer_key_may_go_when_its_cards_have_ended_and_their_years_are_closed(known: World) -> None:
    rotate("issuer")
    Card.objects.filter(resident__mode="live").update(valid_until=datetime(2017, 6, 1, tzinfo=UTC))
    with pytest.raises(CommandError, match="key_in_use"):
        rotate("issuer", "--retire", "1")
    TaxYear.objects.filter(year=2017).update(deadline_at=datetime(2018, 4, 1, tzinfo=UTC))
    rotate("issuer", "--retire", "1")


def test_cards_that_were_issued_without_vault_keys_keep_their_index_key_until_they_end(
    world: World, settings: Any, tmp_path: Path
) -> None:
    vault_file, settings.KANPU_VAULT_KEYS = settings.KANPU_VAULT_KEYS, None
    ref = register_residents([date(2017, 1, 1)], at=timezone.now(), actor="test")[0].pk
    issue_cards(tmp_path / "new.csv", valid_from=None, at=timezone.now(), actor="test")
    with pytest.raises(CommandError, match="vault_keys_missing"):
        rotate("card-index")
    settings.KANPU_VAULT_KEYS = vault_file
    rotate("card-index")
    assert Card.objects.get(index_version=1).resident_id == ref
    with pytest.raises(CommandError, match="key_in_use"):
        rotate("card-index", "--retire", "1")
    assert rotate("card-index")["version"] == 3
    Card.objects.filter(resident=ref).update(valid_until=timezone.now())
    rotate("card-index", "--retire", "1")


def test_a_key_is_not_retired_before_who_writes_under_it_has_ended(known: World) -> None:
    rotate("vault")
    writing, go_on = threading.Event(), threading.Event()
    ended: list[str] = []

    def write() -> None:
        with transaction.atomic():
            held_vault_keys()
            writing.set()
            assert go_on.wait(20)
            VaultRecord.objects.filter(pk=known.residents[0]).update(key_version=1)
            ended.append("writer")

    def retire() -> None:
        assert writing.wait(20)
        threading.Timer(0.3, go_on.set).start()
        try:
            rotate("vault", "--retire", "1")
        finally:
            ended.append("retire")

    raised = at_once(write, retire)
    assert ended == ["writer", "retire"]
    assert raised[0] is None
    assert "1 rows stand under" in str(raised[1])


def test_only_one_rotates_at_a_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[Exception | None] = []
    add = rotating._add

    def add_while_another_tries(change: rotating.Change) -> int:
        refused.extend(at_once(lambda: rotate("issuer")))
        return add(change)

    monkeypatch.setattr(rotating, "_add", add_while_another_tries)
    rotate("vault")
    assert "work_running" in str(refused[0])


def test_keys_that_come_from_the_environment_are_added_where_they_are_kept(known: World, settings: Any) -> None:
    path = key_file("vault")
    settings.KANPU_VAULT_KEYS, settings.KANPU_VAULT_KEYS_TEXT = None, path.read_text()
    with pytest.raises(CommandError, match=r"--use.*key_file_fixed"):
        rotate("vault")
    content = json.loads(path.read_text())
    content["sealing"].append({"version": 2, "key": "22" * 32})
    settings.KANPU_VAULT_KEYS_TEXT = json.dumps(content)
    assert rotate("vault", "--use")["key"] == "vault 2"
    assert_the_vault_is_whole(known)


def test_a_file_that_cannot_be_changed_here_is_left_as_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_file("vault").read_text()

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CommandError, match=r"No space left.*key_file_fixed"):
        rotate("vault")
    monkeypatch.undo()
    assert key_file("vault").read_text() == before
    assert not list(key_file("vault").parent.glob(".*"))
    assert KeyFingerprint.objects.filter(name__startswith="vault ").count() == 2


def test_no_key_is_shown_by_the_commands(known: World) -> None:
    shown = [json.dumps(rotate(kind)) for kind in KINDS] + [json.dumps(command("keys_status"))]
    out = StringIO()
    call_command("keys_status", stdout=out)
    assert "vault 2           newest      here: yes" in out.getvalue()
    text = "".join([*shown, out.getvalue(), *(str(event.detail) for event in Event.objects.all())])
    for kind in ("vault", "issuer"):
        for secret in re.findall(r"[0-9a-f]{64}", key_file(kind).read_text()):
            assert secret not in text


def test_every_table_under_keys_is_both_counted_and_moved() -> None:
    moved = {kind: tuple((holding.model, holding.version) for holding in found) for kind, found in HOLDINGS.items()}
    assert moved == dict(TABLES)
