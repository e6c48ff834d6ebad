"""What happened and what looks wrong: events are only ever added, alarms are raised once per cause."""

from datetime import timedelta
from typing import Final

import pgtrigger
from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Case, F, Func, Q, When

GLASS_MOST: Final = timedelta(hours=4)
DELAY_MOST: Final = timedelta(days=183)  # six months
OWN_TRANSACTION = Func(template="(pg_current_xact_id()::text::bigint)", output_field=models.BigIntegerField())


def never_emptied(name: str) -> pgtrigger.Trigger:
    """TRUNCATE is refused."""
    return pgtrigger.Trigger(
        name=name, level=pgtrigger.Statement, when=pgtrigger.Before, operation=pgtrigger.Truncate,
        func="RAISE EXCEPTION 'The table % is only ever added to.', TG_TABLE_NAME;",
    )  # fmt: skip


class Event(models.Model):
    """One change of state: who did what to what, whose it is, for what, and from where.

    `before_mac` and `after_mac` are keyed hashes of what was and is, where the action has them (see `macs`): they show
    that nothing else was the case, and tell nobody what was. `written` is the transaction's number.
    """

    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=120)
    resident_ref = models.UUIDField(null=True, help_text="Whose data it is about, if it is one resident's")
    purpose = models.CharField(max_length=300, blank=True, default="")
    origin = models.CharField(max_length=60, blank=True, default="", help_text="From where: see `origin`")
    detail = models.JSONField(default=dict)
    before_mac = models.BinaryField(max_length=36, null=True)
    after_mac = models.BinaryField(max_length=36, null=True)
    written = models.BigIntegerField(db_default=OWN_TRANSACTION)

    class Meta:
        indexes = [
            models.Index(fields=["written"], name="events_as_written"),
            models.Index(fields=["resident_ref", "-at"], condition=~Q(resident_ref=None), name="events_of_resident"),
            models.Index(
                name="openings_by_actor", fields=["actor", "at"],
                condition=Q(action__in=("resident.seek", "resident.open")),
            )
        ]  # fmt: skip
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            never_emptied("append_only_whole"),
        ]

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
    origin = models.CharField(max_length=60, blank=True, default="", help_text="From where: see `origin`")
    written = models.BigIntegerField(db_default=OWN_TRANSACTION)

    class Meta:
        indexes = [
            models.Index(fields=["written"], name="accesses_as_written"),
            models.Index(fields=["resident_ref", "-at"], name="accesses_of_resident"),
            models.Index(fields=["actor", "at"], name="accesses_by_actor"),
            BrinIndex(fields=["at"], name="accesses_by_time", autosummarize=True),
        ]
        constraints = [models.CheckConstraint(name="access_has_a_purpose", condition=~Q(purpose=""))]
        triggers = [
            pgtrigger.Protect(name="append_only_access", operation=pgtrigger.Update | pgtrigger.Delete),
            never_emptied("append_only_access_whole"),
        ]

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


class Source(models.TextChoices):
    """What the log is made of."""

    EVENT = "event"
    ACCESS = "access"


class LogEntry(models.Model):
    """The place of an event or an access in the log, from 0 without a gap, and its leaf in the log's tree."""

    position = models.BigIntegerField(primary_key=True)
    source = models.CharField(max_length=6, choices=Source.choices)
    source_id = models.BigIntegerField()
    leaf = models.BinaryField(max_length=32)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "source_id"], name="logged_once"),
            models.CheckConstraint(name="log_source", condition=Q(source__in=("event", "access"))),
            models.CheckConstraint(name="log_from_0", condition=Q(position__gte=0)),
        ]
        triggers = [
            pgtrigger.Protect(name="append_only_log", operation=pgtrigger.Update | pgtrigger.Delete),
            never_emptied("append_only_log_whole"),
        ]

    def __str__(self) -> str:
        return f"{self.position}: {self.source} {self.source_id}"


class LogTile(models.Model):
    """Up to 256 consecutive hashes of the log's tree (see `merkle`). The last of a level grows."""

    pk = models.CompositePrimaryKey("level", "number")
    level = models.SmallIntegerField()
    number = models.BigIntegerField()
    hashes = models.BinaryField()


class LogHead(models.Model):
    """How far the log is: one row. All that was written by transactions below `horizon` is in it."""

    number = models.SmallIntegerField(primary_key=True, default=1)
    size = models.BigIntegerField(default=0)
    horizon = models.BigIntegerField(default=0)
    public_key = models.TextField(default="", db_default="", help_text="PEM, published: checks checkpoints")

    class Meta:
        constraints = [models.CheckConstraint(name="one_log", condition=Q(number=1))]

    def __str__(self) -> str:
        return f"{self.size} entries"


class Checkpoint(models.Model):
    """The log's size and root at a time, signed. The same note stands in a file outside the database."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField(max_length=32)
    at = models.DateTimeField()
    note = models.TextField(help_text="As signed: see `notes`")

    class Meta:
        triggers = [
            pgtrigger.Protect(name="append_only_checkpoint", operation=pgtrigger.Update | pgtrigger.Delete),
            never_emptied("append_only_checkpoint_whole"),
        ]

    def __str__(self) -> str:
        return f"{self.size} at {self.at:%Y-%m-%d %H:%M:%S}"


def four_eyes(name: str, *, asked: str, approved: str, at: str) -> models.CheckConstraint:
    """What one officer asks for, another one approves: both the name and the time are there, or neither."""
    none = Q(**{approved: "", f"{at}__isnull": True})
    return models.CheckConstraint(
        name=name, condition=none | (Q(**{f"{at}__isnull": False}) & ~Q(**{approved: ""}) & ~Q(**{approved: F(asked)}))
    )


class KeyReset(models.Model):
    """That an officer lost their keys: one operator asks to remove them, another one does it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="key_resets")
    reason = models.CharField(max_length=300)
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    approved_by = models.CharField(max_length=150, blank=True, default="")
    approved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            four_eyes("key_reset_by_two", asked="asked_by", approved="approved_by", at="approved_at"),
            models.CheckConstraint(name="key_reset_has_a_reason", condition=~Q(reason="") & ~Q(asked_by="")),
            models.UniqueConstraint(fields=["user"], condition=Q(approved_at=None), name="one_open_key_reset"),
        ]

    def __str__(self) -> str:
        return f"key reset {self.pk}"


