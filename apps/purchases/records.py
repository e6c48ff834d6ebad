"""One record of a batch: reading it, its canonical line, and reading that line again. Pure."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Final, Literal, NamedTuple, TypeAlias, get_args

import msgspec

MAX_AMOUNT_MINOR: Final = 10**12
MAX_TOTAL_MINOR: Final = 10**18  # of a closing, either way: fits 64 bits
MAX_SEQ: Final = 2**31 - 1
MAX_LINES: Final = 50
TOKEN: Final = re.compile(r"kt1\.[A-Za-z0-9_-]{113}[AQgw]")  # 85 bytes: the last character carries two bits
CLAIM: Final = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")  # 32 bytes: the last carries four

Kind: TypeAlias = Literal["sale", "return", "void", "correction", "unused", "closing"]
KINDS: Final = get_args(Kind)
FOLLOWING: Final = frozenset({"return", "void", "correction"})  # they name an earlier record
WITH_LINES: Final = frozenset({"sale", "return", "correction"})

TIER: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
Seq = Annotated[int, msgspec.Meta(ge=1, le=MAX_SEQ)]


class TierAmount(msgspec.Struct, frozen=True):
    """An amount of one tier: integer minor units, tax included."""

    tier: str
    amount: int


class Of(msgspec.Struct, frozen=True):
    """The earlier record that a return, void or correction is about."""

    terminal: Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9][a-z0-9-]{0,62}\Z")]
    seq: Seq


class _Sent(msgspec.Struct, frozen=True):
    seq: Seq
    at: str
    kind: Kind = "sale"
    card: str | None = None
    claim: str | None = None
    of: Of | None = None
    lines: Annotated[list[TierAmount], msgspec.Meta(max_length=MAX_LINES)] = msgspec.field(default_factory=list)
    year: Annotated[int, msgspec.Meta(ge=1, le=9999)] | None = None
    totals: Annotated[list[TierAmount], msgspec.Meta(max_length=MAX_LINES)] | None = None
    sold_at: str | None = None


class _LooseAmount(msgspec.Struct, frozen=True):
    tier: str
    amount: int


class _LooseOf(msgspec.Struct, frozen=True):
    terminal: str
    seq: int


class _Loose(msgspec.Struct, frozen=True):
    """The fields of a line, whatever they say: a malformed record, too, stands in its terminal's chain."""

    seq: int
    at: str
    kind: str = "sale"
    card: str | None = None
    claim: str | None = None
    of: _LooseOf | None = None
    lines: list[_LooseAmount] = msgspec.field(default_factory=list)
    year: int | None = None
    totals: list[_LooseAmount] | None = None
    sold_at: str | None = None


class _Naming(msgspec.Struct, frozen=True):
    of: Of


class _Numbered(msgspec.Struct, frozen=True):
    seq: Seq


class Record(msgspec.Struct, frozen=True):
    """A well-formed record. `line` is its canonical text: two records are the same when their lines are equal.

    Times are in UTC. `lines` are the amounts of a sale, return or correction and the totals of a closing.
    """

    seq: int
    at: datetime
    kind: Kind
    card: str | None
    claim: str | None
    of: Of | None
    lines: tuple[TierAmount, ...]
    year: int | None
    sold_at: datetime | None
    line: str

    @property
    def amount_minor(self) -> int:
        """The sum over its tiers; 0 for a closing, which sells nothing."""
        return 0 if self.kind == "closing" else sum(line.amount for line in self.lines)

    @property
    def identity(self) -> bytes:
        """SHA-256 of what makes it this record."""
        return hashlib.sha256(self.line.encode()).digest()


@dataclass(frozen=True, slots=True)
class Malformed:
    """A record that cannot be read. `seq` is None when even that is missing; `param` names the place.

    `line` is its canonical text, or None when it has not even the shape of a record.
    """

    seq: int | None
    param: str
    reason: str
    raw: bytes
    line: str | None = None

    @property
    def identity(self) -> bytes:
        """SHA-256 of its line, or of the bytes sent, which a till sends again as they are."""
        return hashlib.sha256(self.raw if self.line is None else self.line.encode()).digest()


