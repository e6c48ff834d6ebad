"""What happened and what looks wrong: events are only ever added, alarms are raised once per cause."""

import pgtrigger
from django.db import models


class Event(models.Model):
    """One change of state: who did what to what."""

    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=120)
    detail = models.JSONField(default=dict)

    class Meta:
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.action} {self.subject}"


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
