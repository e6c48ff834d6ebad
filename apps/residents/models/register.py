"""Residents, their households and what changed of them."""

import uuid

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q

from apps.merchants.models import Mode


class Resident(models.Model):
    """Somebody who may get refunds. Who it is stands in the vault only.

    A protected resident's address, shops and times are open to named officers only (支援措置).
    """

    ref = models.UUIDField(primary_key=True, default=uuid.uuid4)
    mode = models.CharField(max_length=4, choices=Mode.choices, default=Mode.LIVE)
    resident_from = models.DateField()
    resident_to = models.DateField(null=True, help_text="First day no longer resident")
    municipality = models.CharField(max_length=6, blank=True, help_text="全国地方公共団体コード")
    language = models.CharField(max_length=2, default="ja", help_text="Of letters")
    is_protected = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(name="resident_language", condition=Q(language__in=("ja", "en"))),
            models.CheckConstraint(name="resident_mode", condition=Q(mode__in=Mode.values)),
            models.CheckConstraint(
                name="resident_for_days",
                condition=Q(resident_to__isnull=True) | Q(resident_from__lt=F("resident_to")),
            ),
        ]

    def __str__(self) -> str:
        return str(self.ref)


class EarlierResidence(models.Model):
    """A time in which somebody was resident before the latest one: in another municipality, or before going abroad.

    `valid` lies before the resident's `resident_from`.
    """

    resident = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="earlier_residences")
    valid = DateRangeField()
    municipality = models.CharField(max_length=6, blank=True)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="one_earlier_residence_at_a_time",
                expressions=[("resident", RangeOperators.EQUAL), ("valid", RangeOperators.OVERLAPS)],
            ),
            models.CheckConstraint(
                name="earlier_residence_is_over", condition=Q(valid__lower_inf=False, valid__upper_inf=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resident_id} {self.valid}"


class RegisterEvent(models.Model):
    """That something about a resident changed on a day: what kind of change, never from what to what."""

    class Kind(models.TextChoices):
        REGISTER = "register"
        BIRTH = "birth"
        MOVE_IN = "move_in"
        MOVE_OUT = "move_out"
        DEATH = "death"
        NUMBER = "number"
        CODE = "code"
        NAME = "name"
        ADDRESS = "address"
        HOUSEHOLD = "household"
        MARRIAGE = "marriage"
        DIVORCE = "divorce"
        ATTRIBUTE = "attribute"
        PROTECTION = "protection"
        CORRECTION = "correction"
        ERASURE = "erasure"

    resident = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="register_events", db_index=False)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    effective_date = models.DateField()
    recorded_at = models.DateTimeField()
    actor = models.CharField(max_length=150)

    class Meta:
        indexes = [models.Index(fields=["resident", "effective_date"], name="register_events_of_resident")]
        constraints = [models.CheckConstraint(name="register_event_kind", condition=Q(kind__in=[
            "register", "birth", "move_in", "move_out", "death", "number", "code", "name", "address", "household",
            "marriage", "divorce", "attribute", "protection", "correction", "erasure",
        ]))]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.resident_id} {self.kind} {self.effective_date}"


class Membership(models.Model):
    """That a resident belongs to a household, from the first of a month to before the first of another.

    A household is known by a random reference. `payee` is the registered parent to whom a child's share is paid.
    """

    resident = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="memberships")
    household_ref = models.UUIDField()
    valid = DateRangeField()
    is_head = models.BooleanField(default=False)
    payee = models.ForeignKey(Resident, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)

    class Meta:
        indexes = [
            models.Index(fields=["household_ref"], name="members_of_household"),
            models.Index(fields=["payee"], name="children_of_payee", condition=Q(payee__isnull=False)),
        ]
        constraints = [
            ExclusionConstraint(
                name="one_household_at_a_time",
                expressions=[("resident", RangeOperators.EQUAL), ("valid", RangeOperators.OVERLAPS)],
            ),
            ExclusionConstraint(
                name="one_head_at_a_time",
                expressions=[("household_ref", RangeOperators.EQUAL), ("valid", RangeOperators.OVERLAPS)],
                condition=Q(is_head=True),
            ),
            models.CheckConstraint(
                name="membership_by_months",
                condition=Q(valid__startswith__day=1) & (Q(valid__endswith=None) | Q(valid__endswith__day=1)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resident_id} in {self.household_ref} {self.valid}"


class Attribute(models.Model):
    """Something a scheme's eligibility or cap asks of a resident: `attr_…` and a number or a text, for a time."""

    resident = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="attributes")
    name = models.CharField(max_length=32)
    value = models.JSONField()
    valid = DateRangeField()

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="one_value_at_a_time",
                expressions=[
                    ("resident", RangeOperators.EQUAL),
                    ("name", RangeOperators.EQUAL),
                    ("valid", RangeOperators.OVERLAPS),
                ],
            ),
            models.CheckConstraint(name="attribute_name", condition=Q(name__startswith="attr_")),
        ]

    def __str__(self) -> str:
        return f"{self.resident_id} {self.name} = {self.value}"


class RecordingPause(models.Model):
    """A time in which a resident does not want purchases to be recorded: what is bought then counts for nothing."""

    resident = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="pauses")
    valid = DateTimeRangeField()

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="one_pause_at_a_time",
                expressions=[("resident", RangeOperators.EQUAL), ("valid", RangeOperators.OVERLAPS)],
            )
        ]

    def __str__(self) -> str:
        return f"{self.resident_id} {self.valid}"


class JudgingDue(models.Model):
    """That a resident's sales from some time on must be judged again: a card's or the resident's days have changed.

    Whoever counts purchases takes it up and deletes it, in one transaction with what came of it.
    """

    resident = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="+")
    since = models.DateTimeField()
    asked_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.resident_id} since {self.since:%Y-%m-%d %H:%M:%S}"
