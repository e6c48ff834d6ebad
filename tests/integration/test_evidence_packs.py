"""Evidence packs: the same bytes twice, checked offline, nothing in them that names anybody, every change named."""

import hashlib
import json
from datetime import timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pypdf import PdfReader

from apps.accruals.operations.withdrawing import withdraw
from apps.audit.models import AccessRecord, Event
from apps.inspections.models import Pack, Source
from apps.inspections.operations import packing
from apps.inspections.operations.cases import open_case
from apps.inspections.operations.cases import write as write_note
from apps.inspections.operations.packing import ForNamedOfficers, PackRunning, request_run_pack, run_requested_packs
from apps.merchants.models import Terminal
from apps.refunds.models import Refund, Run
from apps.refunds.operations.freezing import freeze
from apps.refunds.queries.statements import StatementMissing
from apps.residents.models import Resident
from tests.packing import ACCESS, case_pack, checkpoint, contents, refund_pack, run, run_pack, sealed, verified
from tests.till import RawTill
from tests.world import TERMINAL, World
from tests.year_end import YEAR, count, to_approved

pytestmark = pytest.mark.django_db(transaction=True)

__all__ = ["run", "sealed"]  # fixtures


def test_a_pack_is_the_same_byte_for_byte_whenever_it_is_made(
    world: World, run: Run, settings: Any, tmp_path: Path
) -> None:
    ref = world.residents[0]
    one = refund_pack(tmp_path / "1.zip", ref).read_bytes(), run_pack(tmp_path / "2.zip").read_bytes()
    checkpoint(settings)  # the log has grown by what making them added
    two = refund_pack(tmp_path / "3.zip", ref).read_bytes(), run_pack(tmp_path / "4.zip").read_bytes()
    assert one == two


def test_a_refund_is_recomputed_offline_from_what_tills_sent(world: World, run: Run, tmp_path: Path) -> None:
    path = refund_pack(tmp_path / "pack.zip", world.residents[0])
    done = verified(path, "--root", run.root)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    for said in (
        "3 purchases make the entries: 1 as their tills sent them, 2 after what followed them.",
        f"Recomputed from the entries, the refund is {Refund.objects.get(resident_ref=world.residents[0]).due_minor}.",
        "2 seals are signed by their terminals' keys.",
        "Of 2 seals the office recomputed 2 chains of records.",
        "The log has this digest of the run.",
        "The log's checkpoint of",
        f"The root is the one you gave: {run.root}",
        "all of it holds.",
    ):
        assert said in done.stdout, done.stdout
    assert verified(path).stdout.startswith(f"{path}: all of it holds, if the root below is the published one.")
    assert verified(path, "--root", "ab" * 32).returncode == 1


def test_every_refund_of_a_run_is_recomputed_offline_and_put_into_the_tree_again(
    world: World, till: RawTill, run: Run, tmp_path: Path
) -> None:
    done = verified(run_pack(tmp_path / "1.zip"), "--root", run.root)
    assert done.returncode == 0, done.stdout
    assert "Each of the 2 refunds was recomputed from its spend and is the same." in done.stdout
    till.private_key = None
    till.terminal = "rival-1"
    till.records.clear()
    count(till, till.sale(world.residents[1], reduced=5_500), till.sale(world.residents[0], reduced=1_100))
    second = to_approved()
    done = verified(run_pack(tmp_path / "2.zip", number=2), "--root", second.root)
    assert done.returncode == 0, done.stdout
    assert "The tree goes on from the 2 refunds of the runs before." in done.stdout
    for ref, number in ((world.residents[0], 2), (world.residents[0], 1)):
        assert verified(refund_pack(tmp_path / "3.zip", ref, number=number)).returncode == 0


def test_a_pack_holds_no_token_no_card_and_no_name(world: World, sealed: RawTill, run: Run, tmp_path: Path) -> None:
    ref = world.residents[0]
    of_refund = b"".join(contents(refund_pack(tmp_path / "1.zip", ref)).values())
    of_run = b"".join(contents(run_pack(tmp_path / "2.zip")).values())
    tokens = [record["card"][4:40].encode() for record in sealed.records if "card" in record]
    assert len(tokens) == 4
    for secret in [*tokens, b"kt1.", bytes(run.secret).hex().encode(), str(world.residents[1]).encode()]:
        assert secret not in of_refund, secret
        assert secret not in of_run, secret
    assert str(ref).encode() in of_refund
    assert str(ref).encode() not in of_run  # a run's pack names nobody


