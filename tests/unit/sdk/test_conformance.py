"""The conformance kit without a server: its list of cases, its command line, and its signed report."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from kanpu_pos.conformance import ReportError, main, read_report
from kanpu_pos.conformance.registry import CASES, GROUPS, TILL_GROUP, chosen
from kanpu_pos.conformance.report import signed, terminals_json
from kanpu_pos.conformance.terminals import TestTerminal, line_of
from kanpu_pos.seal import digest_0, extended

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
REPORT = {"vendor": "acme", "cases": [{"name": "金額", "outcome": "passed"}]}


def test_every_case_is_a_sentence_of_its_own_in_a_known_group() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    assert {case.group for case in CASES} == set(GROUPS)
    assert all(case.name[0].isupper() and case.source for case in CASES)


def test_cases_are_chosen_by_their_words_and_a_tills_only_with_a_till() -> None:
    assert [case.group for case in chosen([], with_till=False)].count(TILL_GROUP) == 0
    assert {case.group for case in chosen(["SEAL"], with_till=False)} >= {"seal"}
    assert chosen(["no such words"], with_till=True) == []


def test_the_list_shows_all_cases_by_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(CASES)
    assert lines[0].startswith("records: ")
    assert lines[-1].startswith(f"{TILL_GROUP}: ")


GOOD = {
    "--url": "https://pos.example", "--key": "kp_test_0123456789", "--vendor": "acme", "--product": "till",
    "--version": "4.2",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"--url": "pos.example"}, "--url"),
        ({"--url": "https://"}, "--url"),
        ({"--url": "https://pos:x"}, "--url"),
        ({"--key": "kp_live_0123456789"}, "test key"),
        ({"--vendor": "Acme Tills"}, "--vendor"),
        ({"--version": "4/2"}, "--version"),
        ({"--only": "no such words"}, "--list"),
        ({"--out": "/no/such/folder/report.json"}, "/no/such/folder"),
    ],
)
def test_it_says_what_is_missing_on_the_command_line(
    changes: dict[str, str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word for option in (GOOD | changes).items() for word in option]) == 2
    assert words in capsys.readouterr().err


def written(path: Path, *, key: Ed25519PrivateKey = KEY) -> Path:
    path.write_text(signed(REPORT, TestTerminal("kit-1", key)), encoding="utf-8")
    return path


def test_a_signed_report_is_read_back(tmp_path: Path) -> None:
    path = written(tmp_path / "report.json")
    assert read_report(path, PUBLIC) == REPORT
    assert json.loads(path.read_text())["terminal"] == "kit-1"


def test_a_report_that_was_changed_or_signed_by_another_is_not(tmp_path: Path) -> None:
    path = written(tmp_path / "report.json", key=Ed25519PrivateKey.generate())
    with pytest.raises(ReportError, match="another key"):
        read_report(path, PUBLIC)
    path = written(tmp_path / "report.json")
    path.write_text(path.read_text().replace("acme", "evil"))
    with pytest.raises(ReportError, match="changed"):
        read_report(path, PUBLIC)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"report": 1, "signature": "AA"}', '{"report": "{}", "signature": 3}']
)
def test_what_is_no_report_is_not_read(text: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(ReportError):
        read_report(path, PUBLIC)


def test_the_kits_terminals_keep_their_chains_and_say_where_they_stand() -> None:
    sealed, late, plain = (
        TestTerminal("kit-1", KEY),
        TestTerminal("kit-2", KEY, sealed_from=3),
        TestTerminal("kit-3", None),
    )
    records = [{"seq": seq, "at": "2017-04-03T09:30:00+09:00", "kind": "unused"} for seq in (1, 2, 3)]
    head = digest_0("kit-1")
    for record in records:
        sealed.keep(record, record)
        head = extended(head, line_of(record))
    late.keep(*records)
    assert sealed.head == head
    assert late.head == extended(digest_0("kit-2"), line_of(records[2]))
    places = {row["code"]: row["next_seq"] for row in terminals_json([sealed, late, plain])}
    assert places == {"kit-1": 4, "kit-2": 4}
