"""Reading disputes: one with its purchase, a resident's, those that wait for officers, and what a letter says."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import Case, Count, Max, Q, QuerySet, Value, When
from django.utils import timezone

from apps.accruals.models import DECIDED, UNDECIDED, UNFINISHED, Dispute, DisputeState
from apps.accruals.queries.sales import SaleSeen, sale_seen
from apps.accruals.queries.shown import Named, named_tiers, shop_of
from apps.kernel.errors import KanpuError
from apps.merchants.queries import StoreName
from apps.purchases.queries import year_rules
from apps.refunds.models import Run, RunState
from apps.refunds.queries.decisions import both
from apps.schemes.document import Scheme, Tier
from apps.schemes.queries import scheme_of, tax_year

FILTERS: Final[Mapping[str, Q]] = {
    "waiting": Q(state__in=("open", "answered")),  # for an officer's first look
    "asked": Q(state="asked"),
    "proposed": Q(state="proposed"),
    "appealed": Q(state="appealed"),
    "decided": Q(state__in=DECIDED),
    "withdrawn": Q(state="withdrawn"),
}


class DisputeMissing(KanpuError):
    """There is no such dispute."""

    code = "dispute_missing"


def dispute_of(dispute_id: int, *, lock: bool = False) -> Dispute:
    """One dispute. Raises DisputeMissing."""
    disputes = Dispute.objects.select_for_update() if lock else Dispute.objects
    dispute = disputes.filter(pk=dispute_id).first()
    if dispute is None:
        raise DisputeMissing(f"There is no dispute {dispute_id}.")
    return dispute


def disputes_of_resident(resident_ref: UUID) -> "QuerySet[Dispute]":
    """A resident's disputes, the newest first."""
    return Dispute.objects.filter(resident_ref=resident_ref).order_by("-opened_at", "-pk")


def disputes_at(stage: str, kind: str) -> "QuerySet[Dispute]":
    """Disputes at a stage of FILTERS (else all) and of a kind (else all): those that are due first come first."""
    done = Case(When(state__in=UNFINISHED, then=Value(0)), default=Value(1))
    found = Dispute.objects.filter(FILTERS.get(stage, Q()))
    found = found.filter(kind=kind) if kind in Dispute.Kind.values else found
    return found.order_by(done, "reply_due_date", "pk")


def disputes_by_stage() -> dict[str, int]:
    """How many disputes are at each stage of FILTERS: one query."""
    return Dispute.objects.aggregate(**{stage: Count("pk", filter=at) for stage, at in FILTERS.items()})


@dataclass(frozen=True, slots=True)
class DisputePage:
    """A dispute with its purchase (None for one that is missing, or gone), in the words of its year's scheme.

    `waits_for_a_run`: the year's runs were frozen before the decision, so that the next one gives the difference.
    """

    dispute: Dispute
    scheme: Scheme
    sale: SaleSeen | None
    shop: StoreName | None
    waits_for_a_run: bool
    today: date

    @property
    def is_overdue(self) -> bool:
        """Whether the promised day is over and nothing is decided."""
        return self.dispute.state in UNDECIDED and self.dispute.reply_due_date < self.today

    @property
    def days_left(self) -> int:
        """How many days the office has, below 0 once it is overdue."""
        return (self.dispute.reply_due_date - self.today) // timedelta(days=1)

    @property
    def said(self) -> Named:
        """What the resident says was bought, by tier."""
        return named_tiers(self.scheme, self.dispute.amounts)

    @property
    def decided(self) -> Named:
        """What was decided to have been bought, by tier."""
        return named_tiers(self.scheme, self.dispute.decided_amounts)

    @property
    def sold(self) -> Named:
        """What the purchase has as it stands, by tier."""
        return named_tiers(self.scheme, self.sale.sold) if self.sale else ()

    @property
    def total_minor(self) -> int:
        """What the dispute is about: the purchase as it stands, or as it is told."""
        return self.sale.total_minor if self.sale else sum(self.dispute.amounts.values())

    @property
    def appeal_is_open(self) -> bool:
        """Whether the resident may still appeal today."""
        until = self.dispute.appeal_until
        return self.dispute.can_be_appealed and until is not None and self.today <= until

    @property
    def stage(self) -> str:
        """What the resident is told: `proposed` is none of theirs before it is approved."""
        if self.dispute.state == DisputeState.PROPOSED:
            return DisputeState.ANSWERED if self.dispute.answered_at else DisputeState.OPEN
        return self.dispute.state


def page_of_dispute(dispute: Dispute) -> DisputePage:
    """A dispute as its reader sees it today: constantly many queries."""
    key = dispute.sale
    sale = sale_seen(dispute.resident_ref, key) if key else None
    shop = StoreName(dispute.shop, dispute.shop) if dispute.shop else None
    if key and not shop:
        shop = shop_of(dispute.resident_ref, key)
    waits = _waits_for_a_run(dispute)
    return DisputePage(dispute, scheme_in(dispute.tax_year), sale, shop, waits, timezone.localdate())


def _waits_for_a_run(dispute: Dispute) -> bool:
    """Whether the decision came after the newest run of its year was frozen: one query."""
    decided_at = dispute.appeal_decided_at or dispute.decided_at
    runs = Run.objects.filter(tax_year_id=dispute.tax_year).exclude(state=RunState.WITHDRAWN)
    newest_at = runs.aggregate(at=Max("cutoff_at"))["at"]
    return bool(decided_at and newest_at and newest_at <= decided_at)


def scheme_in(year: int) -> Scheme:
    """The scheme of a started year: one query. Raises YearNotStarted."""
    return scheme_of(tax_year(year).scheme_version_id)


@dataclass(frozen=True, slots=True)
class Offered:
    """A day's scheme, and the tiers that were in force on it."""

    scheme: Scheme
    tiers: list[Tier]


def offered_on(day: date) -> Offered | None:
    """The scheme and the tiers of a day, or None when its year was not started: two queries."""
    rules = next((year for year in year_rules() if year.year == day.year), None)
    if rules is None:
        return None
    scheme = scheme_in(rules.year)
    in_force = {code for code, periods in rules.tiers.items() if any(day in period for period in periods)}
    return Offered(scheme, [tier for tier in scheme.tiers if tier.code in in_force])


def letter_of_dispute(page: DisputePage) -> Mapping[str, Any]:
    """What the letter of a decided dispute says, as `documents.render.decision_letter_pdf` takes it."""
    dispute, scheme = page.dispute, page.scheme
    texts = [dispute.reasons, dispute.appeal_reasons]
    decided_at = dispute.appeal_decided_at or dispute.decided_at or dispute.opened_at
    return {
        "number": dispute.number,
        "kind": f"dispute_{dispute.outcome}",
        "resident_ref": str(dispute.resident_ref),
        "year": dispute.tax_year,
        "run": 0,
        "amount_minor": page.total_minor,
        "currency": scheme.currency,
        "minor_unit_digits": scheme.minor_unit_digits,
        "reasons": [{"ja": text, "en": text} for text in texts if text],
        "legal_basis": both(scheme.reference),
        "decided_date": timezone.localdate(decided_at).isoformat(),
        "appeal_until": dispute.appeal_until and dispute.appeal_until.isoformat(),
        "appeal_within_months": scheme.appeal.within_months,
        "appeal_to": both(scheme.appeal.to),
        "appeal_basis": both(scheme.appeal.basis),
        "addressee": None,
    }
