"""One purchase as it was received, and all that hangs from it; a resident's totals of a year, and what they are of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from apps.accruals.models import Entry, Total, Withheld
from apps.inspections.models import Case
from apps.kernel.errors import KanpuError
from apps.merchants.models import Terminal
from apps.purchases.lanes import lane_of
from apps.purchases.models import Batch, Followup, Outcome, Purchase, Rejection, Seal, TerminalState
from apps.purchases.records import SentLine, read_line
from apps.purchases.rulings import OFFICE
from apps.schemes.document import Scheme
from apps.schemes.models import SchemeVersion
from apps.schemes.queries import tax_year


class RecordMissing(KanpuError):
    """No such record came, or its year was erased."""

    code = "record_missing"


class SealState(StrEnum):
    """What speaks for a record: `sealed` by the till's key in a batch, or not, and why."""

    SEALED = "sealed"
    BEFORE = "before"  # the till was sealed later
    UNSEALED = "unsealed"  # the till has no key
    MISSING = "missing"  # the till is sealed, and no seal is after it


class Related(NamedTuple):
    """A record or a ruling that names this one: its amounts in minor units by tier, and why it was refused."""

    terminal_id: int
    seq: int
    kind: str
    amounts: Mapping[str, int]
    code: str
    is_ruling: bool


@dataclass(frozen=True, slots=True)
class PurchaseFile:
    """A record and what became of it. `entries` and `withheld` are residents' data, and not for everybody."""

    terminal: Terminal
    seq: int
    received: Purchase | Rejection
    is_refused: bool
    record: SentLine | None
    text: str
    batch: Batch | None
    outcome: Outcome | None
    seal_state: SealState
    seal: Seal | None
    related: tuple[Related, ...]
    cases: tuple[Case, ...]
    scheme: Scheme | None

    @property
    def subject(self) -> str:
        """What the trail names it by."""
        return f"purchase:{self.terminal.pk}/{self.seq}"


class OnAccount(NamedTuple):
    """What of a purchase is on residents' accounts, and what is withheld."""

    entries: tuple[Entry, ...]
    withheld: tuple[Withheld, ...]

    @property
    def residents(self) -> list[UUID]:
        """Whose accounts they are."""
        return sorted({row.resident_ref for row in self.entries} | {row.resident_ref for row in self.withheld})

    def without(self, refs: set[UUID]) -> "OnAccount":
        """The same without those residents' rows."""
        return OnAccount(
            tuple(row for row in self.entries if row.resident_ref not in refs),
            tuple(row for row in self.withheld if row.resident_ref not in refs),
        )


def purchase_file(terminal_id: int, seq: int) -> PurchaseFile:
    """A record by its till and number: some ten queries. Raises RecordMissing."""
    terminal = Terminal.objects.select_related("merchant", "store").filter(pk=terminal_id).first()
    of_till = {"lane": lane_of(terminal_id), "terminal_id": terminal_id}
    received = _received(of_till, seq)
    if terminal is None or received is None:
        raise RecordMissing(f"No record {seq} of terminal {terminal_id} is there.")
    text = received.line if isinstance(received, Purchase) else bytes(received.record).decode(errors="replace")
    state, seal = _seal(of_till, seq)
    return PurchaseFile(
        terminal,
        seq,
        received,
        isinstance(received, Rejection),
        read_line(text) if isinstance(received, Purchase) or received.has_line else None,
        text,
        Batch.objects.filter(lane=of_till["lane"], id=received.batch_id or 0).first(),
        Outcome.objects.filter(**of_till, seq=seq).first(),
        state,
        seal,
        tuple(_related(of_till, seq)),
        tuple(Case.objects.filter(subject=f"purchase:{terminal_id}/{seq}").order_by("pk")),
        tax_year(received.tax_year).scheme_version.scheme() if isinstance(received, Purchase) else None,
    )


def _received(of_till: Mapping[str, int], seq: int) -> Purchase | Rejection | None:
    accepted = Purchase.objects.filter(**of_till, seq=seq).first()
    return accepted or Rejection.objects.filter(**of_till, seq=seq, spends_seq=True).first()


def _seal(of_till: Mapping[str, int], seq: int) -> tuple[SealState, Seal | None]:
    state = TerminalState.objects.filter(**of_till).first()
    if state is None or state.sealed_from is None:
        return SealState.UNSEALED, None
    if seq < state.sealed_from:
        return SealState.BEFORE, None
    seal = Seal.objects.filter(**of_till, last_seq__gte=seq).order_by("last_seq").first()
    return (SealState.SEALED, seal) if seal else (SealState.MISSING, None)


def _related(of_till: Mapping[str, int], seq: int) -> Sequence[Related]:
    rows = Followup.objects.filter(of_lane=of_till["lane"], of_terminal_id=of_till["terminal_id"], of_seq=seq).order_by(
        "position"
    )
    read = [(row, read_line(row.line)) for row in rows]
    return [
        Related(row.terminal_id, row.seq, line.kind, line.amounts, row.code, row.terminal_id == OFFICE)
        for row, line in read
    ]


def on_account(terminal_id: int, seq: int, related: Sequence[Related]) -> OnAccount:
    """The entries of a purchase and of what names it, and what is withheld: two queries."""
    keys = {(terminal_id, seq), *((row.terminal_id, row.seq) for row in related)}
    entries = Entry.objects.filter(terminal_id__in={key[0] for key in keys}, seq__in={key[1] for key in keys}).order_by(
        "at", "terminal_id", "seq"
    )
    of_it = (
        entry
        for entry in entries
        if (entry.terminal_id, entry.seq) == (terminal_id, seq)
        or (entry.of_terminal_id, entry.of_seq) == (terminal_id, seq)
    )
    return OnAccount(tuple(of_it), tuple(Withheld.objects.filter(terminal_id=terminal_id, seq=seq)))


class TotalRow(NamedTuple):
    """A resident's year on a tier under a run, months in order, in minor units."""

    run: int
    tier: str
    months_minor: Sequence[int]
    sum_minor: int
    purchases: int


@dataclass(frozen=True, slots=True)
class TotalsPage:
    """What a year's refund is computed from, and by which version of the rules."""

    resident_ref: UUID
    year: int
    version: SchemeVersion
    scheme: Scheme
    rows: tuple[TotalRow, ...]


def totals_page(resident_ref: UUID, year: int) -> TotalsPage:
    """A resident's totals of a year: two queries. Raises YearNotStarted."""
    version = tax_year(year).scheme_version
    totals = Total.objects.filter(resident_ref=resident_ref, tax_year=year).exclude(tier="").order_by("run", "tier")
    rows = (
        TotalRow(total.run, total.tier, total.amounts_minor, sum(total.amounts_minor), sum(total.purchases))
        for total in totals
    )
    return TotalsPage(resident_ref, year, version, version.scheme(), tuple(rows))
