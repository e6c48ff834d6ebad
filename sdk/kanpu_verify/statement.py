"""A refund statement: its file, the text that its leaf is made of, and the leaf. Amounts are in minor units."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from kanpu_verify.merkle import leaf_hash

FORMAT: Final = "kanpu refund statement v1"
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_TIER: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Unusable(Exception):
    """The file is no statement that can be checked. `place` is the field, `needs` the key of what it should be."""

    def __init__(self, place: str, needs: str) -> None:
        super().__init__(f"{place}: {needs}")
        self.place = place
        self.needs = needs


@dataclass(frozen=True, slots=True)
class Line:
    """Spend on a tier in months at one rate, tax included. `share` of it comes back, unless there is a base."""

    tier: str
    first_month: int
    last_month: int
    spend_minor: int
    base_minor: int | None
    share: Fraction


@dataclass(frozen=True, slots=True)
class Cut:
    """What a rule made of an amount, before and after, in 1/denominator of a minor unit."""

    rule: int
    period: int
    before: int
    after: int
    is_of_one_person_and_year: bool


@dataclass(frozen=True, slots=True)
class Tree:
    """The tree after a run, and the path that connects it with this statement's."""

    run: int
    size: int
    root: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as its file says; nothing of it is checked but the shape."""

    resident_ref: str
    year: int
    run: int
    scheme_sha256: str
    entitled_minor: int
    earlier_minor: int
    due_minor: int
    lines: tuple[Line, ...]
    cuts: tuple[Cut, ...]
    denominator: int
    salt: bytes
    leaf_index: int
    tree_size: int
    root: bytes
    path: tuple[bytes, ...]
    earlier: tuple[Tree, ...]


def read(data: bytes) -> Statement:
    """Return the statement in a file's bytes. Fields that are not known are left out. Raises Unusable."""
    try:
        document = json.loads(data.decode("utf-8"), object_pairs_hook=once_each, parse_float=str)
    except (ValueError, RecursionError):
        raise Unusable("-", "json") from None
    fields = _Fields(document, "")
    if fields.get("format") != FORMAT:
        raise Unusable("format", "format")
    proof = fields.object("proof")
    return Statement(
        resident_ref=fields.text("resident_ref", _UUID, "uuid"),
        year=fields.number("year", least=1),
        run=fields.number("run", least=1),
        scheme_sha256=fields.object("scheme").text("sha256", _HASH, "hash"),
        entitled_minor=fields.number("entitled_minor"),
        earlier_minor=fields.number("earlier_minor"),
        due_minor=fields.number("due_minor"),
        lines=tuple(map(_line, fields.objects("lines"))),
        cuts=tuple(map(_cut, fields.objects("cuts"))),
        denominator=fields.number("denominator", least=1),
        salt=proof.hash("salt"),
        leaf_index=proof.number("leaf_index", least=0),
        tree_size=proof.number("tree_size", least=1),
        root=proof.hash("root"),
        path=proof.hashes("path"),
        earlier=tuple(map(_tree, proof.objects("earlier"))),
    )


def body(statement: Statement) -> bytes:
    """Return the text that the leaf stands for: everything that decides the amount, in UTF-8."""
    lines = ",".join(map(_line_text, statement.lines))
    cuts = ",".join(f"{cut.rule}:{cut.period}={cut.before}>{cut.after}" for cut in statement.cuts)
    rows = (
        FORMAT,
        f"year {statement.year}",
        f"run {statement.run}",
        f"scheme {statement.scheme_sha256}",
        f"resident {statement.resident_ref}",
        f"entitled {statement.entitled_minor}",
        f"earlier {statement.earlier_minor}",
        f"due {statement.due_minor}",
        f"lines {lines or '-'}",
        f"cuts {cuts or '-'}",
    )
    return "\n".join(rows).encode()


def leaf(statement: Statement) -> bytes:
    """Return the hash of the statement's leaf: of its salt and its body."""
    return leaf_hash(statement.salt + body(statement))


def _line_text(line: Line) -> str:
    text = f"{line.tier}:{line.first_month}-{line.last_month}={line.spend_minor}"
    return text if line.base_minor is None else f"{text}/{line.base_minor}"


@dataclass(frozen=True, slots=True)
class _Fields:
    """An object of the file, and where it stands."""

    values: Any
    place: str

    def __post_init__(self) -> None:
        if not isinstance(self.values, dict):
            raise Unusable(self.place or "-", "object")

    def get(self, name: str) -> Any:
        return self.values.get(name)

    def at(self, name: str) -> str:
        return f"{self.place}.{name}" if self.place else name

    def number(self, name: str, *, least: int | None = None, most: int | None = None) -> int:
        value = self.get(name)
        if type(value) is not int or (least is not None and value < least) or (most is not None and value > most):
            raise Unusable(self.at(name), "integer")
        return value

    def text(self, name: str, pattern: re.Pattern[str], needs: str) -> str:
        value = self.get(name)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise Unusable(self.at(name), needs)
        return value

    def hash(self, name: str) -> bytes:
        return bytes.fromhex(self.text(name, _HASH, "hash"))

    def list(self, name: str) -> Sequence[Any]:
        value = self.get(name)
        if not isinstance(value, list):
            raise Unusable(self.at(name), "list")
        return value

    def hashes(self, name: str) -> tuple[bytes, ...]:
        values = self.list(name)
        if not all(isinstance(value, str) and _HASH.fullmatch(value) for value in values):
            raise Unusable(self.at(name), "hashes")
        return tuple(map(bytes.fromhex, values))

    def object(self, name: str) -> "_Fields":
        return _Fields(self.get(name), self.at(name))

    def objects(self, name: str) -> "Sequence[_Fields]":
        return [_Fields(value, f"{self.at(name)}[{index}]") for index, value in enumerate(self.list(name))]


def _line(fields: _Fields) -> Line:
    first_month = fields.number("first_month", least=1, most=12)
    return Line(
        tier=fields.text("tier", _TIER, "tier"),
        first_month=first_month,
        last_month=fields.number("last_month", least=first_month, most=12),
        spend_minor=fields.number("spend_minor"),
        base_minor=None if fields.get("base_minor") is None else fields.number("base_minor"),
        share=_share(fields),
    )


def _share(fields: _Fields) -> Fraction:
    value = fields.list("share")
    if len(value) != 2 or not all(type(part) is int for part in value) or value[1] < 1:
        raise Unusable(fields.at("share"), "share")
    return Fraction(value[0], value[1])


def _cut(fields: _Fields) -> Cut:
    return Cut(
        rule=fields.number("rule", least=0),
        period=fields.number("period", least=0),
        before=fields.number("before"),
        after=fields.number("after"),
        is_of_one_person_and_year=fields.get("per") in (None, "year") and fields.get("for") in (None, "person"),
    )


def _tree(fields: _Fields) -> Tree:
    return Tree(
        run=fields.number("run", least=1),
        size=fields.number("tree_size", least=0),
        root=fields.hash("root"),
        path=fields.hashes("path"),
    )


def once_each(pairs: Sequence[tuple[str, Any]]) -> Mapping[str, Any]:
    """Refuse an object that names a field twice: two readers could see two statements in it."""
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a field is there twice")
    return values
