"""What a pack holds, and writing it: documents, tables, dictionary, summary, manifest, in this order. Pure."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from apps.inspections.packs.dictionary import dictionary
from apps.inspections.packs.frame import Frame
from apps.inspections.packs.tables import Table, document

FORMAT: Final = "kanpu evidence pack v1"
MANIFEST: Final = "manifest.json"
CHUNK_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Content:
    """What goes into a pack: files as they are, tables, and what its first page says.

    `kind` is run, refund or case; `about` names it. `name` is the file's, without ending.
    """

    kind: str
    name: str
    about: Mapping[str, Any]
    documents: Sequence[tuple[str, bytes]]
    tables: Sequence[Table]
    summary: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """A pack that was written: how long it is, its SHA-256 in hex, and how many records its tables have."""

    bytes: int
    sha256: str
    records: int


def write(file: BinaryIO, content: Content, *, summary_pdf: Callable[[Mapping[str, Any]], bytes]) -> Written:
    """Write a pack to an empty file that can be read and go back. The same content makes the same bytes.

    `summary_pdf` sets the first page; it gets the summary with the tables' counts. Raises PackTooLarge and what it
    raises.
    """
    frame = Frame(file)
    for path, data in content.documents:
        frame.add(path, [data])
    for table in content.tables:
        frame.add(table.path, table.chunks())
    words = _dictionary(content.tables)
    frame.add(words.path, words.chunks())
    tables = [*content.tables, words]
    counts = [{"file": table.path, "records": table.records, "sums": table.sums} for table in tables]
    frame.add("summary.pdf", [summary_pdf({**content.summary, "tables": counts})])
    manifest = _manifest(content, frame, tables)
    frame.add(MANIFEST, [manifest])
    frame.add(f"{MANIFEST}.sha256", [f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST}\n".encode()])
    frame.close()
    return Written(file.tell(), _sha256(file), sum(table.records for table in content.tables))


def _dictionary(tables: Sequence[Table]) -> Table:
    columns = ("file", "column", "en", "ja")
    return Table("dictionary", columns, list(dictionary((table.path, table.columns) for table in tables)))


def _manifest(content: Content, frame: Frame, tables: Sequence[Table]) -> bytes:
    counted = {table.path: {"records": table.records, "sums": table.sums} for table in tables}
    files = [
        {"name": member.name, "bytes": member.bytes, "sha256": member.sha256, **counted.get(member.name, {})}
        for member in frame.members
    ]
    return document({"format": FORMAT, "kind": content.kind, "about": dict(content.about), "files": files})


def _sha256(file: BinaryIO) -> str:
    file.seek(0)
    found = hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        found.update(chunk)
    return found.hexdigest()
