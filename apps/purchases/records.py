"""One record of a batch: reading it, its canonical line, and whether it may be taken. Pure.

The protocol's decisions are made in its order: record_malformed, year_not_open, year_closed, from_the_future,
tier_unknown, tier_not_in_force, amount_invalid, card_and_claim.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import msgspec

from apps.kernel.periods import Period

MAX_AMOUNT_MINOR: Final = 10**12
MAX_SEQ: Final = 2**31 - 1
MAX_LINES: Final = 50
CLOCK_TOLERANCE: Final = timedelta(minutes=10)
TOKEN: Final = re.compile(r"kt1\.[A-Za-z0-9_-]{113}[AQgw]")  # 85 bytes: the last character carries two bits
CLAIM: Final = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")  # 32 bytes: the last carries four

TierCode = Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9_]{0,31}\Z")]


class TierAmount(msgspec.Struct, frozen=True):
    """An amount of one tier: integer minor units, tax included."""

    tier: TierCode
    amount: int


class _Sent(msgspec.Struct, frozen=True):
    seq: Annotated[int, msgspec.Meta(ge=1, le=MAX_SEQ)]
    at: str
    kind: str = "sale"
    card: str | None = None
    claim: str | None = None
    lines: Annotated[list[TierAmount], msgspec.Meta(min_length=1, max_length=MAX_LINES)] = msgspec.field(
        default_factory=list
    )


class _Numbered(msgspec.Struct, frozen=True):
    seq: Annotated[int, msgspec.Meta(ge=1, le=MAX_SEQ)]


@dataclass(frozen=True, slots=True)
class Record:
    """A well-formed record. `line` is its canonical text: two records are the same when their lines are equal."""

    seq: int
    at: datetime
    card: str | None
    claim: str | None
    lines: tuple[TierAmount, ...]
    line: str

    @property
    def amount_minor(self) -> int:
        """The sum over its tiers."""
        return sum(line.amount for line in self.lines)

    @property
    def identity(self) -> bytes:
        """SHA-256 of what makes it this record."""
        return hashlib.sha256(self.line.encode()).digest()


@dataclass(frozen=True, slots=True)
class Malformed:
    """A record that cannot be read. `seq` is None when even that is missing; `param` names the place."""

    seq: int | None
    param: str
    reason: str
    raw: bytes

    @property
    def identity(self) -> bytes:
        """SHA-256 of the bytes sent, which a till sends again as they are."""
        return hashlib.sha256(self.raw).digest()


@dataclass(frozen=True, slots=True)
class Defect:
    """Why a record is refused: the protocol's code, the place, and the value to show."""

    code: str
    param: str
    value: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands under a number: an accepted record's `line`, or a refused one's `identity` and its `defect`."""

    line: str | None = None
    identity: bytes | None = None
    defect: Defect | None = None

    def is_same(self, record: Record | Malformed) -> bool:
        """Whether the record is the one that stands."""
        if self.line is not None:
            return isinstance(record, Record) and record.line == self.line
        return record.identity == self.identity


@dataclass(frozen=True, slots=True)
class YearRules:
    """What a tax year takes: times are half-open; `tiers` gives each tier's periods of validity."""

    year: int
    starts_at: datetime
    ends_at: datetime
    deadline_at: datetime
    zone: ZoneInfo
    tiers: Mapping[str, Sequence[Period]]


def read_record(raw: bytes) -> Record | Malformed:
    """The record in a JSON object. Unknown fields are ignored."""
    try:
        sent = msgspec.json.decode(raw, type=_Sent)
        at = _instant(sent.at)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _malformed(raw, *_place_and_reason(str(error)))
    if defect := _malformation(sent):
        return Malformed(sent.seq, *defect, raw)
    return Record(sent.seq, at, sent.card, sent.claim, tuple(sent.lines), canonical_line(sent))


def _instant(text: str) -> datetime:
    """The time in an RFC 3339 text: fractions beyond a microsecond dropped, a leap second taken as the one before."""
    text = re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text)
    text = re.sub(r"([Tt ][0-9]{2}:[0-9]{2}:)60", r"\g<1>59", text)
    at: datetime = msgspec.convert(text, Annotated[datetime, msgspec.Meta(tz=True)])
    return at


def canonical_line(sent: _Sent) -> str:
    """The six fields of a record joined by newlines, without one at the end."""
    lines = ",".join(f"{line.tier}={line.amount}" for line in sent.lines)
    return f"{sent.seq}\n{sent.at}\n{sent.kind}\n{sent.card or sent.claim or '-'}\n-\n{lines}"


def _malformation(sent: _Sent) -> tuple[str, str] | None:
    """The place and the reason of what types alone cannot say."""
    if sent.kind != "sale":
        return "kind", "this server takes sales only"
    if not sent.lines:
        return "lines", "a sale has at least one line"
    if sent.card is not None and not TOKEN.fullmatch(sent.card):
        return "card", "not a kt1 token: 'kt1.' and 114 characters base64url without padding"
    if sent.claim is not None and not CLAIM.fullmatch(sent.claim):
        return "claim", "not 32 bytes in base64url without padding"
    if len({line.tier for line in sent.lines}) < len(sent.lines):
        return "lines", "a tier may stand only once in a record"
    return None


def _malformed(raw: bytes, param: str, reason: str) -> Malformed:
    try:
        seq = msgspec.json.decode(raw, type=_Numbered).seq
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        seq = None
    return Malformed(seq, param, reason, raw)


def _place_and_reason(error: str) -> tuple[str, str]:
    """Split a decoder's message into the field's place and what was expected there."""
    reason, _, place = error.partition(" - at `$")
    if not place and ("datetime" in reason or "RFC3339" in reason):
        return "at", "not an RFC 3339 time with an offset, such as 2017-04-03T09:30:00+09:00"
    return place.rstrip("`").lstrip("."), reason


def decide(record: Record, years: Sequence[YearRules], now: datetime) -> YearRules | Defect:
    """The tax year that takes the record, or why none does."""
    rules = next((year for year in years if year.starts_at <= record.at < year.ends_at), None)
    if rules is None:
        return Defect("year_not_open", "at", record.at.isoformat())
    if now >= rules.deadline_at:
        return Defect("year_closed", "at", str(rules.year))
    if record.at > now + CLOCK_TOLERANCE:
        return Defect("from_the_future", "at", record.at.isoformat())
    return _line_defect(record, rules) or rules


def _line_defect(record: Record, rules: YearRules) -> Defect | None:
    for index, line in enumerate(record.lines):
        if line.tier not in rules.tiers:
            return Defect("tier_unknown", f"lines[{index}].tier", line.tier)
    day = record.at.astimezone(rules.zone).date()
    for index, line in enumerate(record.lines):
        if not any(day in period for period in rules.tiers[line.tier]):
            return Defect("tier_not_in_force", f"lines[{index}].tier", line.tier)
    for index, line in enumerate(record.lines):
        if not 1 <= line.amount <= MAX_AMOUNT_MINOR:
            return Defect("amount_invalid", f"lines[{index}].amount", str(line.amount))
    if record.card is not None and record.claim is not None:
        return Defect("card_and_claim", "claim")
    return None
