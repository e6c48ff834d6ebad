"""What is left of a sale after its returns, voids and corrections: a function of all of them together. Pure.

In whatever order and grouping they come, the same records leave the same. Corrections and voids of a record are taken
by their numbers, for they are all of its own terminal. Returns may come from any till of the merchant; only which of
them is refused, when more is returned than was sold, depends on the order in which workers took them up.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from apps.purchases.acceptance import Defect, YearRules, lines_defect, open_year, year_of
from apps.purchases.records import instant_of, read_line

# What a correction can mend: the lines, and with `sold_at` the time.
MENDABLE: Final = frozenset(
    {"record_malformed", "year_not_open", "year_closed", "from_the_future", "tier_unknown", "tier_not_in_force",
     "amount_invalid"}
)  # fmt: skip
MENDABLE_RETURNS: Final = frozenset({"record_malformed", "tier_unknown", "amount_invalid"})
Amounts = Mapping[str, int]  # tier: amount_minor


class Key(NamedTuple):
    """What names a record: its terminal's number and its seq."""

    terminal_id: int
    seq: int


class Fate(NamedTuple):
    """What became of a record: the protocol's status, the code where one is due, and a value to show."""

    status: str
    code: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Original:
    """A sale as it was sent; `code` says why it was refused, if it was."""

    key: Key
    line: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Follower:
    """A return, void or correction; `code` says why a return was refused for its lines, which a correction mends.

    `runs`: the run of each year that was open when it was settled first, None before.
    """

    key: Key
    of: Key
    received_at: datetime
    line: str
    code: str = ""
    runs: Mapping[str, int] | None = None


class Version(NamedTuple):
    """A sale's time and amounts after its corrections."""

    at: datetime
    year: int
    amounts: Amounts


@dataclass(slots=True)
class Followed:
    """The sale as it should be (None while nothing has mended it), what is left of it, and every record's fate."""

    sold: Version | None = None
    left: Amounts = field(default_factory=dict)
    voided: bool = False
    fates: dict[Key, Fate] = field(default_factory=dict)


COUNTED: Final = Fate("counted")
VOIDED: Final = Fate("voided")
ALREADY_VOID: Final = Fate("rejected", "already_void")
NOT_A_SALE: Final = Fate("rejected", "of_not_a_sale")


def follow(sale: Original, followers: Sequence[Follower], years: Sequence[YearRules]) -> Followed:
    """What is left of the sale. `followers` are all that name it or one of its returns, in the order taken up."""
    done = Followed()
    of: dict[Key, list[Follower]] = {}
    for follower in followers:
        of.setdefault(follower.of, []).append(follower)
    void = _correct_sale(done, sale, _by_number(of.get(sale.key, ())), years)
    left = dict(done.sold.amounts) if done.sold else {}
    for follower in of.get(sale.key, ()):
        if kind_of(follower) == "return":
            _take_return(done, follower, _in_time(done, _by_number(of.get(follower.key, ())), years), left)
        elif follower is void:
            left = {}
    for follower in followers:
        done.fates.setdefault(follower.key, NOT_A_SALE)
    done.left = {} if done.voided else {tier: amount for tier, amount in left.items() if amount}
    return done


def follow_other(followers: Sequence[Follower]) -> Followed:
    """The fates of records that name something that is neither a sale nor a return."""
    return Followed(fates={follower.key: NOT_A_SALE for follower in followers})


def _by_number(followers: Iterable[Follower]) -> list[Follower]:
    """The voids and corrections among them, by their numbers."""
    return sorted((f for f in followers if kind_of(f) in ("void", "correction")), key=lambda f: f.key.seq)


def kind_of(follower: Follower) -> str:
    """The kind of a follow-up, from its line."""
    return follower.line.split("\n", 3)[2]


def _correct_sale(
    done: Followed, sale: Original, changes: Sequence[Follower], years: Sequence[YearRules]
) -> Follower | None:
    """Apply the sale's corrections and its void, which ends them. Returns the void."""
    done.sold = None if sale.code else _as_sent(sale, years)
    at = done.sold.at if done.sold else instant_of(read_at(sale.line))
    void = None
    for change in changes:
        if void:
            done.fates[change.key] = ALREADY_VOID
        elif kind_of(change) == "void":
            void = change
            done.fates[change.key] = COUNTED
        else:
            version = _corrected(sale, at, change, years)
            done.fates[change.key] = COUNTED
            if isinstance(version, Defect):
                done.fates[change.key] = Fate("rejected", version.code, version.value)
            else:
                done.sold, at = version, version.at
    done.voided = void is not None
    if done.voided or done.sold:
        done.fates[sale.key] = VOIDED if done.voided else COUNTED
    return void


def _as_sent(sale: Original, years: Sequence[YearRules]) -> Version | None:
    line = read_line(sale.line)
    at = instant_of(line.at)
    rules = at and year_of(at, years)
    if at is None or rules is None:
        return None
    return Version(at, rules.year, line.amounts)


def read_at(line: str) -> str:
    """The time in a canonical line, as sent."""
    return line.split("\n", 2)[1]


def _corrected(
    sale: Original, at: datetime | None, correction: Follower, years: Sequence[YearRules]
) -> Version | Defect:
    """The sale as a correction says, or why that cannot be: judged as of the time when the correction came."""
    line = read_line(correction.line)
    sold_at = instant_of(line.sold_at) if line.sold_at else at
    if sale.code and sale.code not in MENDABLE:
        return Defect(sale.code, "")
    if sold_at is None:
        return Defect("record_malformed", "of")
    param, sent = ("sold_at", correction.line) if line.sold_at else ("at", sale.line)
    rules = open_year(sold_at, param, sent, years, correction.received_at)
    if isinstance(rules, Defect):
        return rules
    amounts = line.amounts
    return lines_defect(line.tiers, sold_at, rules) or Version(sold_at, rules.year, amounts)


def _in_time(done: Followed, changes: Sequence[Follower], years: Sequence[YearRules]) -> list[Follower]:
    """The changes of a return that came before the sale's filing deadline: later ones would raise a closed year."""
    rules = done.sold and year_of(done.sold.at, years)
    late = [change for change in changes if rules and change.received_at >= rules.deadline_at]
    done.fates.update({change.key: Fate("rejected", "year_closed", str(rules and rules.year)) for change in late})
    return [change for change in changes if change not in late]


def _take_return(done: Followed, returned: Follower, changes: Sequence[Follower], left: dict[str, int]) -> None:
    """Take a return from what is left, in the newest of its versions that fits; its void takes nothing."""
    void = next((change for change in changes if kind_of(change) == "void"), None)
    corrections = [change for change in changes if kind_of(change) == "correction"]
    for change in changes:
        late = void is not None and change is not void and change.key.seq > void.key.seq
        done.fates[change.key] = ALREADY_VOID if late else COUNTED
    if void:
        done.fates[returned.key] = VOIDED
        return
    for version in [*reversed(corrections), returned]:
        if version.code:
            done.fates[version.key] = Fate("rejected", version.code)
            break
        wanted = read_line(version.line).amounts
        if all(amount <= left.get(tier, 0) for tier, amount in wanted.items()):
            for tier, amount in wanted.items():
                left[tier] -= amount
            done.fates[returned.key] = COUNTED
            return
        done.fates[version.key] = Fate("rejected", "return_exceeds_sale", _left_text(wanted, left))


def _left_text(wanted: Amounts, left: Amounts) -> str:
    """What is left of the tiers that were asked for, as `tier=amount,…`."""
    return ",".join(f"{tier}={left.get(tier, 0)}" for tier in wanted)
