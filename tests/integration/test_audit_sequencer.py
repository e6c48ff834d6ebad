"""The process that puts the audit log into its order: it goes on when the database was away, or when it died itself."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from apps.audit import outside
from apps.audit.models import Checkpoint
from apps.audit.notes import ORIGIN
from apps.audit.operations import record_event
from apps.audit.queries.verifying import verify_log
from tests.audit_logs import await_earlier_transactions

HALF = ORIGIN.encode()


@pytest.fixture
def folder(transactional_db: None, tmp_path: Path, settings: Any) -> Path:
    """Where the log is kept outside the database, with a key to sign it."""
    settings.KANPU_AUDIT_KEY, settings.KANPU_AUDIT_LOG = tmp_path / "secrets" / "audit.pem", tmp_path / "outside"
    outside.make_key(settings.KANPU_AUDIT_KEY)
    return tmp_path / "outside"


@pytest.fixture
def _handlers() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def await_and_sequence() -> None:
    await_earlier_transactions()
    call_command("sequence_audit_log", once=True, stdout=StringIO())


def happen() -> None:
    record_event(at=timezone.now(), actor="operator:ann", action="key.rotate", subject="key:1", detail={})


@pytest.mark.usefixtures("_handlers")
def test_it_goes_on_when_the_database_was_away(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    happen()

    def come_back_and_end() -> None:
        deadline = time.monotonic() + 20
        while "goes on later" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.05)
        monkeypatch.undo()
        while not Checkpoint.objects.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        connection.close()
        os.kill(os.getpid(), signal.SIGTERM)

    connection.close()
    monkeypatch.setitem(connection.settings_dict, "PORT", "1")
    helper = threading.Thread(target=come_back_and_end)
    helper.start()
    call_command("sequence_audit_log", interval_s=0.1, checkpoint_s=0.1, stdout=StringIO())
    helper.join()
    assert "goes on later" in caplog.text
    assert verify_log(folder).findings == []
    assert Checkpoint.objects.get().size == 1


@pytest.mark.parametrize("end", [b"", b"\n2", b"\n\n\xe2", b"\n\n\xe2\x80\x94 kanpu/audit"])
def test_a_checkpoint_half_written_when_it_died_spoils_none_that_follows(folder: Path, end: bytes) -> None:
    happen()
    await_and_sequence()
    with (folder / "checkpoints").open("ab") as file:
        file.write(HALF + end)
    happen()
    await_and_sequence()
    found = verify_log(folder)
    assert (found.checkpoints, found.findings) == (2, [])


def test_a_checkpoint_that_only_the_files_have_is_taken_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happen()
    with monkeypatch.context() as patch:  # the power went between the file and the row
        patch.setattr(Checkpoint.objects, "create", _power_cut)
        with pytest.raises(KeyboardInterrupt):
            await_and_sequence()
    assert {finding.kind for finding in verify_log(folder).findings} == {"checkpoint"}
    happen()
    await_and_sequence()
    assert verify_log(folder).findings == []
    assert list(Checkpoint.objects.order_by("size").values_list("size", flat=True)) == [1, 2]


def _power_cut(**_row: object) -> None:
    raise KeyboardInterrupt
