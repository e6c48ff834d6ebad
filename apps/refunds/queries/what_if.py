"""A recorded year under another scheme: read group by group, assessed under both, nothing kept but sums."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from apps.accruals.queries import residents_with_totals, spend_of_all, years_under
from apps.refunds.assessment import Person
from apps.refunds.models import Member, Run
from apps.refunds.queries.people import chunks_of_people
from apps.refunds.queries.runs import RunMissing, latest_run
from apps.refunds.rules import rules_of
from apps.refunds.what_if import WhatIf, compare, remeasured
from apps.schemes.adapting import Assumptions, Bought, adapted, assumptions_in_words
from apps.schemes.document import Scheme, Words, asks_the_register, measures_purchases
from apps.schemes.models import TaxYear
from apps.schemes.queries import check_kept, scheme_of, tax_year

FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)
SEEN_EVERY: Final = 500

TAKEN_AS_RECORDED: Final = Words(
    "買い物とその税込価格は記録のとおりとしました。税率や還付が変われば変わるであろうことは見込んでいません。",
    "What people buy, and its price with tax, is taken as recorded: how other rates or refunds would change that is not"
    " foreseen.",
)
NOT_FROZEN: Final = Words(
    "この年はまだ締め切られていません。これまでに集計された買い物で計算しました。",
    "The year is not frozen yet: this is computed from what was counted until now.",
)
NO_REGISTER: Final = Words(
    "この年には世帯と属性の記録がありません。全員を1人世帯とし、属性のある人はいないものとして計算しました。",
    "The year has no record of households and attributes: everybody is taken as living alone, and nobody has an"
    " attribute.",
)
ROUNDED_APART: Final = Words(
    "記録上の複数の区分に制度の同じ区分の規則を適用したため、1回の買い物の端数を区分ごとに処理しました。",
    "Several recorded tiers are taken as one of the scheme's: in each purchase they are rounded one by one.",
)
ATTRIBUTES_AS_THEY_ARE: Final = Words(
    "登録簿の属性と、それに対する条件の数値は換算していません。",
    "Attributes of the register, and what conditions compare them with, are not converted.",
)


class RecordedYear(NamedTuple):
    """A year as far as it is recorded: its newest run, the scheme in force, what was bought in which months."""

    run: Run
    in_force: Scheme
    bought: frozenset[Bought]


def recorded_year(year: int) -> RecordedYear:
    """A started year. Raises YearNotStarted."""
    run = _run(tax_year(year))
    spend = spend_of_all(year, up_to_run=run.number)
    bought = frozenset(Bought(cell.tier, cell.month) for cell in spend)
    return RecordedYear(run, scheme_of(run.tax_year.scheme_version_id), bought)


def what_if(
    year: int, scheme: Scheme, assumed: Assumptions, *, seen: Callable[[int, int], None] = lambda _done, _total: None
) -> WhatIf:
    """What a scheme would have given in a year, next to the scheme in force; nothing is loaded or changed.

    Computed up to the year's newest run, households and attributes as that run kept them; before the first freeze from
    all that was counted. `seen` is told how many residents are done, of how many. Raises YearNotStarted,
    NothingRecorded, what `adapted` raises, and YearErased for a scheme that takes purchases one by one.
    """
    run, in_force, bought = recorded_year(year)
    if measures_purchases(scheme):  # one by one, and not by totals
        check_kept(run.tax_year)
    other = adapted(scheme, recorded=in_force, year=year, bought=bought, assumed=assumed)
    total = residents_with_totals(year, up_to_run=run.number)

    def shown(done: int) -> None:
        if done % SEEN_EVERY == 0 or done == total:
            seen(done, total)

    found = compare(_groups(run, other), rules_of(in_force, year), rules_of(other, year), seen=shown)
    notes = (*assumptions_in_words(scheme, recorded=in_force, assumed=assumed), *_notes(run, scheme, other, assumed))
    return WhatIf(year, run.number, in_force, other, found, notes)


def _run(year: TaxYear) -> Run:
    """The year's newest run, or what the first would be if the year were frozen now, which is not kept."""
    try:
        return latest_run(year.year)
    except RunMissing:
        return Run(tax_year=year, number=year.open_run)


def _groups(run: Run, other: Scheme) -> Iterator[tuple[Sequence[Person], Sequence[Person]]]:
    """Who is assessed together, as the scheme in force and as the other one measures their purchases."""
    for groups in chunks_of_people(run, FIRST, LAST):
        if not measures_purchases(other):
            yield from ((people, people) for people in groups)
            continue
        refs = sorted(person.ref for people in groups for person in people)
        years = years_under(run.tax_year_id, up_to_run=run.number, scheme=other, refs=refs)
        measured = {year.resident_ref: (year.bases, year.purchases) for year in years}
        for people in groups:
            yield people, [remeasured(p, *measured[p.ref]) if p.ref in measured else p for p in people]


def _notes(run: Run, scheme: Scheme, other: Scheme, assumed: Assumptions) -> Iterator[Words]:
    yield TAKEN_AS_RECORDED
    if run.pk is None:
        yield NOT_FROZEN
    if asks_the_register(other):
        if not Member.objects.filter(tax_year=run.tax_year_id, run=run.number).exists():
            yield NO_REGISTER
        elif scheme.currency != other.currency:
            yield ATTRIBUTES_AS_THEY_ARE
    targets = [assumed.tiers.get(tier.code, tier.code) for tier in other.tiers]
    if other.refund.purchase and len(set(targets)) < len(targets):
        yield ROUNDED_APART
