"""The records a terminal reports. A till stores the bytes of `to_json()`, and sends only those."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields as fields_of
from datetime import datetime
from typing import Any, ClassVar, Final, TypeAlias

from kanpu_pos.fields import (
    FieldError,
    Lines,
    Of,
    check_card_token,
    check_claim,
    check_lines,
    check_of,
    check_seq,
    check_totals,
    check_year,
    time_text,
)

ABSENT: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Numbered:
    """What every record has. `seq` is the terminal's next number, 1 to 2**31-1, spent for ever. `at` is an aware
    datetime, or an RFC 3339 string, which is kept as it is. Raises FieldError, whose `param` names the field.
    """

    kind: ClassVar[str]

    seq: int
    at: datetime | str

    def __post_init__(self) -> None:
        check_seq(self.seq)
        time_text(self.at, param="at")
        self._check()

    @property
    def at_text(self) -> str:
        """The time as it is sent: RFC 3339 with an offset."""
        return time_text(self.at, param="at")

    def to_json(self) -> bytes:
        """Return the record as JSON, the same bytes each time: compact ASCII, fields in a fixed order."""
        fields = {"seq": self.seq, "at": self.at_text, **self._fields()}
        return json.dumps(fields, separators=(",", ":")).encode("ascii")

    def _check(self) -> None:
        """Raise FieldError for what this kind does not allow."""

    def _fields(self) -> dict[str, object]:
        return {"kind": self.kind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale(_Numbered):
    """One sale: what was paid per tax tier, never the items.

    `lines` are pairs of tier code and amount in minor units, tax included: 1 to 50 of them, a tier once. `card`
    is the reader's token and `claim` the hash of a printed claim code: one of them or neither.
    """

    kind: ClassVar[str] = "sale"

    lines: Lines
    card: str | None = None
    claim: str | None = None

    def _check(self) -> None:
        check_lines(self.lines)
        if self.card is not None and self.claim is not None:
            raise FieldError("claim", "a sale has a card or a claim, not both")
        if self.card is not None:
            check_card_token(self.card)
        if self.claim is not None:
            check_claim(self.claim)

    def _fields(self) -> dict[str, object]:
        payer = {"card": self.card} if self.card is not None else {"claim": self.claim}
        return {**(payer if self.card or self.claim else {}), "lines": _rows(self.lines)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Return(_Numbered):
    """Goods brought back: `of` is the (terminal, seq) of their sale at this merchant, `lines` what came back."""

    kind: ClassVar[str] = "return"

    of: Of
    lines: Lines

    def _check(self) -> None:
        check_of(self.of)
        check_lines(self.lines)

    def _fields(self) -> dict[str, object]:
        return {"kind": self.kind, "of": _of_object(self.of), "lines": _rows(self.lines)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Void(_Numbered):
    """Takes what is left of a sale or return of the same terminal, (terminal, seq) in `of`."""

    kind: ClassVar[str] = "void"

    of: Of

    def _check(self) -> None:
        check_of(self.of)

    def _fields(self) -> dict[str, object]:
        return {"kind": self.kind, "of": _of_object(self.of)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction(_Numbered):
    """All `lines` of a sale or return of the same terminal as they should be; `sold_at` mends a wrong clock."""

    kind: ClassVar[str] = "correction"

    of: Of
    lines: Lines
    sold_at: datetime | str | None = None

    @property
    def sold_at_text(self) -> str | None:
        """The mended time as it is sent, or None when the time stays."""
        return None if self.sold_at is None else time_text(self.sold_at, param="sold_at")

    def _check(self) -> None:
        check_of(self.of)
        check_lines(self.lines)
        if self.sold_at is not None:
            time_text(self.sold_at, param="sold_at")

    def _fields(self) -> dict[str, object]:
        fields: dict[str, object] = {"kind": self.kind, "of": _of_object(self.of), "lines": _rows(self.lines)}
        return fields if self.sold_at is None else {**fields, "sold_at": self.sold_at_text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unused(_Numbered):
    """A number whose sale was abandoned: without it the server would wait for that number for ever."""

    kind: ClassVar[str] = "unused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing(_Numbered):
    """The day's end: the terminal's totals of the tax `year` so far, over all its records with a lower seq.

    `totals` are pairs of tier code and integer minor units; 0 and less is possible, and so are no pairs at all.
    """

    kind: ClassVar[str] = "closing"

    year: int
    totals: Lines

    def _check(self) -> None:
        check_year(self.year)
        check_totals(self.totals)

    def _fields(self) -> dict[str, object]:
        return {"kind": self.kind, "year": self.year, "totals": _rows(self.totals)}


Record: TypeAlias = Sale | Return | Void | Correction | Unused | Closing
Following: TypeAlias = Return | Void | Correction  # those that name an earlier record


def line(record: Record) -> str:
    """Return the record's canonical line: two records are the same when their lines are equal byte for byte.

    Six fields joined by newlines, none at the end: seq, at as sent, kind, card or claim or `-`, `terminal:seq` of
    the record it is about or `-`, and the lines as `tier=amount` joined by commas in the order sent. A closing
    has its year, a colon and its totals there; a correction with `sold_at` that time and `@` before its lines.
    """
    payer = (record.card or record.claim or ABSENT) if isinstance(record, Sale) else ABSENT
    of = f"{record.of[0]}:{record.of[1]}" if isinstance(record, Following) else ABSENT
    return "\n".join((str(record.seq), record.at_text, record.kind, payer, of, _last_field(record)))


def from_json(stored: bytes) -> Record:
    """Return the record of stored bytes; unknown fields are dropped.

    Raises FieldError, a ValueError, for what the protocol does not allow, and ValueError for what is no JSON.
    """
    fields: dict[str, Any] = json.loads(stored)
    if not isinstance(fields, dict):
        raise FieldError("", "a record is a JSON object")
    kind = _KINDS.get(fields.get("kind", Sale.kind))
    if kind is None:
        raise FieldError("kind", f"{fields['kind']!r} is no kind of record: {', '.join(_KINDS)}")
    read = {name: _READ.get(name, _as_it_is)(fields[name]) for name in _names(kind) if fields.get(name) is not None}
    missing = [name for name in _names(kind) if name not in read and name not in _OPTIONAL]
    if missing:
        raise FieldError(missing[0], f"a {kind.kind} has this field")
    record: Record = kind(**read)
    return record


_KINDS: Final[Mapping[str, Any]] = {
    kind.kind: kind for kind in (Sale, Return, Void, Correction, Unused, Closing)
}  # fmt: skip
_OPTIONAL: Final = frozenset({"card", "claim", "sold_at"})


def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields_of(kind))


def _as_it_is(value: object) -> object:
    return value


def pairs(rows: Any) -> Any:
    """Return JSON's lines or totals as pairs; what has another shape is left for the record's checks to name."""
    if not isinstance(rows, list):
        return rows
    return tuple((row.get("tier"), row.get("amount")) if isinstance(row, dict) else row for row in rows)


def _of_pair(value: Any) -> object:
    return (value.get("terminal"), value.get("seq")) if isinstance(value, dict) else value


_READ: Final = {"lines": pairs, "totals": pairs, "of": _of_pair}


def _last_field(record: Record) -> str:
    match record:
        case Sale() | Return():
            return _amounts(record.lines)
        case Correction():
            return (
                _amounts(record.lines) if record.sold_at is None else f"{record.sold_at_text}@{_amounts(record.lines)}"
            )
        case Closing():
            return f"{record.year}:{_amounts(record.totals)}"
    return ""


def _amounts(lines: Lines) -> str:
    return ",".join(f"{tier}={amount}" for tier, amount in lines)


def _rows(lines: Lines) -> list[dict[str, object]]:
    return [{"tier": tier, "amount": amount} for tier, amount in lines]


def _of_object(of: Of) -> dict[str, object]:
    return {"terminal": of[0], "seq": of[1]}
