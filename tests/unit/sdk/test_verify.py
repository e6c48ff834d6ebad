"""The checker of refund statements: statements made with the server's tree, and every figure changed one by one."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import kanpu_verify
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kanpu_verify import Unusable, findings, leaf, read, verify_consistency, verify_inclusion
from kanpu_verify.__main__ import main

from apps.audit import merkle

from .vectors import document

SDK = Path(kanpu_verify.__file__).parents[1]
VECTORS = document("statements.json")
TREES = document("merkle.json")["trees"]
HOLD = [row["statement"] for row in VECTORS["hold"]]
OTHER = "ab" * 32

# Not in the leaf and in no check: what a reader is told, but not proven.
NOT_COVERED = {"currency", "minor_unit_digits", "run_digest", "code", "version", "ja", "en"}


def names(statement: Any, root: bytes | None = None) -> list[str]:
    """The checks that fail, each once."""
    found = findings(read(json.dumps(statement).encode()), root)
    return list(dict.fromkeys(finding.name for finding in found if finding.holds is False))


def changed(statement: Any, path: Sequence[str | int], value: Any) -> Any:
    made = copy.deepcopy(statement)
    at = made
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return made


def leaves_of(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value of a statement that is not a list or an object, and the way to it."""
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves_of(inner, (*path, name))
    else:
        yield path, value


def is_refused(statement: Any) -> bool:
    try:
        return bool(names(statement))
    except Unusable:
        return True


def published(sizes: Sequence[int], index: int, run: int, **figures: Any) -> dict[str, Any]:
    """A statement as the server proves it: leaf `index` after runs that ended at these sizes."""
    made = {**copy.deepcopy(HOLD[0]), "run": run, **figures}
    made["proof"] |= {"leaf_index": index, "tree_size": sizes[-1], "path": [], "earlier": []}
    hashes = [merkle.leaf_hash(bytes([number % 251])) for number in range(sizes[-1])]
    hashes[index] = leaf(read(json.dumps(made).encode()))
    tiles: dict[tuple[int, int], bytes] = {}

    def tile(level: int, number: int) -> bytes:
        return tiles[level, number]

    size = 0
    for end in sizes:
        growth = merkle.Growth(size=size, leaves=hashes[size:end], read=tile)
        tiles.update(((made.level, made.number), made.hashes) for made in growth)
        size = growth.size
    made["proof"]["root"] = merkle.root(size=size, read=tile).hex()
    made["proof"]["path"] = [step.hex() for step in merkle.inclusion_path(index=index, size=size, read=tile)]
    made["proof"]["earlier"] = [
        {
            "run": number,
            "tree_size": old_size,
            "root": merkle.root(size=old_size, read=tile).hex(),
            "path": [step.hex() for step in merkle.consistency_path(old_size=old_size, size=size, read=tile)],
        }
        for number, old_size in enumerate(sizes[:-1], 1)
    ]
    return made


@pytest.mark.parametrize("row", VECTORS["hold"], ids=["at the cap", "second run", "pooled"])
def test_a_good_statement_holds_and_its_leaf_is_the_published_one(row: dict[str, Any]) -> None:
    statement = read(json.dumps(row["statement"]).encode())
    assert kanpu_verify.body(statement).decode() == row["body"]
    assert leaf(statement).hex() == row["leaf"]
    assert names(row["statement"]) == []


@pytest.mark.parametrize("row", VECTORS["do_not_hold"], ids=lambda row: f"{row['of']}-{row['path']}")
def test_a_changed_statement_fails_the_checks_that_the_vectors_name(row: dict[str, Any]) -> None:
    assert names(changed(HOLD[row["of"]], row["path"], row["value"])) == row["fails"]


@pytest.mark.parametrize("row", VECTORS["unusable"], ids=lambda row: f"{row['of']}-{row['path']}")
def test_what_is_no_statement_is_unusable_and_the_field_is_named(row: dict[str, Any]) -> None:
    with pytest.raises(Unusable) as caught:
        read(json.dumps(changed(HOLD[row["of"]], row["path"], row["value"])).encode())
    assert caught.value.place.startswith(str(row["path"][0]))


