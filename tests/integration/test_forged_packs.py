"""Evidence packs that somebody changed, one bit or so that the manifest fits again: the checker names what is wrong."""

import csv
import hashlib
import json
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from kanpu_verify.__main__ import main

from apps.inspections.packs.frame import Frame
from apps.inspections.packs.tables import document
from apps.refunds.models import Run
from tests.examples import examples
from tests.packing import contents, refund_pack, run, run_pack, sealed
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)

__all__ = ["run", "sealed"]  # fixtures


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
