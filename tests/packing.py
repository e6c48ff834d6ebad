"""Packs made in tests of a year played for them; the checker as an auditor runs it: a process that imports only it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zipfile import ZipFile

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings as django_settings
from django.utils import timezone

from apps.accruals.operations.counting import count_all
from apps.audit import outside
from apps.audit.access import Access
from apps.audit.operations.sequencing import write_checkpoint
from apps.inspections.operations.packing import (
    make_case_pack,
    make_refund_pack,
    make_run_pack,
)
from apps.merchants.models import Terminal, TerminalKey
from apps.purchases.lanes import lane_of
from apps.purchases.operations import accept_batch
from apps.purchases.serializers import read_envelope
from apps.purchases.store import Sender
from apps.refunds.models import Run
from tests.audit_logs import sequence_all
from tests.till import RawTill
from tests.world import TERMINAL, World
from tests.year_end import to_approved

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
def sealed(world: World, till: RawTill) -> RawTill:
    """A till that seals, after a year with a return, a void and a sale at the cap."""
    one, two = world.residents
    terminal = Terminal.objects.get(code=TERMINAL)
    public_key = KEY.public_key().public_bytes_raw()
    TerminalKey.objects.create(terminal=terminal, public_key=public_key, registered_at=timezone.now())
    till.private_key = KEY
    sale = till.sale(one, reduced=110_000, standard=77)
    till.sale(two, reduced=1_000_000)
    till.sale(one, reduced=5_500)
    till.give_back(sale, reduced=22_000)
    till.void(till.sale(one, reduced=999))
    for part in (till.records[:2], till.records[2:]):
        envelope = read_envelope(till.batch(part))
        sender = Sender(lane_of(terminal.pk), terminal.pk, TERMINAL, terminal.merchant_id, public_key, uuid4(), "t/1")
        accept_batch(sender, map(bytes, envelope.purchases), seal=envelope.read_seal(), now=timezone.now())
    count_all()
    return till


@pytest.fixture
def run(sealed: RawTill, settings: Any, tmp_path: Path) -> Run:
    """An approved run whose events are in a signed checkpoint."""
    settings.KANPU_AUDIT_LOG, settings.KANPU_AUDIT_KEY = tmp_path / "log", tmp_path / "secrets" / "audit.pem"
    found = to_approved()
    checkpoint(settings)
    return found


def checkpoint(settings: Any) -> None:
    outside.make_key(settings.KANPU_AUDIT_KEY)
    sequence_all()
    write_checkpoint(settings.KANPU_AUDIT_LOG, settings.KANPU_AUDIT_KEY, at=timezone.now())


def contents(path: Path) -> dict[str, bytes]:
    with ZipFile(path) as pack:
        assert pack.testzip() is None
        return {name: pack.read(name) for name in pack.namelist()}


ACCESS = Access("user:ann", "auditor", "tax office", "check", "17")


def run_pack(path: Path, year: int = 2017, number: int = 1) -> Path:
    with path.open("w+b") as file:
        make_run_pack(year, number, file, actor="user:ann")
    return path


def refund_pack(path: Path, ref: UUID, year: int = 2017, number: int = 1) -> Path:
    with path.open("w+b") as file:
        make_refund_pack(ref, year, number, file, access=ACCESS, opens_protected=False)
    return path


def case_pack(path: Path, case_id: int) -> Path:
    with path.open("w+b") as file:
        make_case_pack(case_id, file, access=ACCESS, opens_protected=False)
    return path


def verified(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m kanpu_verify` without any installed package (-S), in a folder with nothing in it."""
    return subprocess.run(
        [sys.executable, "-S", "-m", "kanpu_verify", str(path), "--lang", "en", *arguments],
        cwd=path.parent,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(django_settings.BASE_DIR) / "sdk"), "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
