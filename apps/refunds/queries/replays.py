"""Replaying a refund: from the records as shops sent them, through what followed them, to the amount."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import Coalesce

from apps.accruals.models import Entry
from apps.kernel.database import Cursor, raw_connection
from apps.merchants.queries import terminal_names
from apps.purchases.following import Follower, Key
from apps.purchases.followups import Thread, lock_threads
from apps.purchases.queries import year_rules
from apps.purchases.rulings import follow_ruled, takes_off
from apps.refunds.assessment import assess_group
from apps.refunds.models import Refund, Run
from apps.refunds.queries.people import group_of
from apps.refunds.queries.runs import latest_run, run_of
from apps.refunds.queries.statements import StatementMissing, numbers_of
from apps.refunds.replay import Left, bought, differences, replayed
from apps.refunds.rules import rules_of
from apps.refunds.words import Explanation, Numbers, explain
from apps.schemes.document import Scheme, Words
from apps.schemes.queries import check_kept, scheme_of

SALES_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Replay:
    """A refund recomputed from its purchases: identical, or where it differs; with all that it came from."""

    run: Run
    scheme: Scheme
    kept: Refund
    identical: bool
    differences: list[Words]
    explanation: Explanation
    refund_minor: int
    purchases: list[Left]


def replay(resident_ref: UUID, year: int, number: int | None = None) -> Replay:
    """The resident's refund in a run (by default the newest that has one) again, from the purchases as received.

    Purchases of all with whom the resident shares households are taken anew too. Raises RunMissing, StatementMissing,
    and YearErased when there are none any more.
    """
    kept = _kept(resident_ref, year, number)
    run, scheme = run_of(year, kept.run), scheme_of(kept.scheme_version)
    check_kept(run.tax_year)
    rules = rules_of(scheme, year)
    people = group_of(run, resident_ref)
    purchases = {person.ref: purchases_left(person.ref, run) for person in people}
    again = assess_group([replayed(person, bought(purchases[person.ref], scheme, year)) for person in people], rules)
    own = next(found for person, found in zip(people, again, strict=True) if person.ref == resident_ref)
    found = differences(scheme, rules, numbers_of(kept), own)
    numbers = Numbers(own.spend_minor, own.bases_minor, own.cuts, own.refund_minor)
    return Replay(
        run, scheme, kept, not found, found, explain(scheme, rules, numbers), own.refund_minor, purchases[resident_ref]
    )


def _kept(resident_ref: UUID, year: int, number: int | None) -> Refund:
    latest_run(year)  # a year without a run is said first
    refunds = Refund.objects.filter(resident_ref=resident_ref, tax_year=year)
    kept = (refunds.filter(run=number) if number else refunds).order_by("-run").first()
    if kept is None:
        raise StatementMissing(f"No run of {year} has a refund of the resident {resident_ref}.")
    return kept


def purchases_left(resident_ref: UUID, run: Run) -> list[Left]:
    """What is left of each of a resident's purchases, as counted up to a run, from the records as received."""
    sales = _booked(resident_ref, run)
    terminals = terminal_names({key.terminal_id for key in sales})
    found: list[Left] = []
    for at in range(0, len(sales), SALES_AT_ONCE):
        for thread in _threads(sales[at : at + SALES_AT_ONCE]):
            left = _left(resident_ref, thread, run, terminals[thread.key.terminal_id].code)
            found += [left] if left else []
    return sorted(found, key=lambda left: (left.at, left.terminal, left.seq))


def _booked(resident_ref: UUID, run: Run) -> list[Key]:
    """The sales of which something was booked for a resident up to a run."""
    entries = Entry.objects.filter(resident_ref=resident_ref, tax_year=run.tax_year_id, run__range=(1, run.number))
    sale = Coalesce("of_terminal_id", "terminal_id"), Coalesce("of_seq", "seq")
    return [Key(*row) for row in entries.values_list(*sale).distinct()]


def _threads(keys: list[Key]) -> list[Thread]:
    """The sales with all that follows them, under the locks of settling, so that none is caught half settled."""
    with transaction.atomic(), connection.wrap_database_errors, Cursor(raw_connection()) as cursor:
        return lock_threads(cursor, keys)


def _left(resident_ref: UUID, thread: Thread, run: Run, terminal: str) -> Left | None:
    if thread.original is None:
        return None
    followers, rulings = _known(thread.followers, run), _known(thread.rulings, run)
    followed = follow_ruled(thread.original, followers, rulings, year_rules())
    if followed.sold is None or followed.sold.year != run.tax_year_id:
        return None
    amounts = {} if takes_off(rulings) else followed.left
    return Left(resident_ref, terminal, thread.key.seq, followed.sold.at, amounts, 1 + len(followers))


def _known(records: Sequence[Follower], run: Run) -> list[Follower]:
    """Those that were settled up to a run."""
    return [record for record in records if (record.runs or {}).get(str(run.tax_year_id), 0) <= run.number]
