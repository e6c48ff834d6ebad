"""Purchases as tills reported them. They know a token, never a resident.

All tables here are distributed by `lane`; a purchase's table is partitioned by tax year, in SQL (see migrations).
"""

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper


class Int8Multirange(models.Field):  # type: ignore[type-arg]  # not generic at run time
    """A set of 64-bit numbers as ranges."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:  # noqa: ARG002 - Django's signature
        return "int8multirange"


class TerminalState(models.Model):
    """The running state of one terminal: the numbers that have come. Its row lock orders the terminal's batches."""

    pk = models.CompositePrimaryKey("lane", "terminal_id")
    lane = models.SmallIntegerField()
    terminal_id = models.IntegerField()
    received = Int8Multirange(default="{}")


class Batch(models.Model):
    """A batch as accepted, and the outbox: a batch without `counted_at` is work, unless it was set aside."""

    pk = models.CompositePrimaryKey("lane", "id")
    lane = models.SmallIntegerField()
    id = models.BigIntegerField()
    terminal_id = models.IntegerField()
    records = models.SmallIntegerField()
    software = models.TextField()
    request_id = models.UUIDField()
    received_at = models.DateTimeField()
    counted_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)


class Purchase(models.Model):
    """One accepted record. `line` is the record as sent, in its canonical form: token, tiers and amounts."""

    pk = models.CompositePrimaryKey("lane", "terminal_id", "seq", "tax_year")
    lane = models.SmallIntegerField()
    terminal_id = models.IntegerField()
    seq = models.IntegerField()
    tax_year = models.SmallIntegerField()
    batch_id = models.BigIntegerField()
    at = models.DateTimeField()
    amount_minor = models.BigIntegerField()
    line = models.TextField()


class Rejection(models.Model):
    """A refused record, as sent, with the reason. `spends_seq` is false when its number is not its own."""

    pk = models.CompositePrimaryKey("lane", "terminal_id", "identity")
    lane = models.SmallIntegerField()
    terminal_id = models.IntegerField()
    identity = models.BinaryField(max_length=32)
    seq = models.IntegerField(null=True)
    spends_seq = models.BooleanField()
    code = models.TextField()
    param = models.TextField()
    record = models.BinaryField()
    received_at = models.DateTimeField()


class Outcome(models.Model):
    """What workers decided of an accepted record when it was not simply counted."""

    pk = models.CompositePrimaryKey("lane", "terminal_id", "seq")
    lane = models.SmallIntegerField()
    terminal_id = models.IntegerField()
    seq = models.IntegerField()
    status = models.TextField()
    code = models.TextField()
    decided_at = models.DateTimeField()
