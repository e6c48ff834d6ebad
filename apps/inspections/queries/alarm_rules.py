"""The rules of alarms as they are in force."""

from functools import cache
from typing import NamedTuple

from apps.inspections.alarm_rules import SHIPPED, Rule, read_rules, rule_of
from apps.inspections.models import AlarmRule
from apps.kernel.errors import KanpuError


class AlarmRuleUnknown(KanpuError):
    """There is no rule of this code, or none that is searched."""

    code = "alarm_rule_unknown"


class InForce(NamedTuple):
    """A rule's newest version: its row and what it says."""

    row: AlarmRule
    rule: Rule


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """The rules that come with the program, by their file's order; read once a process."""
    return tuple(read_rules(SHIPPED.read_text("utf-8")))


def rules_in_force() -> dict[str, InForce]:
    """The newest version of each rule by code, in the shipped order: one query."""
    rows = AlarmRule.objects.order_by("code", "-version").distinct("code")
    known = {row.code: InForce(row, rule_of(row.document)) for row in rows}
    order = {rule.code: place for place, rule in enumerate(shipped_rules())}
    return {code: known[code] for code in sorted(known, key=lambda code: order.get(code, len(order)))}


def rule_in_force(code: str) -> InForce:
    """The newest version of a rule. Raises AlarmRuleUnknown."""
    row = AlarmRule.objects.filter(code=code).order_by("-version").first()
    if row is None:
        raise AlarmRuleUnknown(f"There is no rule {code!r}. See: load_alarm_rules")
    return InForce(row, rule_of(row.document))


def versions_of(code: str) -> list[InForce]:
    """All versions of a rule, the newest first."""
    return [InForce(row, rule_of(row.document)) for row in AlarmRule.objects.filter(code=code).order_by("-version")]