def test_its_first_page_is_japanese_and_its_dictionary_has_every_column(world: World, run: Run, tmp_path: Path) -> None:
    found = contents(refund_pack(tmp_path / "pack.zip", world.residents[0]))
    page = PdfReader(BytesIO(found["summary.pdf"])).pages[0].extract_text()
    assert "証拠書類一式（還付一件）" in page
    assert "（一致）" in page
    assert run.digest[:8] in page
    said = found["dictionary.csv"].decode()
    for name, data in found.items():
        if name.endswith((".csv", ".jsonl")) and name != "dictionary.csv":
            line = data.decode().partition("\n")[0]
            columns = line.split(",") if name.endswith(".csv") else list(json.loads(line)) if line else []
            assert all(f"{name},{column}," in said for column in columns), name
    counted = {file["name"]: file.get("records") for file in json.loads(found["manifest.json"])["files"]}
    assert counted["records/purchases.jsonl"] == 3
    assert counted["records/followups.jsonl"] == 2
    assert counted["records/entries.csv"] > 3


def test_reading_a_resident_is_on_record_first_and_the_pack_is_an_event_with_its_hash(
    world: World, run: Run, tmp_path: Path
) -> None:
    ref = world.residents[0]
    path = refund_pack(tmp_path / "pack.zip", ref)
    record = AccessRecord.objects.get(resident_ref=ref, what=f"evidence {YEAR}-1")
    assert (record.actor, record.purpose, record.case) == ("user:ann", "check", "17")
    event = Event.objects.get(action="pack.make")
    assert (event.resident_ref, event.purpose) == (ref, "check")
    assert event.detail["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert record.at < event.at


def test_a_protected_residents_pack_is_for_named_officers(world: World, run: Run, tmp_path: Path) -> None:
    ref = world.residents[0]
    Resident.objects.filter(pk=ref).update(is_protected=True)
    with pytest.raises(ForNamedOfficers):
        refund_pack(tmp_path / "pack.zip", ref)
    assert not AccessRecord.objects.filter(what__startswith="evidence").exists()


def test_a_run_has_no_pack_before_it_is_verified(world: World, sealed: RawTill, tmp_path: Path) -> None:
    freeze(YEAR, actor="test")
    with pytest.raises(StatementMissing):
        request_run_pack(YEAR, 1, actor="user:ann")


def test_a_run_pack_is_made_by_a_worker_once(run: Run, tmp_path: Path, settings: Any) -> None:
    request_run_pack(YEAR, 1, actor="user:ann")
    with pytest.raises(PackRunning):
        request_run_pack(YEAR, 1, actor="user:ben")
    assert run_requested_packs() == 1
    assert run_requested_packs() == 0
    pack = Pack.objects.get()
    assert (pack.done, pack.total, pack.error) == (2, 2, "")
    with packing.open_pack(pack, actor="user:ben") as file:
        data = file.read()
    assert data == run_pack(tmp_path / "pack.zip").read_bytes()
    assert Event.objects.get(action="pack.fetch").detail == {"sha256": pack.sha256, "of": f"run:{YEAR}/1"}
    packing.path_of(pack).unlink()
    with pytest.raises(packing.PackMissing):
        packing.open_pack(pack, actor="user:ben")


@pytest.mark.parametrize("kind", ["resident", "terminal", "purchase", "merchant"])
def test_a_cases_pack_has_the_case_its_events_and_what_its_subject_names(
    kind: str, world: World, run: Run, settings: Any, tmp_path: Path
) -> None:
    terminal = Terminal.objects.get(code=TERMINAL)
    named = {
        "resident": str(world.residents[0]), "terminal": str(terminal.pk), "purchase": f"{terminal.pk}/1",
        "merchant": str(terminal.merchant_id),
    }[kind]  # fmt: skip
    case = open_case(
        Source.SEARCH, None, subject=f"{kind}:{named}", title="Hanako Yamada?", at=timezone.now(), actor="user:ann"
    )
    write_note(
        case.pk, record_name=f"terminal:{terminal.pk}", text="Hanako told us", at=timezone.now(), actor="user:ann"
    )
    checkpoint(settings)
    path = case_pack(tmp_path / "pack.zip", case.pk)
    found = contents(path)
    assert json.loads(found["evidence.jsonl"])["record"] == f"terminal:{terminal.pk}"
    purchases = {"resident": 3, "terminal": 6, "purchase": 1, "merchant": None}[kind]
    assert (found.get("records/purchases.jsonl", b"").count(b"\n") or None) == purchases
    assert b"Hanako" not in b"".join(found.values())
    events = [json.loads(json.loads(line)["data"])[1]["action"] for line in found["log/events.jsonl"].splitlines()]
    assert events == ["case.open", "case.evidence"]
    assert (done := verified(path)).returncode == 0, done.stdout
    assert AccessRecord.objects.filter(what=f"evidence case {case.pk}").exists() is (kind == "resident")
    assert path.read_bytes() == case_pack(tmp_path / "again.zip", case.pk).read_bytes()


def test_an_operator_makes_packs_by_command(world: World, run: Run, tmp_path: Path) -> None:
    one, two = tmp_path / "run.zip", tmp_path / "refund.zip"
    call_command("evidence_pack", "--run", str(YEAR), "1", "--out", str(one), stdout=StringIO())
    named = ["--resident", str(world.residents[0]), "--purpose", "appeal 12"]
    call_command("evidence_pack", "--run", str(YEAR), "1", *named, "--out", str(two), stdout=StringIO())
    assert one.read_bytes() == run_pack(tmp_path / "same.zip").read_bytes()
    assert verified(two).returncode == 0
    record = AccessRecord.objects.get(what=f"evidence {YEAR}-1")
    assert (record.role, record.purpose) == ("operator", "appeal 12")
    with pytest.raises(CommandError):  # nothing is written over
        call_command("evidence_pack", "--run", str(YEAR), "1", "--out", str(one), stdout=StringIO())
    with pytest.raises(CommandError):
        call_command("evidence_pack", "--run", str(YEAR), "7", "--out", str(tmp_path / "no.zip"), stdout=StringIO())
    assert not (tmp_path / "no.zip").exists()


def test_what_a_cases_pack_holds_of_a_resident_is_deleted_after_thirty_days(
    world: World, run: Run, tmp_path: Path
) -> None:
    named = f"resident:{world.residents[0]}"
    case = open_case(Source.SEARCH, None, subject=named, title="A year", at=timezone.now(), actor="user:ann")
    packing.request_case_pack(case.pk, access=ACCESS, opens_protected=False)
    request_run_pack(YEAR, 1, actor="user:ann")
    assert run_requested_packs() == 2
    of_run, of_case = (Pack.objects.get(subject=subject) for subject in (f"run:{YEAR}/1", f"case:{case.pk}"))
    assert packing.forget_packs(now=timezone.now() + timedelta(days=29)) == 0
    assert packing.forget_packs(now=timezone.now() + timedelta(days=31)) == 1
    assert packing.path_of(of_run).exists()
    assert not packing.path_of(of_case).exists()


@pytest.mark.parametrize("subject", ["resident", "terminal", "purchase"])
def test_a_cases_pack_goes_with_a_purchase_in_it_that_is_withdrawn(
    subject: str, world: World, sealed: RawTill, tmp_path: Path
) -> None:
    terminal = Terminal.objects.get(code=TERMINAL)
    named = {"resident": world.residents[0], "terminal": terminal.pk, "purchase": f"{terminal.pk}/1"}[subject]
    one, other = (
        open_case(Source.SEARCH, None, subject=about, title="A year", at=timezone.now(), actor="user:ann")
        for about in (f"{subject}:{named}", f"merchant:{terminal.merchant_id}")
    )
    for case in (one, other):
        packing.request_case_pack(case.pk, access=ACCESS, opens_protected=False)
    assert run_requested_packs() == 2
    withdraw(world.residents[0], terminal.pk, 1, now=timezone.now(), actor="resident")
    assert not packing.path_of(Pack.objects.get(subject=f"case:{one.pk}")).exists()
    assert packing.path_of(Pack.objects.get(subject=f"case:{other.pk}")).exists()
