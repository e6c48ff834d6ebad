"""What becomes of a batch's records, one by one, given what stands already. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from apps.purchases.acceptance import Defect, Standing, Till, YearRules, decide
from apps.purchases.records import Malformed, Record


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the record at `index` of the batch was refused."""

    index: int
    seq: int | None
    defect: Defect


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The record at `index` is known; `defect` says why, if the one that stands was refused."""

    index: int
    seq: int
    defect: Defect | None


@dataclass(slots=True)
class Decided:
    """A batch, record by record, in the order sent."""

    accepted: list[tuple[Record, int]] = field(default_factory=list)  # with the tax year
    duplicates: list[Duplicate] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    refused: list[tuple[Record | Malformed, Defect, bool]] = field(default_factory=list)  # whether it spends its seq


def decide_all(
    records: Sequence[Record | Malformed],
    till: Till,
    standing: dict[int, Standing],
    years: Sequence[YearRules],
    now: datetime,
) -> Decided:
    """Decide each record in turn; `standing` maps numbers to what stands there already, and grows."""
    decided = Decided()
    for index, record in enumerate(records):
        seq = record.seq
        if seq is not None and (stands := standing.get(seq)):
            if stands.is_same(record):
                decided.duplicates.append(Duplicate(index, seq, stands.defect))
            else:
                _refuse(decided, index, record, Defect("seq_conflict", "seq", str(seq)), spends_seq=False)
            continue
        defect = _decide_new(decided, record, till, years, now)
        if defect:
            _refuse(decided, index, record, defect, spends_seq=seq is not None)
        if seq is not None:
            standing[seq] = _stands_now(record, defect)
    return decided


def _decide_new(
    decided: Decided, record: Record | Malformed, till: Till, years: Sequence[YearRules], now: datetime
) -> Defect | None:
    """Accept a record that is not known yet, or say why not."""
    if isinstance(record, Malformed):
        return Defect("record_malformed", record.param, reason=record.reason)
    verdict = decide(record, till, years, now)
    if isinstance(verdict, Defect):
        return verdict
    decided.accepted.append((record, verdict.year))
    return None


def _stands_now(record: Record | Malformed, defect: Defect | None) -> Standing:
    if defect is None and isinstance(record, Record):
        return Standing(line=record.line)
    return Standing(identity=record.identity, defect=defect)


def _refuse(decided: Decided, index: int, record: Record | Malformed, defect: Defect, *, spends_seq: bool) -> None:
    decided.refusals.append(Refusal(index, record.seq, defect))
    decided.refused.append((record, defect, spends_seq))


def new_seqs(decided: Decided) -> list[int]:
    """The numbers that this batch spends: those of its accepted and of its refused records."""
    spent = [record.seq for record, _, spends in decided.refused if spends and record.seq is not None]
    return [record.seq for record, _ in decided.accepted] + spent
