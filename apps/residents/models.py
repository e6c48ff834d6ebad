"""Residents, known by a random reference, their cards, and the public sealing keys."""

import uuid

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
