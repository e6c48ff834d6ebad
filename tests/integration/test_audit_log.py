"""The audit log: what is done behind the application's back is named."""

import base64
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.core.management import call_command
from django.db import IntegrityError, InternalError, ProgrammingError, connection, transaction
from django.utils import timezone
from psycopg import sql

from apps.audit import merkle, outside
from apps.audit.access import Access
from apps.audit.leaves import FIELDS, leaf_of
from apps.audit.macs import is_mac_of
from apps.audit.models import AccessRecord, Checkpoint, Event, LogEntry, LogHead
from apps.audit.operations import record_accesses, record_event, record_events
from apps.audit.operations.sequencing import sequence, write_checkpoint
from apps.audit.origin import coming_from
from apps.audit.queries.log import consistency, read_tile
from apps.audit.queries.verifying import Finding, verify_log
from apps.audit.states import Change
from tests.audit_logs import sequence_all

CLERK = Access("user:sato", "registry_clerk", "Chiyoda", "card", "R7-12")


@pytest.fixture
def log(transactional_db: None, tmp_path: Path, settings: Any) -> Path:
    """A log of forty entries in two transactions each, with four checkpoints."""
    settings.KANPU_AUDIT_KEY, settings.KANPU_AUDIT_LOG = tmp_path / "secrets" / "audit.pem", tmp_path / "outside"
    outside.make_key(settings.KANPU_AUDIT_KEY)
    for _ in range(4):
        _happen(10)
        _keep(settings)
    return tmp_path / "outside"


