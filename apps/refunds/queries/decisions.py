"""Reading decisions, their deadlines and their reasons, and what a letter of one says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db.models import Case, Count, Q, QuerySet, SmallIntegerField, UUIDField, When
from django.utils import timezone

from apps.kernel.database import Ask, Place, Row, Statement, from_rows, sql_of
from apps.kernel.errors import KanpuError
from apps.refunds.deadlines import months_after, presumed_received
from apps.refunds.models import Decision, Refund
from apps.refunds.queries.statements import numbers_of
from apps.refunds.rules import rules_of
from apps.refunds.words import reasons
from apps.schemes.document import Scheme, Words
from apps.schemes.queries import scheme_of, tax_year

STAGES: Final = ("issued", "notified", "expired", "appealed", "confirmed", "amended")


class DecisionMissing(KanpuError):
    """There is no such decision."""

    code = "decision_missing"


class Reasons(NamedTuple):
    """Why something is refused or taken away, and the law that says so."""

    why: list[Words]
    legal_basis: Words


def decision_of(decision_id: int, *, lock: bool = False) -> Decision:
    """One decision. Raises DecisionMissing."""
    decisions = Decision.objects.select_for_update() if lock else Decision.objects
    decision = decisions.filter(pk=decision_id).first()
    if decision is None:
        raise DecisionMissing(f"There is no decision {decision_id}.")
    return decision


def decisions_of_resident(resident_ref: UUID, *, year: int | None = None) -> list[Decision]:
    """A resident's decisions, the newest first: one query."""
    found = Decision.objects.filter(resident_ref=resident_ref)
    return list((found.filter(tax_year=year) if year else found).order_by("-decided_at", "-pk"))


def ask_decisions(resident_ref: UUID, year: int) -> Ask:
    """The same of a year, for a page that asks for other things in the same trip: see `decisions_in`."""
    return Ask(_of_year(), (str(resident_ref), year))


def decisions_in(rows: Sequence[Row]) -> list[Decision]:
    """The decisions in the rows of `ask_decisions`."""
    return from_rows(Decision, rows)


@cache
def _of_year() -> Statement:
    found = Decision.objects.filter(resident_ref=Place(1, UUIDField()), tax_year=Place(2, SmallIntegerField()))
    return Statement(sql_of(found.order_by("-decided_at", "-pk")))


def decisions_at(year: int, stage: str, *, today: date) -> "QuerySet[Decision]":
    """A year's decisions at a stage (see `stage_of`), or all; those whose time to appeal ends next come first."""
    found = Decision.objects.filter(tax_year=year)
    ending = Case(When(_at_stage(Decision.State.NOTIFIED, today), then=0), default=1)
    return (found.filter(_at_stage(stage, today)) if stage else found).order_by(ending, "appeal_until", "pk")


def decisions_by_stage(year: int, *, today: date) -> dict[str, int]:
    """How many of a year's decisions are at each stage: one query."""
    counts = {stage: Count("pk", filter=_at_stage(stage, today)) for stage in STAGES}
    return Decision.objects.filter(tax_year=year).aggregate(**counts)


def stage_of(decision: Decision, *, today: date) -> str:
    """The decision's state, or `expired` when it can no longer be appealed against."""
    over = decision.appeal_until is not None and decision.appeal_until < today
    return "expired" if decision.state == Decision.State.NOTIFIED and over else decision.state


def _at_stage(stage: str, today: date) -> Q:
    if stage == "expired":
        return Q(state=Decision.State.NOTIFIED, appeal_until__lt=today)
    if stage == Decision.State.NOTIFIED:
        return Q(state=stage, appeal_until__gte=today)
    return Q(state=stage)


def scheme_of_decision(decision: Decision) -> Scheme:
    """The scheme that the decision's year is under."""
    return tax_year(decision.tax_year).scheme_version.scheme()


def reasons_of(decision: Decision) -> Reasons:
    """The reasons of a decision in words: the refund's cuts, purchases that are less than before, the officer's own."""
    scheme = scheme_of_decision(decision)
    why: list[Words] = []
    bases: list[Words] = []
    refund = _refund(decision)
    if refund and decision.kind != Decision.Kind.ANNULLED:
        rules = rules_of(scheme_of(refund.scheme_version), decision.tax_year)
        for reason, basis in reasons(scheme, rules, numbers_of(refund).cuts):
            why.append(reason)
            bases += [] if basis in bases else [basis]
        why += [_less()] if refund.due_minor < 0 else []
    if decision.reason:
        why.append(Words(decision.reason, decision.reason))
    if not bases:
        bases = [scheme.reference]
    return Reasons(why, Words("、".join(basis.ja for basis in bases), "; ".join(basis.en for basis in bases)))


def _refund(decision: Decision) -> Refund | None:
    refunds = Refund.objects.filter(resident_ref=decision.resident_ref, tax_year=decision.tax_year)
    return refunds.filter(run=decision.run).first()


def _less() -> Words:
    """Why a refund is below what earlier runs gave."""
    return Words(
        "返品や訂正などにより、購入の額が前回までの精算のときより少なくなりました。",
        "After returns or corrections, less is left of your purchases than earlier runs of this year assumed.",
    )


@dataclass(frozen=True, slots=True)
class DecisionPage:
    """A decision with its stage on a day, its reasons and the scheme it was made under."""

    decision: Decision
    stage: str
    reasons: Reasons
    scheme: Scheme
    today: date


def page_of(decision: Decision) -> DecisionPage:
    """A decision as its reader sees it today."""
    today = timezone.localdate()
    stage = stage_of(decision, today=today)
    return DecisionPage(decision, stage, reasons_of(decision), scheme_of_decision(decision), today)


def letter_of(decision: Decision, *, sent_on: date | None = None) -> Mapping[str, Any]:
    """What a decision's letter says, as `documents.render.decision_letter_pdf` takes it.

    `sent_on` is the day on which a letter is posted that tells the resident of the decision for the first time.
    """
    scheme, found = scheme_of_decision(decision), reasons_of(decision)
    until = decision.appeal_until or (sent_on and months_after(presumed_received(sent_on), scheme.appeal.within_months))
    return {
        "number": decision.number,
        "kind": decision.kind,
        "resident_ref": str(decision.resident_ref),
        "year": decision.tax_year,
        "run": decision.run,
        "amount_minor": decision.amount_minor,
        "currency": scheme.currency,
        "minor_unit_digits": scheme.minor_unit_digits,
        "reasons": [both(words) for words in found.why],
        "legal_basis": both(found.legal_basis),
        "decided_date": timezone.localdate(decision.decided_at).isoformat(),
        "appeal_until": until and until.isoformat(),
        "appeal_within_months": scheme.appeal.within_months,
        "appeal_to": both(scheme.appeal.to),
        "appeal_basis": both(scheme.appeal.basis),
        "addressee": None,
    }


def both(words: Words) -> dict[str, str]:
    """A text in both languages, as documents take it."""
    return {"ja": words.ja, "en": words.en}
