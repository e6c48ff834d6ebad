"""Loading the rules of alarms, and changing their thresholds: each change is the next version."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
from django.db import connection, transaction

from apps.audit.operations import record_event
from apps.inspections.alarm_rules import AlarmRulesInvalid, Rule, digest, with_thresholds
from apps.inspections.models import AlarmRule
from apps.inspections.queries.alarm_rules import rule_in_force, rules_in_force, shipped_rules

LOCK = 7_318_001  # changes of rules come one after another


@transaction.atomic
def load_rules(*, at: datetime, actor: str) -> list[AlarmRule]:
    """Make the shipped rules' next versions where they are new or changed, and return those.

    What an auditor set (thresholds, off) stays. What is in the file and in force already makes none.
    """
    _one_at_a_time()
    known = rules_in_force()
    made = []
    for rule in shipped_rules():
        row = known[rule.code].row if rule.code in known else None
        if row is None or row.shipped_sha256 != digest(rule):
            kept = known[rule.code].rule.thresholds if row and row.reason else {}
            new = with_thresholds(rule, kept)
            made.append(
                _next(row, new, shipped=digest(rule), is_on=row is None or row.is_on, reason=row.reason if row else "",
                      at=at, actor=actor)
            )  # fmt: skip
    return made


@transaction.atomic
def set_rule(
    code: str, *, thresholds: Mapping[str, int], is_on: bool, reason: str, version: int, at: datetime, actor: str
) -> AlarmRule:
    """A rule's next version with other thresholds, or switched. Returns the one in force when nothing differs.

    `version` is the one that was shown. Raises AlarmRuleUnknown, and AlarmRulesInvalid without a reason, of a rule that
    is raised at once, or when a newer version is there.
    """
    _one_at_a_time()
    row, rule = rule_in_force(code)
    if not rule.is_searched:
        raise AlarmRulesInvalid("What is raised at once has no threshold and cannot be switched off.")
    if row.version != version:
        raise AlarmRulesInvalid("Somebody changed this rule meanwhile. Look at it again.")
    if not reason.strip():
        raise AlarmRulesInvalid("Say why the rule is changed.")
    changed = with_thresholds(rule, thresholds)
    if changed == rule and is_on == row.is_on:
        return row
    return _next(row, changed, shipped=row.shipped_sha256, is_on=is_on, reason=reason.strip(), at=at, actor=actor)


def _next(
    row: AlarmRule | None, rule: Rule, *, shipped: str, is_on: bool, reason: str, at: datetime, actor: str
) -> AlarmRule:
    new = AlarmRule.objects.create(
        code=rule.code, version=row.version + 1 if row else 1, document=msgspec.to_builtins(rule),
        shipped_sha256=shipped, is_on=is_on, reason=reason, set_by=actor, set_at=at,
    )  # fmt: skip
    record_event(
        at=at, actor=actor, action="alarm_rule.set", subject=f"alarm_rule:{rule.code}",
        detail={"version": new.version, "thresholds": rule.thresholds, "is_on": is_on, "reason": reason},
        before=row and row.document, after=new.document,
    )  # fmt: skip
    return new


def _one_at_a_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