_READ: Final = msgspec.json.Decoder(_Sent)
_AWARE: Final = Annotated[datetime, msgspec.Meta(tz=True)]
_PLAIN: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9][+-][0-9]{2}:[0-5][0-9]")


def read_record(raw: bytes) -> Record | Malformed:
    """The record in a JSON object. Unknown fields are ignored."""
    try:
        sent = _READ.decode(raw)
        at = _instant(sent.at)
        sold_at = _instant(sent.sold_at) if sent.sold_at is not None and sent.kind == "correction" else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _malformed(raw, *_place_and_reason(str(error)))
    if defect := _malformation(sent):
        return _malformed(raw, *defect)
    closing = sent.kind == "closing"
    lines = sent.totals if closing and sent.totals else sent.lines
    return Record(
        sent.seq, at, sent.kind, sent.card, sent.claim, sent.of, tuple(lines),
        sent.year if closing else None, sold_at, canonical_line(sent),
    )  # fmt: skip


def _instant(text: str) -> datetime:
    """The time in an RFC 3339 text, in UTC, as times of one zone compare fast.

    Fractions beyond a microsecond are dropped, a leap second is taken as the one before.
    """
    at = _plain_instant(text)
    if at is None:
        text = re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text)
        text = re.sub(r"([Tt ][0-9]{2}:[0-9]{2}:)60", r"\g<1>59", text)
        at = msgspec.convert(text, _AWARE)
    try:
        return at.astimezone(UTC)
    except OverflowError:  # within a day of the calendar's ends
        return at


def _plain_instant(text: str) -> datetime | None:
    """The time in a text without fractions, as nearly all tills write it; None for another."""
    if not _PLAIN.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # a day that the calendar does not have
        return None


def canonical_line(sent: "_Sent | _Loose") -> str:
    """The six fields of a record joined by newlines, without one at the end."""
    amounts = (sent.totals or []) if sent.kind == "closing" else sent.lines
    lines = ",".join([f"{line.tier}={line.amount}" for line in amounts])
    if sent.kind == "closing":
        lines = f"{sent.year}:{lines}"
    elif sent.kind == "correction" and sent.sold_at is not None:
        lines = f"{sent.sold_at}@{lines}"
    of = f"{sent.of.terminal}:{sent.of.seq}" if sent.of else "-"
    return f"{sent.seq}\n{sent.at}\n{sent.kind}\n{sent.card or sent.claim or '-'}\n{of}\n{lines}"


def _malformation(sent: _Sent) -> tuple[str, str] | None:
    """The place and the reason of what types alone cannot say."""
    defect = _about_lines(sent) or _about_card(sent) or _about_of(sent)
    if sent.totals and not defect:
        defect = _about_codes("totals", sent.totals)
    return defect or (_about_closing(sent) if sent.kind == "closing" else None)


def _about_lines(sent: _Sent) -> tuple[str, str] | None:
    if sent.kind in WITH_LINES and not sent.lines:
        return "lines", f"a {sent.kind} has at least one line"
    if sent.kind not in WITH_LINES and sent.lines:
        return "lines", f"the kind {sent.kind} has no lines"
    return _about_codes("lines", sent.lines) or _about_twice("lines", sent.lines)


def _about_codes(place: str, amounts: list[TierAmount]) -> tuple[str, str] | None:
    for index, amount in enumerate(amounts):
        if not _is_tier(amount.tier):
            return f"{place}[{index}].tier", f"not a tier's code: {TIER.pattern}"
    return None


def _about_twice(place: str, amounts: list[TierAmount]) -> tuple[str, str] | None:
    if len(amounts) > 1 and len({amount.tier for amount in amounts}) < len(amounts):
        return place, "a tier may stand only once in a record"
    return None


@lru_cache(maxsize=1024)
def _is_tier(text: str) -> bool:
    return TIER.fullmatch(text) is not None


def _about_of(sent: _Sent) -> tuple[str, str] | None:
    if sent.kind in FOLLOWING and sent.of is None:
        return "of", f"a {sent.kind} names the record it is about"
    if sent.kind not in FOLLOWING and sent.of is not None:
        return "of", f"the kind {sent.kind} is about no other record"
    return None


