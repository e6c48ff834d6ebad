"""What a sale's account shows at the moment, read under the lock of its thread."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from apps.accruals.models import TEST_RUN
from apps.accruals.operations.posting import Holder
from apps.accruals.tallies import Counted
from apps.kernel.database import Cursor
from apps.merchants.models import Mode
from apps.purchases.following import Key
from apps.purchases.followups import Thread


class Posted(NamedTuple):
    """An entry of a sale's thread."""

    key: Key
    resident_ref: UUID
    tax_year: int
    run: int
    at: datetime
    card: int | None
    counter: int | None
    tiers: list[str]
    amounts_minor: list[int]


class Kept(NamedTuple):
    """What is remembered of a sale that is not counted, or was confirmed: a row of Withheld."""

    resident_ref: UUID
    tax_year: int
    card: int | None
    counter: int | None
    status: str
    code: str
    answer: str


@dataclass(slots=True)
class Account:
    """Whose account a sale is on, if on any, and what its entries add up to: (year, time) → tier → amount_minor.

    `kept` is what is remembered of a sale that is not counted; `runs` are the years and runs of the entries.
    """

    holder: Holder | None = None
    kept: Kept | None = None
    shown: dict[tuple[int, datetime], dict[str, int]] = field(default_factory=dict)
    taken: set[tuple[Key, datetime]] = field(default_factory=set)
    runs: set[tuple[int, int]] = field(default_factory=set)

    def add(self, entry: Counted | Posted, key: Key) -> None:
        """Take an entry into account."""
        self.taken.add((key, entry.at))
        self.runs.add((entry.tax_year, entry.run))
        shown = self.shown.setdefault((entry.tax_year, entry.at), {})
        for tier, amount in zip(entry.tiers, entry.amounts_minor, strict=True):
            shown[tier] = shown.get(tier, 0) + amount

    def forget(self) -> None:
        """Take all entries out of account: they are erased."""
        self.holder = None
        for of_place in (self.shown, self.taken, self.runs):
            of_place.clear()

    @property
    def card(self) -> tuple[int, int] | None:
        """The card and counter that paid, if they are known."""
        known = self.holder or self.kept
        return (known.card, known.counter) if known and known.card is not None and known.counter is not None else None

    @property
    def resident_ref(self) -> UUID | None:
        """Whose sale it is, if that is known."""
        known = self.holder or self.kept
        return known.resident_ref if known else None


def accounts_of(cursor: Cursor, threads: Sequence[Thread]) -> dict[Key, Account]:
    """The account of each sale. A record may hang from a sale and have a thread of its own: the sale's is meant."""
    sales = [thread for thread in threads if thread.original]
    thread_of = {key: sale.key for sale in sales for key in keys_of(sale)}
    accounts = {thread.key: Account() for thread in threads}
    rows = cursor.execute(
        "SELECT terminal_id, seq, resident_ref, tax_year, run, at, card, counter, tiers, amounts_minor"
        " FROM accruals_entry JOIN unnest(%b::int4[], %b::int4[]) AS k (t, s) ON (terminal_id, seq) = (k.t, k.s)",
        ([key.terminal_id for key in thread_of], [key.seq for key in thread_of]),
    )
    for terminal_id, seq, *rest in rows:
        entry = Posted(Key(terminal_id, seq), *rest)
        account = accounts[thread_of[entry.key]]
        mode = Mode.TEST if entry.run == TEST_RUN else Mode.LIVE
        account.holder = Holder(entry.resident_ref, mode, entry.card, entry.counter)
        account.add(entry, entry.key)
    _add_kept(cursor, sales, accounts)
    return accounts


def keys_of(thread: Thread) -> list[Key]:
    """The numbers under which entries of a sale may stand: its own, and those of all that was filed under it."""
    return [thread.key, *(follower.key for follower in (*thread.followers, *thread.rulings))]


def _add_kept(cursor: Cursor, sales: Sequence[Thread], accounts: dict[Key, Account]) -> None:
    rows = cursor.execute(
        "SELECT terminal_id, seq, resident_ref, tax_year, card, counter, status, code, answer"
        " FROM accruals_withheld JOIN unnest(%b::int4[], %b::int4[]) AS k (t, s) ON (terminal_id, seq) = (k.t, k.s)",
        ([sale.key.terminal_id for sale in sales], [sale.key.seq for sale in sales]),
    )
    for terminal_id, seq, *rest in rows:
        accounts[Key(terminal_id, seq)].kept = Kept(*rest)
