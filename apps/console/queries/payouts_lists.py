"""What waits, what failed, and who is held, as auditors see it: by numbers. Whose it is is shown for a purpose."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.core.paginator import Page, Paginator
from django.utils import timezone
from django.utils.functional import Promise

from apps.console.queries.payouts import WAITS, Row, runs_paid, waiting_rows
from apps.console.queries.payouts_batches import LARGEST_ID, PaymentMissing
from apps.payouts import outcomes
from apps.payouts.models import Attempt, AttemptEvent, Obligation, PaymentHold
from apps.payouts.queries.readiness import moved_elsewhere
from apps.refunds.models import Run
from apps.schemes.document import Scheme
from apps.schemes.queries import scheme_of

ROWS_A_PAGE: Final = 100
AT_ONCE: Final = 2_000
BACK: Final = (outcomes.FAILED, outcomes.RETURNED)
COLUMNS: Final = ("year", "run", "payment", "reason", "amount", "owed_since")


@dataclass(frozen=True, slots=True)
class WaitingPage:
    """What of a run waits for what, and a page of it."""

    runs: tuple[Run, ...]
    run: Run | None
    scheme: Scheme | None
    lists: tuple[Row, ...]
    reason: str
    page: "Page[Obligation] | None"

    @property
    def needs(self) -> Promise:
        """What the list that is shown waits for."""
        return WAITS[self.reason][1]

    @property
    def rows(self) -> list[tuple[Obligation, Promise]]:
        """The payments of the page, each with why it waits."""
        return [(one, WAITS[one.waits_for][0]) for one in self.page.object_list] if self.page else []


class Failure(NamedTuple):
    """A payment that failed or came back, and whether its payee has another account by now."""

    attempt: Attempt
    moved: bool


@dataclass(frozen=True, slots=True)
class FailuresPage:
    """A page of what failed or came back of a run."""

    runs: tuple[Run, ...]
    run: Run | None
    scheme: Scheme | None
    page: "Page[Attempt] | None"
    rows: tuple[Failure, ...]


class Again(NamedTuple):
    """What a reissue would do: how many are open, and how many of them have another account by now; minor units."""

    run: Run
    scheme: Scheme
    failed: int
    failed_minor: int
    moved: int
    moved_minor: int


class Payment(NamedTuple):
    """What a run owes a resident, each attempt to pay it with its events, and the hold on it."""

    obligation: Obligation
    scheme: Scheme
    run: Run
    attempts: tuple[tuple[Attempt, tuple[AttemptEvent, ...]], ...]
    hold: PaymentHold | None
    waits: tuple[Promise, Promise] | None


def waiting_page(*, run: str, reason: str, page: Any) -> WaitingPage:
    """The waiting lists of a run, "2017-1", by default the newest that is being paid: six queries."""
    runs = runs_paid()
    found = chosen(runs, run)
    if found is None:
        return WaitingPage(runs, None, None, (), "", None)
    reason = reason if reason in WAITS else ""
    shown = Paginator(waiting_of(found, reason), ROWS_A_PAGE).get_page(page)
    return WaitingPage(runs, found, _scheme(found), waiting_rows(found), reason, shown)


def waiting_of(run: Run, reason: str) -> Any:
    """What of a run waits, for one reason or for any, in the order in which it was owed."""
    due = Obligation.objects.filter(tax_year=run.tax_year_id, run=run.number, state=Obligation.State.DUE)
    return (due.filter(waits_for=reason) if reason else due.exclude(waits_for="")).order_by("waits_for", "pk")


def waiting_table(run: Run, reason: str) -> Iterator[tuple[Any, ...]]:
    """The same as rows for a file, `COLUMNS` first, one at a time; amounts in minor units."""
    yield COLUMNS
    for one in waiting_of(run, reason).iterator(chunk_size=AT_ONCE):
        made = timezone.localtime(one.made_at).isoformat(timespec="seconds")
        yield one.tax_year, one.run, one.pk, one.waits_for, one.amount_minor, made


def failures_page(*, run: str, page: Any) -> FailuresPage:
    """What failed or came back of a run, "2017-1", the newest first: five queries."""
    runs = runs_paid()
    found = chosen(runs, run)
    if found is None:
        return FailuresPage(runs, None, None, None, ())
    shown = Paginator(_failed(found).order_by("-changed_at", "-pk"), ROWS_A_PAGE).get_page(page)
    moved = {one.pk for one in moved_elsewhere(shown.object_list, at=timezone.now())}
    rows = tuple(Failure(one, one.pk in moved) for one in shown.object_list)
    return FailuresPage(runs, found, _scheme(found), shown, rows)


def would_reissue(run: Run) -> Again:
    """Count what a reissue would let be paid again, some thousands at a time."""
    failed = failed_minor = moved = moved_minor = after = 0
    rows, now = _failed(run).order_by("pk"), timezone.now()
    while some := list(rows.filter(pk__gt=after)[:AT_ONCE]):
        after = some[-1].pk
        elsewhere = moved_elsewhere(some, at=now)
        failed, failed_minor = failed + len(some), failed_minor + sum(one.amount_minor for one in some)
        moved, moved_minor = moved + len(elsewhere), moved_minor + sum(one.amount_minor for one in elsewhere)
    return Again(run, _scheme(run), failed, failed_minor, moved, moved_minor)


def _failed(run: Run) -> Any:
    owed = {"obligation__tax_year": run.tax_year_id, "obligation__run": run.number, "obligation__state__in": BACK}
    return Attempt.objects.filter(**owed, state__in=BACK).select_related("obligation", "batch__bank")


def obligation_of(pk: int) -> Obligation:
    """What a run owes a resident. Raises PaymentMissing."""
    found = Obligation.objects.filter(pk=min(pk, LARGEST_ID)).first()
    if found is None:
        raise PaymentMissing(f"There is no payment {pk}.")
    return found


def payment_of(one: Obligation) -> Payment:
    """Everything about a payment but the account: five queries. Whoever calls wrote down that it is looked at."""
    attempts = Attempt.objects.filter(obligation=one).select_related("batch").prefetch_related("events").order_by("pk")
    tried = tuple((each, tuple(sorted(each.events.all(), key=lambda event: event.pk))) for each in attempts)
    run = Run.objects.select_related("tax_year").defer("differences").get(tax_year=one.tax_year, number=one.run)
    hold = PaymentHold.objects.filter(resident_ref__in={one.resident_ref, one.payee_ref}, lifted_at=None).first()
    return Payment(one, _scheme(run), run, tried, hold, WAITS.get(one.waits_for))


def holds_page(*, only_open: bool, page: Any) -> "Page[PaymentHold]":
    """Holds, the newest first: two queries."""
    found = PaymentHold.objects.filter(lifted_at=None) if only_open else PaymentHold.objects.all()
    return Paginator(found.order_by("-pk"), ROWS_A_PAGE).get_page(page)


def hold_of(pk: int) -> PaymentHold:
    """A hold. Raises PaymentMissing."""
    found = PaymentHold.objects.filter(pk=min(pk, LARGEST_ID)).first()
    if found is None:
        raise PaymentMissing(f"There is no hold {pk}.")
    return found


def chosen(runs: tuple[Run, ...], named: str) -> Run | None:
    """The run of this name among them, or the first."""
    return next((run for run in runs if f"{run.tax_year_id}-{run.number}" == named), runs[0] if runs else None)


def _scheme(run: Run) -> Scheme:
    return scheme_of(run.tax_year.scheme_version_id)
