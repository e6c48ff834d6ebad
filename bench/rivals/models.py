"""A table of purchases as a team usually writes it."""

from typing import ClassVar

from django.db import models

from apps.merchants.models import Terminal


class Purchase(models.Model):
    """A purchase, unique by terminal and number."""

    terminal = models.ForeignKey(Terminal, on_delete=models.PROTECT, related_name="+")
    seq = models.IntegerField()
    at = models.DateTimeField()
    card = models.TextField()
    lines = models.JSONField()
    received_at = models.DateTimeField()

    objects: ClassVar[models.Manager["Purchase"]] = models.Manager()

    class Meta:
        app_label = "rivals"
        constraints = [models.UniqueConstraint(fields=["terminal", "seq"], name="rival_purchase_once")]

    def __str__(self) -> str:
        return str(self.seq)
