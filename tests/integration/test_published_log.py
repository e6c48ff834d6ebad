"""Everybody may have the log's key, its signed checkpoints, and the proof that one is the beginning of another."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from apps.audit import outside
from apps.audit.merkle import node_hash
from apps.audit.models import Checkpoint, LogHead
from apps.audit.notes import NoteWrong, read_note
from apps.audit.operations import record_event
from apps.audit.operations.sequencing import write_checkpoint
from apps.audit.queries.verifying import verify_log
from tests.audit_logs import sequence_all
from tests.pages import shown

pytestmark = pytest.mark.django_db(transaction=True)
HERE = "/.well-known/kanpu"


def grow(settings: Any, entries: int) -> None:
    """So many events more, and a checkpoint."""
    for number in range(entries):
        record_event(at=timezone.now(), actor="test", action="test.done", subject=f"thing:{number}", detail={})
    sequence_all()
    write_checkpoint(settings.KANPU_AUDIT_LOG, settings.KANPU_AUDIT_KEY, at=timezone.now())


@pytest.fixture
def log(tmp_path: Path, settings: Any) -> Path:
    """A log with checkpoints of 3, 7 and 20 entries."""
    settings.KANPU_AUDIT_LOG, settings.KANPU_AUDIT_KEY = tmp_path / "log", tmp_path / "audit.pem"
    outside.make_key(settings.KANPU_AUDIT_KEY)
    for entries in (3, 4, 13):
        grow(settings, entries)
    return tmp_path / "log"


def test_a_stranger_checks_the_newest_checkpoint_with_the_published_key(client: Client, log: Path) -> None:
    pem = client.get(f"{HERE}/audit-key.pem")
    assert pem.content == (log / "public.pem").read_bytes()
    key = load_pem_public_key(pem.content)
    assert isinstance(key, Ed25519PublicKey)
    note = client.get(f"{HERE}/audit-checkpoint").content.decode()
    head = read_note(note, key)
    assert (head.size, head.root) == (20, bytes(Checkpoint.objects.get(size=20).root))
    assert read_note(client.get(f"{HERE}/audit-checkpoint?size=7").content.decode(), key).size == 7
    with pytest.raises(NoteWrong):
        read_note(note.replace("\n20\n", "\n21\n"), key)


def test_any_checkpoint_is_shown_to_be_the_beginning_of_a_later_one(client: Client, log: Path) -> None:
    found = client.get(f"{HERE}/audit-consistency.json?old=3&size=7").json()
    assert (found["old"]["size"], found["new"]["size"]) == (3, 7)
    # RFC 9162, 2.1.4: of 3 and 7 leaves the path is c, d, g, l; the old root is node(g, c).
    c, d, g, right = map(bytes.fromhex, found["hashes"])

    assert node_hash(g, c).hex() == found["old"]["root"]
    assert node_hash(node_hash(g, node_hash(c, d)), right).hex() == found["new"]["root"]
    assert client.get(f"{HERE}/audit-consistency.json?old=20&size=20").json()["hashes"] == []
    assert client.get(f"{HERE}/audit-consistency.json?old=7").json()["new"]["size"] == 20


@pytest.mark.parametrize("asked", ["old=4&size=7", "old=7&size=3", "old=x", "old=-1", f"size={10**30}", "old=³"])
def test_what_is_no_checkpoint_is_not_there(client: Client, log: Path, asked: str) -> None:
    assert client.get(f"{HERE}/audit-consistency.json?{asked}").status_code == 404


def test_before_the_first_checkpoint_there_is_nothing(client: Client) -> None:
    for name in ("audit-key.pem", "audit-checkpoint", "audit-consistency.json"):
        assert client.get(f"{HERE}/{name}").status_code == 404
    cache.clear()
    assert "No checkpoint was signed yet." in shown(client, "/transparency")


def test_the_public_figures_say_how_far_it_was_signed(client: Client, log: Path) -> None:
    cache.clear()
    assert client.get("/transparency.json").json()["audit_log"]["entries"] == 20
    assert f"{HERE}/audit-checkpoint" in client.get("/transparency").content.decode()


def test_a_key_that_was_exchanged_in_the_database_is_named(log: Path) -> None:
    assert verify_log(log).findings == []
    LogHead.objects.update(public_key="-----BEGIN PUBLIC KEY-----")
    assert [(finding.kind, finding.where) for finding in verify_log(log).findings] == [("checkpoint", "key")]
