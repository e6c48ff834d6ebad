"""What auditors see of a run's payments: how they add up, what keeps it open, and what could be paid now."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from django.db.models import Case, IntegerField, Value, When
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.console.problems import problem
from apps.console.queries.payouts_batches import BankFile, bank_files
from apps.payouts.models import Batch, Estimate, Obligation, SendingBank
from apps.payouts.queries.readiness import Waiting, waiting_lists
from apps.payouts.queries.reconciling import Reckoning, by_state, reckoning
from apps.refunds.models import Run, RunState
from apps.refunds.queries.runs import run_of
from apps.schemes.document import Scheme
from apps.schemes.queries import scheme_of

FILES_SHOWN: Final = 20
RUNS_SHOWN: Final = 5
RUNS_NAMED: Final = 20
Wait = Obligation.Wait
WAITS: Final[dict[str, tuple[Promise, Promise]]] = {
    Wait.MISSING: (_("No account"), _("The resident names one, in the portal or at a window.")),
    Wait.UNDER_REVIEW: (_("Holder's name differs"), _("A clerk compares the names.")),
    Wait.PUBLIC_ACCOUNT: (_("Public account"), _("Its registry is asked, which Kanpu is not connected with.")),
    Wait.UNUSABLE: (
        _("Account cannot be paid"),
        _("The resident names another one. A savings account that Stripe refused is paid with the next bank file."),
    ),
    Wait.SUSPENDED: (_("Held back"), _("Who placed the hold lifts it.")),
    Wait.DECEASED: (_("Deceased"), _("The heirs say to whom it is paid.")),
    Wait.SETTLED: (_("Settled otherwise"), _("Look at the refund's settlements.")),
}
LINES: Final[dict[str, Promise]] = {
    "paid": _("Paid"),
    "in_flight": _("With the bank, or on the way there"),
    "failed": _("Failed"),
    "returned": _("Sent back"),
    "carried": _("Carried over to a later refund"),
    "due": _("Waiting, or not in a file yet"),
}


class Row(NamedTuple):
    """A line of a table: what, how many, how much in minor units, and what it needs. `code` names it in addresses."""

    name: Promise
    refunds: int
    amount_minor: int
    needs: Promise | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Paying:
    """A run that is being paid, or was. `open_lines` are what keeps it from being closed."""

    run: Run
    scheme: Scheme
    found: Reckoning
    lines: tuple[Row, ...]
    waiting: tuple[Row, ...]

    @property
    def open_lines(self) -> tuple[Row, ...]:
        """What keeps the run open."""
        unowed = self.found.unowed
        found = [row for row in self.lines if row.refunds and row.code in ("due", "in_flight", "failed", "returned")]
        if unowed.amount_minor:
            found.insert(0, Row(_("Not prepared for payment yet"), *unowed, code="unowed"))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class PayoutsPage:
    """The runs that are being paid, the newest first, those that were, and the newest files."""

    runs: tuple[Paying, ...]
    closed: tuple[Run, ...]
    files: tuple[BankFile, ...]


@dataclass(frozen=True, slots=True)
class MakingPage:
    """What could be paid of a run when a worker counted it last, and the files that were made of it."""

    run: Run
    scheme: Scheme
    banks: int
    estimate: Estimate | None
    waiting: tuple[Row, ...]
    files: tuple[BankFile, ...]

    @property
    def at_work(self) -> bool:
        """Whether a worker counts, or a file is being written."""
        return bool(self.estimate and not self.estimate.finished_at) or any(
            file.batch.state == Batch.State.WRITING for file in self.files
        )

    @property
    def failure(self) -> str:
        """Why the worker could not count."""
        return problem(self.estimate.error_code, self.estimate.error_code) if self.estimate else ""


def payouts_page() -> PayoutsPage:
    """A page of payments: eight queries a run, and four."""
    runs = runs_paid()
    paying = [run for run in runs if run.state == RunState.PAYING][:RUNS_SHOWN]
    closed = tuple(run for run in runs if run.state == RunState.CLOSED)
    newest = list(Batch.objects.select_related("bank").order_by("-pk")[:FILES_SHOWN])
    return PayoutsPage(tuple(map(paying_of, paying)), closed, bank_files(newest))


def runs_paid() -> tuple[Run, ...]:
    """Runs that are being paid, the newest first, then those that are closed: one query."""
    runs = Run.objects.filter(state__in=(RunState.PAYING, RunState.CLOSED)).select_related("tax_year")
    is_closed = Case(When(state=RunState.CLOSED, then=Value(1)), default=Value(0), output_field=IntegerField())
    return tuple(runs.defer("differences").order_by(is_closed, "-tax_year", "-number")[:RUNS_NAMED])


def paying_of(run: Run) -> Paying:
    """How a run's payments add up: eight queries."""
    found = reckoning(run)
    waiting = tuple(_waiting(one) for one in found.waiting)
    return Paying(run, scheme_of(run.tax_year.scheme_version_id), found, _lines(found.by_state), waiting)


def lines_of(run: Run) -> tuple[Row, ...]:
    """How a run's payments stand, by state: one query. None while nothing was prepared for payment."""
    found = _lines(by_state(run))
    return found if any(row.refunds for row in found) else ()


def waiting_rows(run: Run) -> tuple[Row, ...]:
    """What of a run waits, for what: one query."""
    return tuple(_waiting(one) for one in waiting_lists(run))


def making_page(year: int, number: int) -> MakingPage:
    """What could be paid of a run, and what was made of it: six queries. Raises RunMissing."""
    run = run_of(year, number)
    estimate = Estimate.objects.filter(tax_year=year, run=number).order_by("-pk").first()
    newest = Batch.objects.filter(tax_year=year, run=number).select_related("bank").order_by("-pk")[:FILES_SHOWN]
    waits = estimate.found["waits"] if estimate and estimate.found else {}
    rows = (_waiting(Waiting(reason, count, minor, "")) for reason, (count, minor) in sorted(waits.items()))
    return MakingPage(
        run=run,
        scheme=scheme_of(run.tax_year.scheme_version_id),
        banks=SendingBank.objects.count(),
        estimate=estimate,
        waiting=tuple(rows),
        files=bank_files(list(newest)),
    )


def _lines(found: Mapping[str, tuple[int, int]]) -> tuple[Row, ...]:
    return tuple(Row(words, *found[state], code=state) for state, words in LINES.items())


def _waiting(one: Waiting) -> Row:
    name, needs = WAITS[one.waits_for]
    return Row(name, one.obligations, one.amount_minor, needs, one.waits_for)
