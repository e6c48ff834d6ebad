"""Checking the log: each row against its leaf, each leaf against its copy outside, the tree against what was signed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from apps.audit import merkle, outside
from apps.audit.leaves import leaf_of
from apps.audit.merkle import TileDamaged
from apps.audit.models import Checkpoint, LogHead
from apps.audit.notes import Head, NoteWrong, read_note
from apps.audit.queries.log import log_size, logged_rows, published_key, read_tile, unlogged

MOST_FINDINGS: Final = 100
LEAVES_AT_ONCE: Final = 8_192


class Finding(NamedTuple):
    """What is wrong.

    Kinds: `edit` (a row is not as it was logged), `gap` (a row or a place is gone), `reordering`, `cut_tail` (the log
    is shorter than it was), `unlogged` (a row that the log passed over), `rewritten` (leaves or tree are not what was
    signed), `checkpoint` (a note is wrong, missing or added).
    """

    kind: str
    where: str
    words: str


class Misplaced(NamedTuple):
    """An entry whose leaf is not the one that was kept of its place."""

    position: int
    where: str
    leaf: bytes
    kept: bytes


@dataclass(slots=True)
class Verified:
    """How many entries and checkpoints were looked at, and the first of what is wrong."""

    entries: int = 0
    checkpoints: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, kind: str, where: object, words: str) -> None:
        """One more finding."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(kind, str(where), words))


def verify_log(folder: Path, *, seen: Callable[[int], None] = lambda _: None) -> Verified:
    """Check the whole log, and what is kept of it in `folder`. `seen` gets how many entries were looked at.

    Raises KeyMissing when nothing was kept there yet.
    """
    found = Verified()
    signed = _signed(folder, found)
    walk = _Walk(folder, found, dict(signed))
    for position, source, number, leaf, row in logged_rows(0):
        walk.go_to(position)
        walk.take(f"{source} {number}", leaf, None if row is None else leaf_of(source, row))
        found.entries += 1
        if found.entries % LEAVES_AT_ONCE == 0:
            seen(found.entries)
    walk.end(log_size(), max(signed, default=0))
    _check_published_key(folder, found)
    _check_passed_over(found)
    return found