class BreakGlass(models.Model):
    """That an officer asks to see one resident beyond their role, for a while; that another one let them.

    `minutes` are asked for; they run from the approval to `ends_at`. `ended_at` when it was closed before, or refused.
    """

    resident_ref = models.UUIDField()
    asked_by = models.CharField(max_length=150)
    role = models.CharField(max_length=20, help_text="In which role it was asked for")
    office = models.CharField(max_length=150)
    reason = models.CharField(max_length=300)
    case = models.CharField(max_length=60, blank=True, default="")
    minutes = models.PositiveSmallIntegerField(default=30)
    asked_at = models.DateTimeField()
    approved_by = models.CharField(max_length=150, blank=True, default="")
    approver_role = models.CharField(max_length=20, blank=True, default="")
    approved_at = models.DateTimeField(null=True)
    ends_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["resident_ref"], name="glass_of_resident")]
        constraints = [
            four_eyes("glass_by_two", asked="asked_by", approved="approved_by", at="approved_at"),
            models.CheckConstraint(name="glass_has_a_reason", condition=~Q(reason="") & ~Q(asked_by="")),
            models.CheckConstraint(name="glass_of_minutes", condition=Q(minutes__gte=1, minutes__lte=240)),
            models.CheckConstraint(
                name="glass_ends",
                condition=Q(approved_at=None, ends_at=None)
                | Q(ends_at__gt=F("approved_at"), ends_at__lte=F("approved_at") + GLASS_MOST),
            ),
            models.CheckConstraint(
                name="glass_approver_may",
                condition=Q(approved_at=None, approver_role="")
                | Q(approved_at__isnull=False, approver_role__in=("auditor", "protected_officer")),
            ),
            models.CheckConstraint(
                name="glass_ended_by_somebody",
                condition=Q(ended_at=None, ended_by="") | Q(Q(ended_at__isnull=False), ~Q(ended_by="")),
            ),
            models.UniqueConstraint(
                fields=["resident_ref", "asked_by"], condition=Q(approved_at=None, ended_at=None),
                name="one_waiting_glass",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"break-glass {self.pk}"


class NoticeDelay(models.Model):
    """That a resident reads later who looked: of one officer's accesses under one case number, from the approval on.

    Two officers decide it, and two extend it once. It is over at `ends_at`, by itself. `told_at`: the messages that
    were kept back have gone out.
    """

    class Reason(models.TextChoices):
        CRIMINAL = "criminal_inquiry"
        TAX_CRIME = "tax_crime_inquiry"

    resident_ref = models.UUIDField()
    actor = models.CharField(max_length=150, help_text="Who asks, and whose accesses are told of later")
    office = models.CharField(max_length=150)
    case = models.CharField(max_length=60)
    reason = models.CharField(max_length=20, choices=Reason.choices)
    until = models.DateTimeField()
    asked_at = models.DateTimeField()
    approved_by = models.CharField(max_length=150, blank=True, default="")
    approved_at = models.DateTimeField(null=True)
    extended_until = models.DateTimeField(null=True)
    extension_asked_by = models.CharField(max_length=150, blank=True, default="")
    extension_approved_by = models.CharField(max_length=150, blank=True, default="")
    extension_approved_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=150, blank=True, default="")
    ends_at = models.GeneratedField(
        expression=Case(
            When(ended_at__isnull=False, then=F("ended_at")),
            When(extension_approved_at__isnull=False, then=F("extended_until")),
            default=F("until"),
        ),
        output_field=models.DateTimeField(), db_persist=True,
    )  # fmt: skip
    told_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["resident_ref"], name="delays_of_resident"),
            models.Index(fields=["ends_at"], condition=Q(told_at=None), name="delays_to_tell"),
        ]
        constraints = [
            four_eyes("delay_by_two", asked="actor", approved="approved_by", at="approved_at"),
            four_eyes(
                "extension_by_two", asked="extension_asked_by", approved="extension_approved_by",
                at="extension_approved_at",
            ),
            models.CheckConstraint(
                name="delay_has_a_reason",
                condition=Q(reason__in=("criminal_inquiry", "tax_crime_inquiry")) & ~Q(case="") & ~Q(actor=""),
            ),
            models.CheckConstraint(
                name="delay_of_six_months",
                condition=Q(until__gt=F("asked_at"), until__lte=F("asked_at") + DELAY_MOST),
            ),
            models.CheckConstraint(
                name="extension_of_six_months",
                condition=Q(extended_until=None, extension_asked_by="", extension_approved_at=None)
                | (
                    Q(approved_at__isnull=False, extended_until__gt=F("until"))
                    & Q(extended_until__lte=F("until") + DELAY_MOST)
                    & ~Q(extension_asked_by="")
                ),
            ),
            models.CheckConstraint(
                name="delay_ended_by_somebody",
                condition=Q(ended_at=None, ended_by="") | Q(Q(ended_at__isnull=False), ~Q(ended_by="")),
            ),
            models.UniqueConstraint(
                fields=["resident_ref", "actor", "case"], condition=Q(ended_at=None, told_at=None),
                name="one_delay_a_case",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"delay {self.pk}"
