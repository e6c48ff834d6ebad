"""What auditors see of payments: the reckoning of each run that is being paid, what waits for what, and the files."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.payouts.models import Batch, Obligation
from apps.payouts.queries.readiness import Waiting
from apps.payouts.queries.reconciling import Reckoning, reckoning
from apps.refunds.models import Run, RunState
from apps.schemes.document import Scheme
from apps.schemes.models import TaxYear
from apps.schemes.queries import scheme_of

FILES_SHOWN: Final = 50
RUNS_SHOWN: Final = 5
Wait = Obligation.Wait
WAITS: Final[dict[str, tuple[Promise, Promise]]] = {
    Wait.MISSING: (_("No account"), _("The resident names one, in the portal or at a window.")),
    Wait.UNDER_REVIEW: (_("Holder's name differs"), _("A clerk compares the names.")),
    Wait.PUBLIC_ACCOUNT: (_("Public account"), _("Its registry is asked, which Kanpu is not connected with.")),
    Wait.UNUSABLE: (_("Account cannot be paid"), _("The resident names another one.")),
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
    """A line of a table: what, how many, how much in minor units, and what it needs."""

    name: Promise
    refunds: int
    amount_minor: int
    needs: Promise | None = None


@dataclass(frozen=True, slots=True)
class Paying:
    """A run that is being paid."""

    run: Run
    scheme: Scheme
    found: Reckoning
    lines: tuple[Row, ...]
    waiting: tuple[Row, ...]


class BankFile(NamedTuple):
    """A file, and the scheme whose currency it is in."""

    batch: Batch
    scheme: Scheme


@dataclass(frozen=True, slots=True)
class PayoutsPage:
    """The runs that are being paid, the newest first, and the newest files."""

    runs: tuple[Paying, ...]
    files: tuple[BankFile, ...]


def payouts_page() -> PayoutsPage:
    """A page of payments: eight queries a run, and three."""
    runs = Run.objects.filter(state=RunState.PAYING).select_related("tax_year").defer("differences")
    newest = runs.order_by("-tax_year", "-number")[:RUNS_SHOWN]
    batches = list(Batch.objects.order_by("-pk")[:FILES_SHOWN])
    years = TaxYear.objects.filter(year__in={batch.tax_year for batch in batches})
    schemes = {year: scheme_of(version) for year, version in years.values_list("year", "scheme_version_id")}
    files = tuple(BankFile(batch, schemes[batch.tax_year]) for batch in batches)
    return PayoutsPage(tuple(_paying(run) for run in newest), files)


def _paying(run: Run) -> Paying:
    found = reckoning(run)
    lines = (Row(words, *found.by_state[state]) for state, words in LINES.items())
    waiting = (_waiting(one) for one in found.waiting)
    return Paying(run, scheme_of(run.tax_year.scheme_version_id), found, tuple(lines), tuple(waiting))


def _waiting(one: Waiting) -> Row:
    name, needs = WAITS[one.waits_for]
    return Row(name, one.obligations, one.amount_minor, needs)