@dataclass(slots=True)
class _Walk:
    """Going through the log from its first entry, place by place."""

    folder: Path
    found: Verified
    signed: dict[int, bytes]
    size: int = 0
    tops: list[bytes | None] = field(default_factory=list)
    misplaced: list[Misplaced] = field(default_factory=list)
    kept: list[bytes] = field(default_factory=list)
    kept_from: int = 0

    def go_to(self, position: int) -> None:
        """Name the places before `position` that are gone, and take their leaves as they were kept."""
        while self.size < position:
            self.found.add("gap", self.size, f"Entry {self.size} of the log is gone.")
            self._grow(self._kept() or b"")

    def take(self, where: str, leaf: bytes, now: bytes | None) -> None:
        """The entry at the next place: `leaf` as the log has it, `now` as its row says (None: there is no row)."""
        kept = self._kept() or leaf
        named = f"Entry {self.size} of the log, {where},"
        if now is None:
            self.found.add("gap", where, f"{named} is gone.")
        elif now != leaf:
            kind = "rewritten" if now == kept else "edit"
            self.found.add(kind, where, f"{named} is not what it was when it was logged.")
        elif leaf != kept:
            self.misplaced.append(Misplaced(self.size, where, leaf, kept))
        self._grow(leaf)

    def end(self, size: int, signed: int) -> None:
        """What shows only at the end: what moved, what was cut off, and whether the kept tree is the leaves'."""
        self._name_misplaced()
        kept = outside.kept_leaves(self.folder)
        should = max(size, signed, kept)
        if self.size < should:
            words = f"The log had {should} entries and has {self.size}: its end was cut off."
            self.found.add("cut_tail", self.size, words)
        elif size != self.size:
            words = f"The log says that it has {size} entries, and has {self.size}."
            self.found.add("rewritten", "head", words)
        try:
            tiles = merkle.root(size=self.size, read=read_tile)
        except TileDamaged:
            tiles = b""
        if tiles != self._root() and size == self.size:
            self.found.add("rewritten", "tiles", "The tree that is kept is not that of the leaves.")

    def _name_misplaced(self) -> None:
        here = {one.leaf for one in self.misplaced}
        elsewhere = {one.kept: one.position for one in self.misplaced}
        for one in self.misplaced:
            named = f"Entry {one.position} of the log, {one.where},"
            if one.leaf in elsewhere:
                self.found.add("reordering", one.where, f"{named} stood at place {elsewhere[one.leaf]}.")
            else:
                self.found.add("edit", one.where, f"{named} is not what it was when it was logged.")
            if one.kept not in here and one.leaf in elsewhere:
                self.found.add("gap", one.position, f"What stood at place {one.position} of the log is gone.")

    def _kept(self) -> bytes | None:
        """The leaf that was kept outside of this place; many are read at once."""
        if not self.kept_from <= self.size < self.kept_from + len(self.kept):
            self.kept_from, self.kept = self.size, outside.read_leaves(self.folder, self.size, LEAVES_AT_ONCE)
        return self.kept[self.size - self.kept_from] if self.kept else None

    def _grow(self, leaf: bytes) -> None:
        """One more leaf: the tops of whole subtrees are kept by height, enough for the root at any size."""
        height, top = 0, leaf
        while height < len(self.tops) and (left := self.tops[height]) is not None:
            top, self.tops[height] = merkle.node_hash(left, top), None
            height += 1
        if height == len(self.tops):
            self.tops.append(None)
        self.tops[height] = top
        self.size += 1
        root = self.signed.get(self.size)
        if root is not None and root != self._root():
            words = f"The first {self.size} entries are not those that were signed."
            self.found.add("rewritten", self.size, words)
            self.signed.clear()  # all later ones are wrong for the same reason

    def _root(self) -> bytes:
        root = None
        for top in self.tops:
            if top is not None:
                root = top if root is None else merkle.node_hash(top, root)
        return root or merkle.EMPTY_ROOT


def _signed(folder: Path, found: Verified) -> Mapping[int, bytes]:
    """The roots that the checkpoints outside have signed, by size; and whether the database has the same."""
    key = outside.public_key(folder)
    heads: dict[int, bytes] = {}
    for number, note in enumerate(outside.kept_notes(folder), 1):
        found.checkpoints += 1
        try:
            head = read_note(note, key)
        except NoteWrong as error:
            found.add("checkpoint", f"note {number}", str(error))
            continue
        if head.size < max(heads, default=0):
            found.add("checkpoint", f"note {number}", "A checkpoint is of fewer entries than the one before it.")
        heads[head.size] = head.root
    _check_checkpoints([Head(c.size, bytes(c.root)) for c in Checkpoint.objects.order_by("size")], heads, found)
    return heads


def _check_checkpoints(stored: Sequence[Head], heads: Mapping[int, bytes], found: Verified) -> None:
    for head in stored:
        if heads.get(head.size) != head.root:
            words = f"The database's checkpoint of {head.size} entries is not one that was kept outside."
            found.add("checkpoint", head.size, words)
    for size in sorted(heads.keys() - {head.size for head in stored}):
        found.add("checkpoint", size, f"The database has no checkpoint of {size} entries any more.")


def _check_published_key(folder: Path, found: Verified) -> None:
    published = published_key()
    if published and published != outside.public_pem(outside.public_key(folder)):
        found.add("checkpoint", "key", "The key that web servers publish is not the one that is kept outside.")


def _check_passed_over(found: Verified) -> None:
    horizon = LogHead.objects.values_list("horizon", flat=True).first() or 0
    for source in ("event", "access"):
        for number in unlogged(source, before=horizon):
            where = f"{source} {number}"
            found.add("unlogged", where, f"The log has gone past {where} and does not have it.")


def as_json(found: Verified) -> dict[str, Any]:
    """What was found, for a command's result."""
    findings = [finding._asdict() for finding in found.findings]
    return {"entries": found.entries, "checkpoints": found.checkpoints, "findings": findings}
