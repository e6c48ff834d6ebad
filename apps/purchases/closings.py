"""A terminal's own totals: what a closing must say. Pure.

Sales less the terminal's own returns, voids and corrections, whatever became of the records; each changes the totals
of the tax year of its own time.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from apps.purchases.records import SentLine, instant_of, read_line

Amounts = Mapping[str, int]  # tier: amount_minor


@dataclass(slots=True)
class _Booked:
    """A sale or return in the terminal's books: its amounts, and what the terminal itself took back of a sale."""

    sign: int
    amounts: Amounts
    of_seq: int = 0
    returned: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    voided: bool = False


@dataclass(slots=True)
class Books:
    """The books of one terminal, kept record by record in the order of their numbers.

    Only records from number `counted_from` on change `totals`, and only those of the year. `unknown` are the numbers
    whose amounts cannot be read: while there are any, totals cannot be compared.
    """

    terminal: str
    year: int
    zone: ZoneInfo
    counted_from: int
    totals: dict[str, int]
    unknown: set[int] = field(default_factory=set)
    _booked: dict[int, _Booked] = field(default_factory=dict)

    def take(self, seq: int, line: str | None) -> None:
        """Enter the next record; None: one that has not the shape of a record."""
        try:
            sent = read_line(line or "")
            at = instant_of(sent.at)
            year = at and at.astimezone(self.zone).year
        except (ValueError, OverflowError):  # the year 1 has no day before it
            year = None
        if year is None:
            self.unknown.add(seq)
            return
        of_this_year = seq >= self.counted_from and year == self.year
        for tier, amount in self._change(sent).items():
            if of_this_year:
                self.totals[tier] = self.totals.get(tier, 0) + amount

    def _change(self, sent: SentLine) -> Amounts:
        """What a record changes in the totals."""
        amounts = sent.amounts
        own = sent.of_terminal == self.terminal
        match sent.kind:
            case "sale" | "return":
                return self._enter(sent, amounts, own=own)
            case "void" if own:
                return self._void(sent.of_seq)
            case "correction" if own:
                return self._correct(sent.of_seq, amounts)
        return {}

    def _enter(self, sent: SentLine, amounts: Amounts, *, own: bool) -> Amounts:
        sign = 1 if sent.kind == "sale" else -1
        self._booked[sent.seq] = _Booked(sign, amounts, sent.of_seq if own and sign < 0 else 0)
        if own and sign < 0:
            self._give_back(sent.of_seq, amounts)
        return _times(sign, amounts)

    def _give_back(self, sale_seq: int, amounts: Amounts) -> None:
        if sale := self._booked.get(sale_seq):
            for tier, amount in amounts.items():
                sale.returned[tier] += amount

    def _void(self, of_seq: int) -> Amounts:
        self.unknown.discard(of_seq)
        booked = self._booked.get(of_seq)
        if booked is None or booked.voided:
            return {}
        booked.voided = True
        if booked.sign < 0:
            self._give_back(booked.of_seq, _times(-1, booked.amounts))
            return booked.amounts
        return _times(-1, _minus(booked.amounts, booked.returned))

    def _correct(self, of_seq: int, amounts: Amounts) -> Amounts:
        if of_seq in self.unknown:
            self.unknown.discard(of_seq)
            self._booked[of_seq] = _Booked(1, amounts)
            return amounts
        booked = self._booked.get(of_seq)
        if booked is None or booked.voided:
            return {}
        change = _minus(amounts, booked.amounts)
        booked.amounts = amounts
        if booked.sign < 0:
            self._give_back(booked.of_seq, change)
        return _times(booked.sign, change)


def differences(reported: Amounts, recorded: Amounts) -> list[tuple[str, int, int]]:
    """The tiers in which two totals differ, as (tier, reported, recorded); a tier at 0 may be left out."""
    tiers = sorted({*reported, *recorded})
    pairs = [(tier, reported.get(tier, 0), recorded.get(tier, 0)) for tier in tiers]
    return [pair for pair in pairs if pair[1] != pair[2]]


def targets(lines: Iterable[str], terminal: str) -> set[int]:
    """The numbers of the terminal's own records that these lines are about."""
    return {sent.of_seq for sent in map(_readable, lines) if sent and sent.of_terminal == terminal}


def _readable(line: str) -> SentLine | None:
    try:
        return read_line(line)
    except ValueError:
        return None


def _times(factor: int, amounts: Amounts) -> Amounts:
    return {tier: factor * amount for tier, amount in amounts.items()}


def _minus(some: Amounts, others: Amounts) -> Amounts:
    return {tier: some.get(tier, 0) - others.get(tier, 0) for tier in {*some, *others}}
