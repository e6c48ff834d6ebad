"""Alarms' rules, what they found, and what auditors made of it. The alarms themselves are rows of the trail's app."""

from typing import Any

import pgtrigger
from django.db import models
from django.db.models import Q

from apps.audit.models import Alarm
from apps.inspections.models.cases import Case


class AlarmRule(models.Model):
    """A version of a rule: it never changes, and a change of threshold or switch is the next version.

    `document` is the rule as `alarm_rules` reads it. `shipped_sha256` is the digest of the shipped rule that it goes
    back to; `reason` says why an auditor changed it, and is empty when it came with the program.
    """

    code = models.CharField(max_length=40)
    version = models.PositiveIntegerField()
    document: "models.JSONField[dict[str, Any]]" = models.JSONField()
    shipped_sha256 = models.CharField(max_length=64)
    is_on = models.BooleanField(default=True)
    reason = models.CharField(max_length=400, blank=True)
    set_by = models.CharField(max_length=150)
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["code", "version"], name="alarm_rule_version_once"),
            models.CheckConstraint(condition=Q(version__gte=1), name="alarm_rule_from_1"),
        ]
        triggers = [pgtrigger.Protect(name="immutable_alarm_rule", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.code} {self.version}"


class AlarmFinding(models.Model):
    """What a rule's search found and measured: the facts of an alarm that was not raised at once.

    `subject` names it as the trail does. `records` is how many records caused it; the first of them are kept.
    """

    alarm = models.OneToOneField(Alarm, on_delete=models.CASCADE, primary_key=True, related_name="finding")
    rule = models.ForeignKey(AlarmRule, on_delete=models.PROTECT, related_name="findings")
    tax_year = models.SmallIntegerField()
    subject = models.CharField(max_length=80)
    resident_ref = models.UUIDField(null=True)
    measured: "models.JSONField[dict[str, Any]]" = models.JSONField(default=dict)
    records = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["tax_year"], name="findings_of_year")]

    def __str__(self) -> str:
        return f"{self.alarm_id}: {self.subject}"


class AlarmRecord(models.Model):
    """A record that caused an alarm, and whose it is. It goes with the entry that it names."""

    alarm = models.ForeignKey(Alarm, on_delete=models.CASCADE, related_name="records")
    position = models.PositiveSmallIntegerField()
    terminal_id = models.IntegerField()
    seq = models.IntegerField()
    resident_ref = models.UUIDField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["alarm", "position"], name="alarm_record_place_once"),
            models.UniqueConstraint(fields=["alarm", "terminal_id", "seq"], name="alarm_record_once"),
        ]

    def __str__(self) -> str:
        return f"{self.alarm_id}: {self.terminal_id}/{self.seq}"


class AlarmReview(models.Model):
    """What an auditor made of an alarm; without a row it is new."""

    class State(models.TextChoices):
        LOOKED_AT = "looked_at"
        DISMISSED = "dismissed"
        IN_CASE = "in_case"

    alarm = models.OneToOneField(Alarm, on_delete=models.CASCADE, primary_key=True, related_name="review")
    state = models.CharField(max_length=9, choices=State.choices)
    reason = models.CharField(max_length=400, blank=True)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, null=True, related_name="alarms")
    batch = models.UUIDField(null=True, help_text="Those dismissed at once, so that it can be undone")
    by = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="alarm_state",
                condition=Q(state="looked_at", reason="", case=None, batch=None)
                | Q(state="dismissed", case=None, batch__isnull=False) & ~Q(reason="")
                | Q(state="in_case", case__isnull=False, reason="", batch=None),
            )
        ]
        indexes = [
            models.Index(fields=["state"], name="alarm_reviews_by_state"),
            models.Index(fields=["batch"], name="alarm_reviews_by_batch", condition=Q(batch__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.alarm_id}: {self.state}"


class AlarmLook(models.Model):
    """How far a rule has looked at a year: all that was counted before `part`, by the version of the rule.

    `left` is how many it found beyond what one look raises.
    """

    code = models.CharField(max_length=40)
    tax_year = models.SmallIntegerField()
    rule = models.ForeignKey(AlarmRule, on_delete=models.PROTECT, related_name="looks")
    part = models.PositiveSmallIntegerField()
    left = models.PositiveIntegerField(default=0)
    looked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["code", "tax_year"], name="one_look_a_rule_and_year"),
            models.CheckConstraint(condition=Q(part__gte=1), name="alarm_look_part_from_1"),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.tax_year} to part {self.part}"


class AlarmSearch(models.Model):
    """A look at every year that is kept, by all rules that are on, which an auditor asked for. There is one at a time.

    `done` and `total` are rules in years; `raised` is how many alarms came of it, `error_code` why it stopped.
    """

    requested_by = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    raised = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["finished_at"], condition=Q(finished_at=None), nulls_distinct=False,
                name="one_alarm_search_at_a_time",
            ),
            models.CheckConstraint(
                name="alarm_search_stopped_or_not", condition=Q(error_code="") | Q(finished_at__isnull=False)
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"alarm search {self.pk}"
