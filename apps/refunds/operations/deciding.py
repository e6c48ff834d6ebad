"""Decisions: issued with a run's approval, told to the resident, appealed against, closed."""

from collections.abc import Collection
from datetime import date, datetime
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from apps.audit.operations import record_event, record_events
from apps.audit.states import change_of
from apps.kernel.errors import KanpuError
from apps.refunds.deadlines import months_after, presumed_received
from apps.refunds.models import Decision, Run
from apps.refunds.queries.decisions import decision_of
from apps.refunds.rules import rules_of
from apps.residents.operations.messages import tell, tell_found
from apps.schemes.queries import scheme_of, tax_year

# A refund of which more is cut than of the resident's last one, or that gives less than before, is a decision.
ISSUE = """
WITH found AS (
    SELECT r.resident_ref, r.entitled_minor, greatest(-r.due_minor, 0) AS less, cut_of(r.cuts) AS cut,
           e.cut AS earlier_cut
    FROM refunds_refund r LEFT JOIN (
        SELECT DISTINCT ON (resident_ref) resident_ref, cut_of(cuts) AS cut FROM refunds_refund
        WHERE tax_year = %(year)s AND run < %(run)s ORDER BY resident_ref, run DESC
    ) e ON e.resident_ref = r.resident_ref
    WHERE r.tax_year = %(year)s AND r.run = %(run)s AND (r.cuts <> '{}' OR r.due_minor < 0)
)
INSERT INTO refunds_decision (resident_ref, tax_year, run, kind, amount_minor, reason, state, decided_at,
                              appeal_reason, outcome)
SELECT resident_ref, %(year)s, %(run)s, CASE WHEN entitled_minor = 0 AND cut > 0 THEN 'refused' ELSE 'reduced' END,
       less + div(greatest(cut - coalesce(earlier_cut, 0), 0), %(denominator)s), '', 'issued', %(now)s, '', ''
FROM found WHERE less > 0 OR cut > coalesce(earlier_cut, 0)
ORDER BY resident_ref
"""
ISSUED = """
SELECT resident_ref, '' AS once,
       jsonb_build_object('year', tax_year, 'run', run, 'decision', id) AS detail
FROM refunds_decision WHERE tax_year = %(year)s AND run = %(run)s AND decided_at = %(now)s AND kind <> 'annulled'
"""
CUT_OF = "(SELECT coalesce(sum({0}[i + 2] - {0}[i + 3]), 0) FROM generate_series(1, cardinality({0}), 4) i)"


class TooLate(KanpuError):
    """The time to appeal is over."""

    code = "appeal_too_late"


class NotYetNotified(KanpuError):
    """The resident has not been told of the decision, so the time to appeal has not begun."""

    code = "not_notified"


class ToldTooEarly(KanpuError):
    """The resident cannot have been told before the decision was made."""

    code = "told_too_early"


class DecisionClosed(KanpuError):
    """The decision was appealed against, or the appeal decided, before."""

    code = "decision_closed"