def _happen(times: int) -> None:
    now = timezone.now()
    for number in range(times // 2):
        record_event(at=now, actor="operator:ann", action="key.rotate", subject=f"key:{number}", detail={"n": number})
        record_accesses(CLERK, [uuid4()], what="vault:person", at=now)


def _keep(settings: Any) -> None:
    sequence_all()
    write_checkpoint(settings.KANPU_AUDIT_LOG, settings.KANPU_AUDIT_KEY, at=timezone.now())


@contextmanager
def _superuser() -> Iterator[Any]:
    """Behind the application's back: no trigger fires."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield cursor


def _do(*statements: str) -> None:
    with _superuser() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _found(folder: Path) -> list[Finding]:
    return verify_log(folder).findings


def _number(position: int) -> int:
    return LogEntry.objects.get(position=position).source_id


def test_an_untouched_log_is_whole(log: Path) -> None:
    found = verify_log(log)
    assert (found.entries, found.checkpoints, found.findings) == (40, 4, [])
    assert LogHead.objects.get().size == 40


def test_what_is_not_yet_in_the_log_is_no_fault(log: Path) -> None:
    _happen(4)
    assert _found(log) == []


EDITS: dict[str, tuple[str, str]] = {
    "an event's detail": ("UPDATE audit_event SET detail = '{\"n\": 99}' WHERE id = {event}", "edit"),
    "an event's actor": ("UPDATE audit_event SET actor = 'operator:ben' WHERE id = {event}", "edit"),
    "an event's time": ("UPDATE audit_event SET at = at + interval '1 microsecond' WHERE id = {event}", "edit"),
    "an event's transaction": ("UPDATE audit_event SET written = written + 1 WHERE id = {event}", "edit"),
    "whose an access was": (
        "UPDATE audit_accessrecord SET resident_ref = gen_random_uuid() WHERE id = {access}",
        "edit",
    ),
    "what an access was for": ("UPDATE audit_accessrecord SET purpose = 'audit' WHERE id = {access}", "edit"),
    "an event's end": ("DELETE FROM audit_event WHERE id = {event}", "gap"),
    "an access's end": ("DELETE FROM audit_accessrecord WHERE id = {access}", "gap"),
    "a place's end": ("DELETE FROM audit_logentry WHERE position = 12", "gap"),
    "a leaf": ("UPDATE audit_logentry SET leaf = sha256('x') WHERE position = 12", "rewritten"),
    "a tile": ("UPDATE audit_logtile SET hashes = sha256('x') || substr(hashes, 33)", "rewritten"),
    "a checkpoint": ("UPDATE audit_checkpoint SET root = sha256('x') WHERE size = 20", "checkpoint"),
    "a checkpoint's end": ("DELETE FROM audit_checkpoint WHERE size = 20", "checkpoint"),
    "the head's size": ("UPDATE audit_loghead SET size = 39", "rewritten"),
}


@pytest.mark.parametrize("what", EDITS)
def test_each_single_edit_behind_the_applications_back_is_named(log: Path, what: str) -> None:
    statement, kind = EDITS[what]
    events = LogEntry.objects.filter(source="event").order_by("position")
    accesses = LogEntry.objects.filter(source="access").order_by("position")
    event, access = events[5].source_id, accesses[5].source_id
    _do(statement.replace("{event}", str(event)).replace("{access}", str(access)))
    kinds = {finding.kind for finding in _found(log)}
    assert kind in kinds
    where = {finding.where for finding in _found(log)}
    if "id =" in statement:
        assert where & {f"event {event}", f"access {access}"}


def test_every_field_of_every_row_is_in_its_leaf() -> None:
    for source, model in (("event", Event), ("access", AccessRecord)):
        assert set(FIELDS[source]) == {field.attname for field in model._meta.concrete_fields}


def test_two_entries_that_changed_places_are_named(log: Path) -> None:
    _do(
        "UPDATE audit_logentry SET position = 1000 WHERE position = 7",
        "UPDATE audit_logentry SET position = 7 WHERE position = 21",
        "UPDATE audit_logentry SET position = 21 WHERE position = 1000",
    )
    moved = [finding for finding in _found(log) if finding.kind == "reordering"]
    assert {finding.words for finding in moved} == {
        f"Entry 7 of the log, {_name(7)}, stood at place 21.",
        f"Entry 21 of the log, {_name(21)}, stood at place 7.",
    }


def _name(position: int) -> str:
    entry = LogEntry.objects.get(position=position)
    return f"{entry.source} {entry.source_id}"


def test_a_row_changed_together_with_its_leaf_and_the_tree_is_named(log: Path) -> None:
    entry = LogEntry.objects.filter(source="event").order_by("position")[3]
    _do(f"UPDATE audit_event SET actor = 'operator:ben' WHERE id = {entry.source_id}")
    row = Event.objects.filter(pk=entry.source_id).values_list(*FIELDS["event"]).get()
    leaf = leaf_of(
        "event", [value if field != "detail" else '{"n": 3}' for field, value in zip(FIELDS["event"], row, strict=True)]
    )
    with _superuser() as cursor:
        cursor.execute("UPDATE audit_logentry SET leaf = %s WHERE position = %s", [leaf, entry.position])
    leaves = [bytes(leaf) for leaf in LogEntry.objects.order_by("position").values_list("leaf", flat=True)]
    with _superuser() as cursor:
        for tile in merkle.Growth(size=0, leaves=leaves, read=lambda *_: b""):
            cursor.execute("UPDATE audit_logtile SET hashes = %s WHERE level = %s", [tile.hashes, tile.level])
    findings = _found(log)
    assert ("edit", f"event {entry.source_id}") in {(finding.kind, finding.where) for finding in findings}
    assert "rewritten" in {finding.kind for finding in findings}


def test_a_tail_that_was_cut_off_is_named_though_everything_in_the_database_agrees(log: Path) -> None:
    numbers = dict.fromkeys(("event", "access"), 0)
    for source in numbers:
        first = LogEntry.objects.filter(source=source, position__gte=30).order_by("source_id").first()
        assert first
        numbers[source] = first.source_id
    leaves = [bytes(leaf) for leaf in LogEntry.objects.order_by("position").values_list("leaf", flat=True)][:30]
    tile = next(iter(merkle.Growth(size=0, leaves=leaves, read=lambda *_: b"")))
    with _superuser() as cursor:
        cursor.execute("DELETE FROM audit_event WHERE id >= %s", [numbers["event"]])
        cursor.execute("DELETE FROM audit_accessrecord WHERE id >= %s", [numbers["access"]])
        cursor.execute("DELETE FROM audit_logentry WHERE position >= 30")
        cursor.execute("DELETE FROM audit_checkpoint WHERE size > 30")
        cursor.execute("UPDATE audit_loghead SET size = 30")
        cursor.execute("UPDATE audit_logtile SET hashes = %s", [tile.hashes])
    assert ("cut_tail", "30") in {(finding.kind, finding.where) for finding in _found(log)}


def test_an_event_slipped_in_with_an_old_transaction_is_named(log: Path) -> None:
    _do(
        "INSERT INTO audit_event (at, actor, action, subject, detail, purpose, origin, written)"
        " SELECT at, actor, action, subject, detail, purpose, origin, written FROM audit_event ORDER BY id LIMIT 1"
    )
    last = Event.objects.order_by("-pk").first()
    assert last
    assert ("unlogged", f"event {last.pk}") in {(f.kind, f.where) for f in _found(log)}


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n20\n", "\n21\n"),
        lambda text: text.replace("kanpu/audit\n", "other/audit\n", 1),
        lambda text: text[: text.index("\N{EM DASH}") + 20] + "A" + text[text.index("\N{EM DASH}") + 21 :],
    ],
)
def test_a_checkpoint_outside_that_was_changed_is_named(log: Path, change: Callable[[str], str]) -> None:
    path = log / "checkpoints"
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    assert "checkpoint" in {finding.kind for finding in _found(log)}


@pytest.mark.parametrize("table", ["audit_event", "audit_accessrecord", "audit_logentry", "audit_checkpoint"])
@pytest.mark.parametrize("change", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_the_owner_cannot_change_what_is_written(log: Path, table: str, change: str) -> None:
    column = {"audit_logentry": "position", "audit_checkpoint": "size"}.get(table, "id")
    with pytest.raises((InternalError, ProgrammingError, IntegrityError)), transaction.atomic():
        connection.cursor().execute(change.format(table, column, column))
    assert _found(log) == []


def test_who_commits_late_is_logged_late_and_nobody_waits(log: Path, settings: Any) -> None:
    with psycopg.connect(**_parameters()) as late:
        late.execute(
            "INSERT INTO audit_event (at, actor, action, subject, detail, purpose, origin)"
            " VALUES (now(), 'late', 'a', 'b', '{}', '', '')"
        )
        _happen(4)  # meanwhile others write and commit
        assert sequence().size == 40  # what comes after it waits for it
        late.commit()
    assert sequence_all().size == 45
    _keep(settings)
    assert _found(log) == []


def test_what_was_rolled_back_leaves_no_gap(log: Path) -> None:
    with transaction.atomic():
        _only_events(3)
        transaction.set_rollback(True)
    _only_events(2)
    assert sequence_all().size == 42
    positions = LogEntry.objects.order_by("position").values_list("position", flat=True)
    assert list(positions) == list(range(42))


def _only_events(count: int) -> None:
    details: dict[str, dict[str, object]] = {f"key:{number}": {} for number in range(count)}
    changes: dict[str, Change] = {subject: {"before": {}, "after": {}} for subject in details}
    record_events(at=timezone.now(), actor="operator:ann", action="key.add", details=details, changes=changes)


def test_two_sequencers_at_once_give_every_entry_one_place(log: Path) -> None:
    stop = threading.Event()

    def sequence_on() -> None:
        while not stop.is_set():
            sequence()
            time.sleep(0.001)
        connection.close()

    threads = [threading.Thread(target=sequence_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    _happen(60)
    stop.set()
    for thread in threads:
        thread.join()
    assert sequence_all().size == 100
    assert _found(log) == []


def test_any_checkpoint_is_shown_to_be_the_beginning_of_any_later_one(log: Path) -> None:
    heads = [(c.size, bytes(c.root)) for c in Checkpoint.objects.order_by("size")]
    for old_size, old_root in heads:
        for size, root in heads:
            if old_size < size:
                path = consistency(old_size=old_size, size=size)
                assert _consistent(old_size, old_root, size, root, path)
                assert not _consistent(old_size, bytes(32), size, root, path)


def _consistent(old_size: int, old_root: bytes, size: int, root: bytes, path: list[bytes]) -> bool:
    """RFC 9162, 2.1.4.2, as a verifier does it."""
    if old_size & (old_size - 1) == 0:
        path = [old_root, *path]
    fn, sn = old_size - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for node in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = merkle.node_hash(node, fr), merkle.node_hash(node, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = merkle.node_hash(sr, node)
        fn, sn = fn >> 1, sn >> 1
    return (fr, sr, sn) == (old_root, root, 0)


def test_a_death_between_file_and_database_is_made_good(log: Path, settings: Any) -> None:
    _happen(6)
    sequence_all()
    outside.append_leaves(log, 40, b"".join(_leaves(40, 43)) + b"half")  # and then the power went
    _keep(settings)
    assert _found(log) == []
    assert outside.kept_leaves(log) == 46


def _leaves(first: int, end: int) -> list[bytes]:
    rows = LogEntry.objects.filter(position__gte=first, position__lt=end).order_by("position")
    return [bytes(leaf) for leaf in rows.values_list("leaf", flat=True)]


def test_leaves_outside_that_were_cut_are_written_again_from_the_log(log: Path, settings: Any) -> None:
    (log / "leaves").write_bytes(b"")
    assert "rewritten" not in {finding.kind for finding in _found(log)}  # the log itself is whole
    _happen(2)
    _keep(settings)  # they are written again from the log
    assert _found(log) == []


def test_an_event_says_from_where_whose_and_hides_what_was(log: Path) -> None:
    ref = uuid4()
    with coming_from("web 203.0.113.5"):
        record_event(
            at=timezone.now(), actor="resident", action="account.change", subject=f"resident:{ref}", detail={},
            before={"bank": "0001"}, after={"bank": "0005"},
        )  # fmt: skip
    event = Event.objects.order_by("-pk").first()
    assert event
    assert (event.origin, event.resident_ref) == ("web 203.0.113.5", ref)
    assert event.before_mac
    assert is_mac_of(bytes(event.before_mac), {"bank": "0001"})
    assert not is_mac_of(bytes(event.before_mac), {"bank": "0002"})
    assert b"0001" not in bytes(event.before_mac)


def test_the_commands_tell_what_is_wrong_by_their_status(log: Path) -> None:
    out = StringIO()
    call_command("verify_audit_log", stdout=out)
    assert "entries: 40" in out.getvalue()
    _do("UPDATE audit_event SET actor = 'x' WHERE id = (SELECT min(id) FROM audit_event)")
    with pytest.raises(SystemExit):
        call_command("verify_audit_log", stdout=out)
    assert "is not what it was when it was logged" in out.getvalue()


def test_the_role_of_the_application_can_only_add_and_read(log: Path) -> None:
    role = sql.Identifier("kanpu_app_of_tests")
    with connection.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS kanpu_app_of_tests")
        cursor.execute("CREATE ROLE kanpu_app_of_tests")
    try:
        call_command("grant_application", "kanpu_app_of_tests", stdout=StringIO())
        for statement, may in (
            ("SELECT count(*) FROM audit_event", True),
            (
                "INSERT INTO audit_loghead (number, size, horizon, public_key) VALUES (1, 0, 0, '')"
                " ON CONFLICT DO NOTHING",
                True,
            ),
            ("UPDATE audit_event SET actor = 'x'", False),
            ("DELETE FROM audit_accessrecord", False),
            ("UPDATE audit_logentry SET leaf = ''", False),
            ("DELETE FROM audit_checkpoint", False),
            ("TRUNCATE audit_event", False),
            ("ALTER TABLE audit_event DISABLE TRIGGER ALL", False),
            ("UPDATE audit_officer SET office = office", True),
        ):
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(role).as_string())
                if may:
                    cursor.execute(statement)
                else:
                    with (
                        pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
                        transaction.atomic(),
                    ):
                        cursor.execute(statement)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP OWNED BY kanpu_app_of_tests")
            cursor.execute("DROP ROLE kanpu_app_of_tests")


def _parameters() -> dict[str, Any]:
    parameters: dict[str, Any] = connection.get_connection_params()
    names = ("host", "port", "user", "password", "dbname")
    return {name: parameters[name] for name in names if name in parameters}


def test_notes_are_of_the_published_form(log: Path) -> None:
    note = next(outside.kept_notes(log))
    text, signature = note.split("\n\n")
    assert text.split("\n")[:2] == ["kanpu/audit", "10"]
    assert base64.b64decode(text.split("\n")[2]) == merkle.root(size=10, read=read_tile)
    assert signature.startswith("\N{EM DASH} kanpu/audit ")