@pytest.mark.parametrize(
    ("statement", "path", "value"),
    [
        (statement, path, value)
        for statement in HOLD[:2]
        for path, value in leaves_of(statement)
        if path != ("proof", "tree_size") and (path != ("denominator",) or statement["cuts"])
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else "",
)
def test_every_value_changed_by_itself_is_caught(statement: Any, path: tuple[str | int, ...], value: Any) -> None:
    others: list[Any] = [None, "x", OTHER] + ([value + 1, value - 1, -value] if isinstance(value, int) else [])
    for other in others:
        if other != value and not (value == 1 and other == 2 and is_share_of_nothing(statement, path)):
            assert is_refused(changed(statement, path, other)) == (path[-1] not in NOT_COVERED), other


def is_share_of_nothing(statement: Any, path: Sequence[str | int]) -> bool:
    """0/2 is no other share than 0/1."""
    return path[2:] == ("share", 1) and statement["lines"][path[1]]["share"][0] == 0


def test_a_wrong_tree_size_is_caught_where_the_path_has_another_shape() -> None:
    """An inclusion path alone does not fix the size (RFC 9162): hence the size is published with the root."""
    caught = {size for size in range(1, 12) if is_refused(changed(HOLD[0], ["proof", "tree_size"], size))}
    assert caught == {1, 2, 3, 4, 9, 10, 11}


@given(st.data(), st.lists(st.integers(1, 400), min_size=1, max_size=4))
def test_what_the_server_proves_holds_after_any_runs(data: st.DataObject, added: list[int]) -> None:
    sizes = [sum(added[: count + 1]) for count in range(len(added))]
    index = data.draw(st.integers(0, sizes[-1] - 1))
    run = 1 + sum(size <= index for size in sizes)
    statement = published(sizes, index, run)
    assert names(statement, bytes.fromhex(statement["proof"]["root"])) == []
    other_run = data.draw(st.integers(1, len(sizes)).filter(lambda number: number != run) | st.just(len(sizes) + 1))
    assert "order" in names({**statement, "run": other_run})


def test_a_run_that_refunded_nobody_is_no_hindrance() -> None:
    statement = published([0, 3], 1, 2)
    assert names(statement) == []
    assert names(changed(statement, ["proof", "earlier", 0, "root"], OTHER)) == ["consistency"]


@pytest.mark.parametrize(
    ("spend_minor", "entitled_minor", "fails"),
    [(54, 1, []), (54, 0, []), (54, 2, ["arithmetic"]), (550, 10, []), (550, 12, ["arithmetic"]), (-550, 0, [])],
)
def test_without_a_cut_the_lines_make_the_refund_within_one_minor_unit(
    spend_minor: int, entitled_minor: int, fails: list[str]
) -> None:
    line = {**HOLD[0]["lines"][0], "spend_minor": spend_minor}
    figures = {"lines": [line], "cuts": [], "entitled_minor": entitled_minor, "due_minor": entitled_minor}
    assert names(published([2], 0, 1, **figures)) == fails


def test_what_the_cap_leaves_is_the_refund() -> None:
    cut = {**HOLD[0]["cuts"][0], "after": 330_000}
    assert names(published([2], 0, 1, cuts=[cut])) == ["arithmetic_cut"]


def test_a_list_that_became_shorter_is_not_in_order() -> None:
    statement = published([3, 5, 8], 6, 3)
    first, second = statement["proof"]["earlier"]
    assert names(changed(statement, ["proof", "earlier"], [{**second, "run": 1}, {**first, "run": 2}])) == ["order"]


@pytest.mark.parametrize("mark", [{"per": "month"}, {"for": "household"}])
def test_a_month_s_or_a_household_s_cut_is_not_taken_for_the_year_s(mark: dict[str, str]) -> None:
    cut = {"rule": 0, "period": 1, "before": 1, "after": 0}
    assert names(published([2], 0, 1, cuts=[cut])) == ["arithmetic_cut"]
    assert names(published([2], 0, 1, cuts=[cut | mark])) == []


def test_shares_are_exact_fractions() -> None:
    assert read(json.dumps(HOLD[0]).encode()).lines[0].share == Fraction(1, 55)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\xff", b"[]", b"{", b"[" * 100_000, b'{"run": ' + b"9" * 5000 + b"}",
        json.dumps(HOLD[0]).replace('"run": 1', '"run": 1, "run": 1', 1).encode(),
        json.dumps(HOLD[0]).replace('"due_minor": 4000', '"due_minor": 4000.0', 1).encode(),
    ],
    ids=["empty", "no UTF-8", "a list", "cut off", "deep", "huge number", "a field twice", "a decimal"],
)  # fmt: skip
def test_odd_files_are_unusable(data: bytes) -> None:
    with pytest.raises(Unusable):
        read(data)


def test_fields_that_are_not_known_are_left_out() -> None:
    assert names({**HOLD[0], "note": 1.5}) == []


@pytest.mark.parametrize("tree", TREES, ids=["8", "300"])
def test_the_published_paths_verify_and_no_other_figure_does(tree: dict[str, Any]) -> None:
    roots = {row["size"]: bytes.fromhex(row["root"]) for row in tree["roots"]}
    data = [
        bytes.fromhex(leaf) for leaf in tree.get("leaves", [number.to_bytes(2, "big").hex() for number in range(300)])
    ]
    for row in tree["inclusion"]:
        path = [bytes.fromhex(step) for step in row["path"]]
        at, size = row["index"], row["size"]
        hashed = merkle.leaf_hash(data[at])
        good = {"leaf": hashed, "index": at, "size": size, "path": path, "root": roots[size]}
        assert verify_inclusion(**good)
        for bad in ({"index": at + 1}, {"index": at - 1}, {"leaf": bytes(32)}, {"path": [*path, bytes(32)]}):
            assert not verify_inclusion(**{**good, **bad}), bad
        assert not path or not verify_inclusion(**{**good, "path": path[:-1]})
    for row in tree["consistency"]:
        path = [bytes.fromhex(step) for step in row["path"]]
        old_size, size = row["old_size"], row["size"]
        good = {"old_size": old_size, "size": size, "path": path, "old_root": roots[old_size], "root": roots[size]}
        assert verify_consistency(**good)
        for bad in ({"old_size": 0}, {"old_size": size + 1}, {"old_root": bytes(32)}, {"path": [*path, bytes(32)]}):
            assert not verify_consistency(**{**good, **bad}), bad
        assert not path or not verify_consistency(**{**good, "path": path[:-1]})


