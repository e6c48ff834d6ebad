"""What must hold of an evidence pack: each check says whether it does, and names what does not. Exact and offline."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Final

from kanpu_verify import pack_log, pack_records, pack_run
from kanpu_verify.checks import Finding
from kanpu_verify.checks import findings as statement_findings
from kanpu_verify.frame import crc_of
from kanpu_verify.pack import MANIFEST, MANIFEST_HASH, Pack
from kanpu_verify.statement import Statement, Unusable, read

MOST_NAMED: Final = 20
SHAPES: Final = (KeyError, IndexError, TypeError, ValueError, AttributeError)
Part = Callable[[], Iterator[Finding]]


def findings(pack: Pack, root: bytes | None = None) -> list[Finding]:
    """Return every check of a pack; `root` is the run's published one, 32 bytes, when the user has it."""
    parts: list[Part] = [lambda: _files(pack), lambda: _counts(pack)]
    if pack.kind == "run":
        parts += [lambda: pack_run.figures(pack, root), lambda: pack_run.refunds(pack)]
    if pack.kind == "refund":
        parts += [lambda: pack_run.figures(pack, root), lambda: _refund(pack)]
    if "records/seals.jsonl" in pack.members:
        parts.append(lambda: pack_records.seals(pack))
    parts.append(lambda: pack_log.log(pack))
    return [finding for part in parts for finding in _tried(part)]


def _tried(part: Part) -> Iterator[Finding]:
    """A part's findings; where its files have not the shape that it needs, that is one."""
    try:
        yield from part()
    except Unusable as error:
        yield Finding("pack_unreadable", False, {"place": error.place})
    except SHAPES as error:
        yield Finding("pack_unreadable", False, {"place": f"{type(error).__name__}: {error}"})


def _files(pack: Pack) -> Iterator[Finding]:
    if pack.data(MANIFEST_HASH) != f"{pack.sha256(MANIFEST)}  {MANIFEST}\n".encode():
        yield Finding("pack_file", False, {"name": f"{MANIFEST} / {MANIFEST_HASH}"})
        return
    listed = {file["name"]: file for file in pack.manifest["files"]}
    expected = (*listed, MANIFEST, MANIFEST_HASH)
    wrong = [name for name in {*expected, *pack.members} if not _is_as_listed(pack, name, listed)]
    if not wrong and pack.order != expected:
        wrong = [MANIFEST]
    for name in sorted(wrong)[:MOST_NAMED]:
        yield Finding("pack_file", False, {"name": name})
    if not wrong:
        yield Finding("pack_file", True, {"files": len(listed), "sha256": _sha256(pack)})


def _is_as_listed(pack: Pack, name: str, listed: Mapping[str, Any]) -> bool:
    member = pack.members.get(name)
    if member is None or crc_of(pack.file, member) != member.crc32:
        return False
    if name in (MANIFEST, MANIFEST_HASH):
        return True
    return name in listed and (pack.sha256(name), member.bytes) == (listed[name]["sha256"], listed[name]["bytes"])


def _sha256(pack: Pack) -> str:
    pack.file.seek(0)
    return hashlib.file_digest(pack.file, "sha256").hexdigest()  # type: ignore[arg-type]


def _counts(pack: Pack) -> Iterator[Finding]:
    """Records and control totals, counted again."""
    tables = [file for file in pack.manifest["files"] if "records" in file]
    wrong = [file["name"] for file in tables if _counted(pack, file) != (file["records"], file["sums"])]
    for name in wrong:
        yield Finding("pack_counts", False, {"name": name})
    if not wrong:
        records = sum(file["records"] for file in tables)
        yield Finding("pack_counts", True, {"tables": len(tables), "records": records})


def _counted(pack: Pack, file: Any) -> tuple[int, dict[str, int]]:
    records, sums = 0, dict.fromkeys(file["sums"], 0)
    for row in pack.rows(file["name"]):
        records += 1
        for name in sums:
            sums[name] += int(row[name] or 0)
    return records, sums


def _refund(pack: Pack) -> Iterator[Finding]:
    statement = read(pack.data("statement.json"))
    yield from islice(statement_findings(statement), len(statement_findings(statement)) - 2)  # the root is the run's
    yield _is_of_run(pack, statement)
    yield from pack_records.recomputed(pack, statement)


def _is_of_run(pack: Pack, statement: Statement) -> Finding:
    figures = pack.document("run.json")["figures"]
    of_run = figures["year"], figures["run"], figures["root"], figures["tree_size"], figures["scheme_sha256"]
    own = statement.year, statement.run, statement.root.hex(), statement.tree_size, statement.scheme_sha256
    about = pack.manifest["about"]
    return Finding("pack_statement", own == of_run and about["resident_ref"] == statement.resident_ref)