def _about_closing(sent: _Sent) -> tuple[str, str] | None:
    if sent.year is None:
        return "year", "a closing names its tax year"
    if sent.totals is None:
        return "totals", "a closing has totals, though they may be empty"
    if defect := _about_twice("totals", sent.totals):
        return defect
    if any(abs(total.amount) > MAX_TOTAL_MINOR for total in sent.totals):
        return "totals", f"a total is at most {MAX_TOTAL_MINOR:,}"
    return None


def _about_card(sent: _Sent) -> tuple[str, str] | None:
    if sent.kind != "sale" and (sent.card is not None or sent.claim is not None):
        return "card" if sent.card is not None else "claim", f"a {sent.kind} has no card and no claim"
    if sent.card is not None and not TOKEN.fullmatch(sent.card):
        return "card", "not a kt1 token: 'kt1.' and 114 characters base64url without padding"
    if sent.claim is not None and not CLAIM.fullmatch(sent.claim):
        return "claim", "not 32 bytes in base64url without padding"
    return None


def _malformed(raw: bytes, param: str, reason: str) -> Malformed:
    try:
        seq = msgspec.json.decode(raw, type=_Numbered).seq
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        seq = None
    return Malformed(seq, param, reason, raw, _loose_line(raw))


def _loose_line(raw: bytes) -> str | None:
    """The line of a record that breaks rules but has its shape; None if not, or if a line break would blur fields."""
    try:
        line = canonical_line(msgspec.json.decode(raw, type=_Loose))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return line if line.count("\n") == 5 and "\x00" not in line else None


def _place_and_reason(error: str) -> tuple[str, str]:
    """Split a decoder's message into the field's place and what was expected there."""
    reason, _, place = error.partition(" - at `$")
    if not place and ("datetime" in reason or "RFC3339" in reason):
        return "at", "not an RFC 3339 time with an offset, such as 2017-04-03T09:30:00+09:00"
    return place.rstrip("`").lstrip("."), reason


class SentLine(NamedTuple):
    """The fields of a canonical line. Missing texts are empty; `of_seq` and `year` are 0 where there is none."""

    seq: int
    at: str
    kind: str
    token: str
    claim: str
    of_terminal: str
    of_seq: int
    year: int
    sold_at: str
    tiers: tuple[str, ...]
    amounts_minor: tuple[int, ...]

    @property
    def amounts(self) -> dict[str, int]:
        """Each tier's amount in minor units; of a refused record that has a tier twice, their sum."""
        amounts: dict[str, int] = {}
        for tier, amount in zip(self.tiers, self.amounts_minor, strict=True):
            amounts[tier] = amounts.get(tier, 0) + amount
        return amounts


def read_line(line: str) -> SentLine:
    """Split a canonical line into its fields. Raises ValueError for a line that no well-formed record has."""
    seq, at, kind, card_or_claim, of, rest = line.split("\n")
    is_token = card_or_claim.startswith("kt1.")
    of_terminal, _, of_seq = of.rpartition(":")
    year = sold_at = ""
    if kind == "closing":
        year, _, rest = rest.partition(":")
    elif "@" in rest:
        sold_at, _, rest = rest.partition("@")
    pairs = [pair.split("=") for pair in rest.split(",")] if rest else []
    return SentLine(  # by place: every counted purchase comes through here
        int(seq),
        at,
        kind,
        card_or_claim if is_token else "",
        "" if is_token or card_or_claim == "-" else card_or_claim,
        of_terminal,
        int(of_seq) if of_terminal else 0,
        int(year or 0),
        sold_at,
        tuple([tier for tier, _ in pairs]),
        tuple([int(amount) for _, amount in pairs]),
    )


def instant_of(text: str) -> datetime | None:
    """The time that a record's `at` or `sold_at` says, or None when it says none."""
    try:
        return _instant(text)
    except msgspec.ValidationError:
        return None


def sent_time(line: str, param: str) -> str:
    """A record's `at` or `sold_at`, the `param`, as its till wrote it."""
    _, at, *_, amounts = line.split("\n")
    return at if param == "at" else amounts.partition("@")[0]


def named_by(record: Record | Malformed) -> Of | None:
    """The earlier record that a record names; of a malformed one, as far as it has the shape of one."""
    if isinstance(record, Record):
        return record.of
    try:
        return msgspec.json.decode(record.raw, type=_Naming).of
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
