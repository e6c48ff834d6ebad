"""Batches as auditors see them: which there are, and one with its manifest, its history and its transfers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.core.paginator import Page, Paginator
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from apps.kernel.errors import KanpuError
from apps.payouts import outcomes
from apps.payouts.models import Attempt, AttemptEvent, Batch
from apps.payouts.queries.readiness import moved_elsewhere
from apps.residents.models import PaymentAccount
from apps.residents.models.accounts import STANDING
from apps.schemes.document import Scheme
from apps.schemes.models import TaxYear
from apps.schemes.queries import scheme_of

BATCHES_A_PAGE: Final = 50
TRANSFERS_A_PAGE: Final = 100
SOME: Final = 50  # transfers: one may have been left out of the file before
LARGEST_ID: Final = 2**63 - 1


class PaymentMissing(KanpuError):
    """There is no such payment, file or hold."""

    code = "payment_missing"


class BankFile(NamedTuple):
    """A file, and the scheme whose currency it is in."""

    batch: Batch
    scheme: Scheme


class Happened(NamedTuple):
    """A state that a batch came into, when, through whom."""

    state: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class BatchesPage:
    """A page of files, the newest first."""

    page: "Page[Batch]"
    files: tuple[BankFile, ...]


@dataclass(frozen=True, slots=True)
class BatchPage:
    """A file: what happened to it, how its transfers stand, and how many payees have another account by now."""

    batch: Batch
    scheme: Scheme
    history: tuple[Happened, ...]
    states: tuple[tuple[str, int], ...]
    moved: int
    page: "Page[Attempt]"
    moved_here: frozenset[int]

    @property
    def rows(self) -> list[tuple[Attempt, bool]]:
        """The transfers of the page, each with whether its payee has another account by now."""
        return [(one, one.pk in self.moved_here) for one in self.page.object_list]


def batches_page(*, year: int | None, number: int | None, state: str, page: Any) -> BatchesPage:
    """A page of the batches of a year, of a run's number, in a state; of all where these are empty: four queries."""
    wanted = {"tax_year": year, "run": number, "state": state or None}
    found = Batch.objects.filter(**{name: value for name, value in wanted.items() if value is not None})
    shown = Paginator(found.select_related("bank").order_by("-pk"), BATCHES_A_PAGE).get_page(page)
    return BatchesPage(shown, bank_files(list(shown.object_list)))


def bank_files(batches: list[Batch]) -> tuple[BankFile, ...]:
    """Each with its year's scheme: one query."""
    years = TaxYear.objects.filter(year__in={batch.tax_year for batch in batches})
    schemes = {year: scheme_of(version) for year, version in years.values_list("year", "scheme_version_id")}
    return tuple(BankFile(batch, schemes[batch.tax_year]) for batch in batches)


def batch_of(pk: int) -> Batch:
    """A batch with its bank. Raises PaymentMissing."""
    batch = Batch.objects.select_related("bank").filter(pk=min(pk, LARGEST_ID)).first()
    if batch is None:
        raise PaymentMissing(f"There is no batch {pk}.")
    return batch


def batch_page(pk: int, *, page: Any) -> BatchPage:
    """Everything about a batch but who is paid: ten queries, however many they are. Raises PaymentMissing."""
    batch, now = batch_of(pk), timezone.now()
    transfers = Attempt.objects.filter(batch=batch)
    counts = transfers.values_list("state").annotate(count=Count("*")).order_by("state")
    shown = Paginator(transfers.select_related("obligation").order_by("pk"), TRANSFERS_A_PAGE).get_page(page)
    moved_here = moved_elsewhere(shown.object_list, at=now)
    return BatchPage(
        batch=batch,
        scheme=bank_files([batch])[0].scheme,
        history=tuple(_history(batch)),
        states=tuple(counts),
        moved=_moved(transfers, now),
        page=shown,
        moved_here=frozenset(one.pk for one in moved_here),
    )


def _moved(transfers: "QuerySet[Attempt]", now: datetime) -> int:
    """How many go to an account that is not the payee's any more."""
    usable = Q(kind=PaymentAccount.Kind.PUBLIC) | Q(content__isnull=False)
    same = PaymentAccount.objects.filter(STANDING, usable, pk=OuterRef("account_id"), valid__contains=now)
    return transfers.exclude(state=outcomes.DROPPED).filter(~Exists(same)).count()


def _history(batch: Batch) -> list[Happened]:
    """What a batch keeps of itself; when it was sent or given up, its first transfers know."""
    kept = [
        Happened("made", batch.made_at, batch.made_by),
        Happened("approved_1", batch.approved_1_at, batch.approved_1_by) if batch.approved_1_at else None,
        Happened("approved_2", batch.approved_2_at, batch.approved_2_by) if batch.approved_2_at else None,
        Happened("submitted", batch.submitted_at, batch.submitted_by) if batch.submitted_at else None,
    ]
    ended = {Batch.State.SENT: outcomes.SENT, Batch.State.DROPPED: outcomes.DROPPED}.get(Batch.State(batch.state))
    if ended:
        some = Attempt.objects.filter(batch=batch).order_by("pk").values_list("pk", flat=True)[:SOME]
        event = AttemptEvent.objects.filter(attempt__in=list(some), state=ended).order_by("-pk").first()
        kept.append(Happened(ended, event.at, event.actor) if event else None)
    return [one for one in kept if one]


def manifest(batch: Batch) -> dict[str, Any]:
    """What two people approve, and who did: nothing in it is a resident's."""
    return {
        "batch": batch.pk, "file": batch.file_name, "rail": batch.rail, "bank": batch.bank and batch.bank.name,
        "tax_year": batch.tax_year, "run": batch.run, "transfers": batch.transfers, "sum_minor": batch.sum_minor,
        "transfer_date": batch.transfer_date.isoformat(), "sha256": batch.sha256, "state": batch.state,
        "history": [{"state": one.state, "at": one.at.isoformat(), "by": one.by} for one in _history(batch)],
    }  # fmt: skip
