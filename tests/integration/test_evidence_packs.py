"""Evidence packs: the same bytes twice, checked offline, nothing in them that names anybody, every change named."""

import csv
import hashlib
import json
from datetime import timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4
from zipfile import ZipFile

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from kanpu_verify.__main__ import main
from pypdf import PdfReader

from apps.accruals.operations.counting import count_all
from apps.audit import outside
from apps.audit.models import AccessRecord, Event
from apps.audit.operations.sequencing import write_checkpoint
from apps.inspections.models import Pack, Source
from apps.inspections.operations import packing
from apps.inspections.operations.cases import open_case
from apps.inspections.operations.cases import write as write_note
from apps.inspections.operations.packing import ForNamedOfficers, PackRunning, request_run_pack, run_requested_packs
from apps.inspections.packs.frame import Frame
from apps.inspections.packs.tables import document
from apps.merchants.models import Terminal, TerminalKey
from apps.purchases.lanes import lane_of
from apps.purchases.operations import accept_batch
from apps.purchases.serializers import read_envelope
from apps.purchases.store import Sender
from apps.refunds.models import Refund, Run
from apps.refunds.operations.freezing import freeze
from apps.refunds.queries.statements import StatementMissing
from apps.residents.models import Resident
from tests.audit_logs import sequence_all
from tests.examples import examples
from tests.packing import ACCESS, case_pack, refund_pack, run_pack, verified
from tests.till import RawTill
from tests.world import TERMINAL, World
from tests.year_end import YEAR, count, to_approved

pytestmark = pytest.mark.django_db(transaction=True)
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
    assert event.resident_ref == ref
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


@pytest.fixture
def packed(world: World, run: Run, tmp_path: Path) -> Path:
    return refund_pack(tmp_path / "pack.zip", world.residents[0])


def test_one_bit_changed_in_any_file_is_found_and_the_file_is_named(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = packed.read_bytes()
    with ZipFile(packed) as pack:
        places = [(info.filename, info.header_offset + 30 + len(info.filename), info.file_size) for info in
                  pack.infolist()]  # fmt: skip
    for name, start, size in places:
        for place in {start, start + size // 2, start + size - 1} if size else ():
            said = checked(with_bit(data, place, 0), tmp_path, capsys)
            assert name in said or (name.startswith("manifest.json") and "manifest.json" in said), (name, said)


def with_bit(data: bytes, place: int, bit: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]


def checked(data: bytes, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of a changed pack, which never holds."""
    path = folder / "changed.zip"
    path.write_bytes(data)
    assert main([str(path), "--lang", "en"]) != 0
    said = capsys.readouterr()
    return said.out + said.err


@pytest.mark.property
@hypothesis_settings(
    max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(part=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_one_bit_changed_anywhere_is_found(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], part: float, bit: int
) -> None:
    data = packed.read_bytes()
    assert "DOES NOT HOLD" in (said := checked(with_bit(data, int(part * len(data)), bit), tmp_path, capsys)) or (
        "cannot be checked" in said
    )


def test_a_pack_that_was_cut_or_added_to_does_not_hold(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = packed.read_bytes()
    for changed in (data[:-1], data + b"x", data[: len(data) // 2], b"", data[100:]):
        checked(changed, tmp_path, capsys)


def forged(packed: Path, folder: Path, changes: dict[str, bytes]) -> Path:
    """A pack in which files were changed and the manifest and the frame made anew, as a forger would."""
    found = contents(packed) | changes
    manifest = json.loads(found.pop("manifest.json"))
    del found["manifest.json.sha256"]
    path = folder / "forged.zip"
    with path.open("w+b") as file:
        frame = Frame(file)
        for name, data in found.items():
            frame.add(name, [data])
        for listed, member in zip(manifest["files"], frame.members, strict=True):
            listed |= {"bytes": member.bytes, "sha256": member.sha256}
            if listed.get("sums") and listed["name"] in changes:
                rows = list(csv.DictReader(found[listed["name"]].decode().splitlines()))
                listed["sums"] = {name: sum(int(row[name] or 0) for row in rows) for name in listed["sums"]}
        data = document(manifest)
        frame.add("manifest.json", [data])
        frame.add("manifest.json.sha256", [f"{hashlib.sha256(data).hexdigest()}  manifest.json\n".encode()])
        frame.close()
    return path


@pytest.mark.parametrize(
    "change",
    [
        ("records/entries.csv", b",reduced,110000", b",reduced,110001", "Purchases and entries do not agree: shop-1:1"),
        ("records/entries.csv", b",standard,77", b",standard,78", "Purchases and entries do not agree: shop-1:1"),
        ("records/totals.csv", b",standard,8,77,", b",standard,8,78,", "entries do not add up to the totals"),
        ("records/purchases.jsonl", b"reduced=5500", b"reduced=5501", "Purchases and entries do not agree: shop-1:3"),
        ("records/seals.jsonl", b'"signature":"', b'"signature":"00', "These seals do not hold: shop-1:2"),
        ("statement.json", b'"entitled_minor": 1', b'"entitled_minor": 2', "These figures are not statement"),
        ("recomputation/result.json", b'"identical": true', b'"identical": false', "gave something else"),
        ("recomputation/evidence.csv", b"month-08", b"month-09", "The list of archive files is not the one"),
        ("rules/scheme.json", b'"rate":"0.08"', b'"rate":"0.07"', "Shares do not follow from the scheme file's rates"),
        ("rules/scheme.json", b'"en":"', b'"en":" ', "The scheme file is not the one that the run names"),
        ("run.json", b'"entitled_minor": ', b'"entitled_minor": 1', "do not make the digest that auditors signed"),
        ("run.json", b'"digest": "', b'"digest": "0', "The log has another digest of the run"),
        ("log/events.jsonl", b"run.freeze", b"run.thaw", "These entries are not those in the audit log"),
        ("log/checkpoint.txt", b"kanpu/audit\n", b"kanpu/audit\n1", "signature of the log's checkpoint"),
    ],
)
def test_who_changes_a_file_and_makes_the_manifest_anew_is_found_by_what_does_not_follow(
    packed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, bytes, bytes, str]
) -> None:
    name, old, new, said = change
    before = contents(packed)[name]
    assert old in before
    path = forged(packed, tmp_path, {name: before.replace(old, new, 1)})
    assert main([str(path), "--lang", "en"]) == 1
    found = capsys.readouterr().out
    assert said in found, found
    assert "This file was changed" not in found


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("entitled_minor", "1701", "refunds are not what their spend brings"),
        ("spend_minor", "9350 77", "refunds are not what their spend brings"),
        ("leaf", "ab" * 32, "Their leaves do not make the run's root"),
    ],
)
def test_a_runs_refunds_cannot_be_changed_either(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, column: str, value: str, said: str
) -> None:
    packed = run_pack(tmp_path / "run.zip")
    rows = list(csv.DictReader(contents(packed)["records/refunds.csv"].decode().splitlines()))
    next(row for row in rows if row["entitled_minor"] == "1700")[column] = value
    lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
    path = forged(packed, tmp_path, {"records/refunds.csv": "".join(f"{line}\n" for line in lines).encode()})
    assert main([str(path), "--lang", "en"]) == 1
    assert said in capsys.readouterr().out


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
