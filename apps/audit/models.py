"""What happened and what looks wrong: events are only ever added, alarms are raised once per cause."""

import pgtrigger
from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models


class Event(models.Model):
    """One change of state: who did what to what."""

    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=120)
    detail = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(
                name="openings_by_actor", fields=["actor", "at"],
                condition=models.Q(action__in=("resident.seek", "resident.open")),
            )
        ]  # fmt: skip
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action} {self.subject}"


class AccessRecord(models.Model):
    """That somebody was about to be shown a resident's data: written before the data is read, and never changed.

    `what` names what was opened (a page, `vault:address`), never its content.
    """

    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    role = models.CharField(max_length=20)
    office = models.CharField(max_length=150)
    resident_ref = models.UUIDField()
    what = models.CharField(max_length=120)
    purpose = models.CharField(max_length=300)
    case = models.CharField(max_length=60, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["resident_ref", "-at"], name="accesses_of_resident"),
            models.Index(fields=["actor", "at"], name="accesses_by_actor"),
            BrinIndex(fields=["at"], name="accesses_by_time", autosummarize=True),
        ]
        constraints = [models.CheckConstraint(name="access_has_a_purpose", condition=~models.Q(purpose=""))]
        triggers = [pgtrigger.Protect(name="append_only_access", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.what}"


class AccessCount(models.Model):
    """How often officers of an office looked for a purpose in a month (its first day), counted with the records.

    Residents' own looks are left out. A purpose that was typed counts as `other`.
    """

    month = models.DateField()
    office = models.CharField(max_length=150, blank=True)
    purpose = models.CharField(max_length=40)
    accesses = models.PositiveBigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["month", "office", "purpose"], name="access_count_once")]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.office} {self.purpose}"


class Officer(models.Model):
    """The office that a user works for. What officers may do is said by their groups (see officers.py)."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="officer")
    office = models.CharField(max_length=150)
    has_first_password = models.BooleanField(default=False, help_text="To be changed at the first sign-in")

    def __str__(self) -> str:
        return f"{self.user} ({self.office})"


class Alarm(models.Model):
    """Something an auditor should look at. `key` names its cause, so that a repeat raises no second alarm."""

    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=160)
    detail = models.JSONField(default=dict)
    raised_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "key"], name="alarm_once_per_cause")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