def test_a_path_of_another_length_than_the_size_asks_for_proves_nothing() -> None:
    one, other = merkle.leaf_hash(b"one"), merkle.leaf_hash(b"other")
    assert not verify_inclusion(leaf=one, index=0, size=1, path=[other], root=merkle.node_hash(other, one))
    two = merkle.node_hash(one, other)
    assert verify_consistency(old_size=1, size=2, old_root=one, path=[other], root=two)
    assert not verify_consistency(old_size=1, size=4, old_root=one, path=[other], root=two)


def test_what_is_not_32_bytes_is_no_hash() -> None:
    """Else the border between two hashes could be moved, and one node would have several pairs below it."""
    one, other = merkle.leaf_hash(b"one"), merkle.leaf_hash(b"other")
    root = merkle.node_hash(one, other)
    assert verify_inclusion(leaf=one, index=0, size=2, path=[other], root=root)
    assert not verify_inclusion(leaf=one + other[:1], index=0, size=2, path=[other[1:]], root=root)
    assert not verify_consistency(old_size=1, size=2, old_root=one + other[:1], path=[other[1:]], root=root)


def run(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """As a resident runs it, in `sdk/`, without any installed package (-S)."""
    environment = {"PATH": os.environ["PATH"], "PYTHONUTF8": "1", **variables}
    command = [sys.executable, "-S", "-m", "kanpu_verify", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "statement.json"
    path.write_text(json.dumps(HOLD[1]))
    return path


def test_a_resident_runs_it_with_the_published_root(file: Path) -> None:
    root = HOLD[1]["proof"]["root"]
    done = run(SDK, str(file), "--root", root.upper())
    assert (done.returncode, done.stderr) == (0, "")
    assert "all of it holds." in done.stdout
    assert f"The root is the one you gave: {root}" in done.stdout
    assert "Compare" not in done.stdout


def test_without_a_root_it_says_which_to_compare(file: Path) -> None:
    done = run(file.parent, file.name, PYTHONPATH=str(SDK))
    assert done.returncode == 0
    assert "if the root below is the published one" in done.stdout
    assert "Compare this root with the published one for 2017 with 7 statements" in done.stdout


def test_another_root_than_the_published_one_does_not_hold(file: Path) -> None:
    done = run(SDK, str(file), "--root", OTHER)
    assert done.returncode == 1
    assert "The root is not the one you gave" in done.stdout
    assert "What to do:" in done.stdout


def test_a_changed_file_among_good_ones_is_named_and_what_to_do_said(file: Path) -> None:
    other = file.with_name("other.json")
    other.write_text(json.dumps({**HOLD[1], "due_minor": 64}))
    done = run(SDK, str(file), str(other))
    assert done.returncode == 1
    assert f"{other}: SOMETHING DOES NOT HOLD." in done.stdout
    assert "1536 - 1600 is not 64. What to do: Get the statement anew" in done.stdout


@pytest.mark.parametrize("text", ["{}", "no JSON"])
def test_an_unusable_file_is_said_to_be_one(file: Path, text: str) -> None:
    file.write_text(text)
    done = run(SDK, str(file), str(file.with_name("missing.json")))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("cannot be checked") == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("arguments", "variables"), [(("--lang", "ja"), {}), ((), {"LANG": "ja_JP.UTF-8"})])
def test_it_speaks_japanese(file: Path, arguments: tuple[str, ...], variables: dict[str, str]) -> None:
    done = run(SDK, str(file), *arguments, **variables)
    assert done.returncode == 0
    assert "下のルートが公表されたものであれば、すべて適合しています。" in done.stdout
    assert "The " not in done.stdout


def test_a_terminal_without_japanese_still_gets_an_answer(file: Path) -> None:
    done = run(SDK, str(file), "--lang", "ja", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert "\\u" in done.stdout


def test_every_check_has_words_in_both_languages(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for row in VECTORS["do_not_hold"]:
        file.write_text(json.dumps(changed(HOLD[row["of"]], row["path"], row["value"])))
        assert {main([str(file), "--lang", lang, "--root", OTHER]) for lang in ("en", "ja")} == {1}
    for row in VECTORS["unusable"]:
        file.write_text(json.dumps(changed(HOLD[row["of"]], row["path"], row["value"])))
        assert {main([str(file), "--lang", lang]) for lang in ("en", "ja")} == {2}
    shown = capsys.readouterr()
    assert "{" not in shown.out + shown.err
