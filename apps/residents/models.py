"""Residents, known by a random reference, their households, their cards, and the public sealing keys."""

import uuid

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q

from apps.merchants.models import Mode


class Resident(models.Model):
    """Somebody who may get refunds. Who it is stands in no table of this app."""

    ref = models.UUIDField(primary_key=True, default=uuid.uuid4)
    mode = models.CharField(max_length=4, choices=Mode.choices, default=Mode.LIVE)
    resident_from = models.DateField()
    resident_to = models.DateField(null=True, help_text="First day no longer resident")

    class Meta:
        constraints = [
            models.CheckConstraint(name="resident_mode", condition=Q(mode__in=Mode.values)),
            models.CheckConstraint(
                name="resident_for_days",
                condition=Q(resident_to__isnull=True) | Q(resident_from__lt=F("resident_to")),
            ),
        ]

    def __str__(self) -> str:
        return str(self.ref)


class Card(models.Model):
    """An ID card, found by the keyed index of its number. Neither its number nor its key is kept."""

    card_index = models.BinaryField(max_length=32, unique=True)
    resident = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="cards")
    issuer_version = models.PositiveSmallIntegerField()
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField()
    suspended_from = models.DateTimeField(null=True)
    replaced_from = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="card_valid_for_a_time", condition=Q(valid_from__lt=F("valid_until")))
        ]

    def __str__(self) -> str:
        return f"card {self.pk}"


class KeyFingerprint(models.Model):
    """What tells that a process has the right key of a name, and nothing of the key itself."""

    name = models.CharField(max_length=40, primary_key=True)
    fingerprint = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return self.name


class SealingKey(models.Model):
    """The public half of a key that readers seal to. Its number is in every token."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    mode = models.CharField(max_length=4, choices=Mode.choices)
    public_key = models.BinaryField(max_length=32)
    seal_until = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="sealing_key_number", condition=Q(id__gte=1, id__lte=255)),
            models.CheckConstraint(name="sealing_key_mode", condition=Q(mode__in=Mode.values)),
        ]

    def __str__(self) -> str:
        return f"sealing key {self.pk}"


class TestCard(models.Model):
    """A card of test mode whose secrets are published, for tills to be tried with."""

    __test__ = False  # no test class, whatever its name
    name = models.CharField(max_length=20, primary_key=True)
    card_id = models.BinaryField(max_length=16)
    card_key = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """That a resident belongs to a household, from the first of a month to before the first of another.

    A household is known by a random reference. `payee` is the registered parent to whom a child's share is paid.
    """

    resident = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="memberships")
    household_ref = models.UUIDField()
    valid = DateRangeField()
    is_head = models.BooleanField(default=False)
    payee = models.ForeignKey(Resident, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["household_ref"], name="members_of_household")]
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
