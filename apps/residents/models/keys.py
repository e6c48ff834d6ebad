"""Which keys there are: never a private one."""

from django.db import models
from django.db.models import Q

from apps.merchants.models import Mode


class KeyFingerprint(models.Model):
    """What tells that a process has the right key of a name, and nothing of the key itself."""

    class Ring(models.TextChoices):
        """Which processes hold the key: those that open tokens, or those that open the vault."""

        TOKENS = "tokens"
        VAULT = "vault"

    ring = models.CharField(max_length=6, choices=Ring.choices, default=Ring.TOKENS)
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