def issue_decisions(run: Run, *, now: datetime) -> int:
    """A decision for each refund of the run that refuses or takes away something, in the caller's transaction.

    Returns how many.
    """
    rules = rules_of(scheme_of(run.tax_year.scheme_version_id), run.tax_year_id)
    statement = ISSUE.replace("cut_of(r.cuts)", CUT_OF.format("r.cuts")).replace("cut_of(cuts)", CUT_OF.format("cuts"))
    values: dict[str, int | str] = {
        "year": run.tax_year_id, "run": run.number, "denominator": rules.denominator, "now": now.isoformat()
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        count = int(cursor.rowcount)
    tell_found(ISSUED, {"year": run.tax_year_id, "run": run.number, "now": now}, "decision_issued", at=now)
    return count


@transaction.atomic
def notify(decision_ids: Collection[int], *, on: date, actor: str, by_post: bool = False) -> int:
    """Record that residents were told of these decisions on a day; the time to appeal runs from the next.

    `by_post`: letters were posted on that day, and count as received some days later. Those told before stay as they
    are. Returns how many were told now. Raises ToldTooEarly for a day before the decision.
    """
    waiting = Decision.objects.select_for_update().filter(pk__in=decision_ids, state=Decision.State.ISSUED)
    now, told = timezone.now(), list(waiting)
    received = presumed_received(on) if by_post else on
    if any(on < timezone.localdate(decision.decided_at) for decision in told):
        raise ToldTooEarly(f"Nobody was told on {on}: the decision was made after that day.")
    for decision in told:
        appeal = tax_year(decision.tax_year).scheme_version.scheme().appeal
        decision.state, decision.notified_at = Decision.State.NOTIFIED, now
        decision.appeal_until = months_after(received, appeal.within_months)
    Decision.objects.bulk_update(told, ["state", "notified_at", "appeal_until"], batch_size=2_000)
    details = {f"decision:{decision}": {"appeal_until": str(decision.appeal_until)} for decision in told}
    changes = {f"decision:{decision}": change_of(decision) for decision in told}
    record_events(at=now, actor=actor, action="decision.notify", details=details, changes=changes)
    return len(told)


@transaction.atomic
def appeal(decision_id: int, *, reason: str, on: date, actor: str) -> Decision:
    """Appeal against a decision, with a reason. Raises DecisionMissing, NotYetNotified, TooLate and DecisionClosed."""
    decision = decision_of(decision_id, lock=True)
    if decision.appeal_until is None:
        raise NotYetNotified(f"Decision {decision} was not sent yet.")
    if decision.state != Decision.State.NOTIFIED:
        raise DecisionClosed(f"Decision {decision} is {decision.state} already.")
    if on > decision.appeal_until:
        raise TooLate(f"Decision {decision} could be appealed against until {decision.appeal_until}.")
    decision.state, decision.appealed_at, decision.appeal_reason = Decision.State.APPEALED, timezone.now(), reason
    decision.save()
    _record(decision, "decision.appeal", actor, {"reason": reason})
    return decision


@transaction.atomic
def decide_appeal(decision_id: int, *, amended: bool, outcome: str, actor: str) -> Decision:
    """Close an appeal: the decision stands, or it is amended, and why.

    An amended decision changes the facts (a purchase counts, an attribute is mended) by its own operation; the next
    supplementary run then gives the difference. Raises DecisionMissing and DecisionClosed.
    """
    decision = decision_of(decision_id, lock=True)
    if decision.state != Decision.State.APPEALED:
        raise DecisionClosed(f"Decision {decision} is {decision.state}: there is no open appeal.")
    decision.state = Decision.State.AMENDED if amended else Decision.State.CONFIRMED
    decision.closed_at, decision.outcome = timezone.now(), outcome
    decision.save()
    _record(decision, "decision.close", actor, {"outcome": outcome, "amended": amended})
    return decision


@transaction.atomic
def annul(
    resident_ref: UUID, *, year: int, run: int, amount_minor: int, reason: str, actor: str, now: datetime
) -> Decision:
    """Record the decision that a purchase, or what it brought, is annulled; the purchase itself is undone elsewhere."""
    decision = Decision.objects.create(
        resident_ref=resident_ref, tax_year=year, run=run, kind=Decision.Kind.ANNULLED,
        amount_minor=amount_minor, reason=reason, decided_at=now,
    )  # fmt: skip
    tell([resident_ref], "decision_issued", at=now, year=year, run=run, decision=decision.pk)
    _record(decision, "decision.annul", actor, {"reason": reason, "amount_minor": amount_minor})
    return decision


def _record(decision: Decision, action: str, actor: str, detail: dict[str, object]) -> None:
    subject = f"decision:{decision}"
    record_event(at=timezone.now(), actor=actor, action=action, subject=subject, detail=detail, **change_of(decision))
