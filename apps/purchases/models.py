"""Purchases as tills reported them. They know a token, never a resident.

All tables here are distributed by `lane`; a purchase's table is partitioned by tax year, in SQL (see migrations).
"""

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class Int8Multirange(models.Field):  # type: ignore[type-arg]  # not generic at run time
    """A set of 64-bit numbers as ranges."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:  # noqa: ARG002 - Django's signature
        return "int8multirange"


class TerminalState(models.Model):
    """The running state of one terminal: the numbers that have come. Its row lock orders the terminal's batches.

    Once the terminal is sealed, `head` is the digest after its last record and `sealed_from` the chain's first number.
    """

    pk = models.CompositePrimaryKey("lane", "terminal_id")
    lane = models.SmallIntegerField()
    terminal_id = models.IntegerField()
    received = Int8Multirange(default="{}")
    sealed_from = models.IntegerField(null=True)
    head = models.BinaryField(max_length=32, null=True)


class Batch(models.Model):
    """A batch with new records, and the outbox: a batch without `counted_at` is work, unless it was set aside.

    `records` counts its new ones, refused ones too.
    """

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
    kind = models.TextField(default="sale")
    of_terminal_id = models.IntegerField(null=True)
    of_seq = models.IntegerField(null=True)
    amount_minor = models.BigIntegerField()
    line = models.TextField()


class Rejection(models.Model):
    """A refused record with the reason. `spends_seq` is false when its number is not its own.

    `record` is its canonical line, or, without `has_line`, the bytes sent.
    """

    pk = models.CompositePrimaryKey("lane", "terminal_id", "identity")
    lane = models.SmallIntegerField()
    terminal_id = models.IntegerField()
    identity = models.BinaryField(max_length=32)
    seq = models.IntegerField(null=True)
    spends_seq = models.BooleanField()
    batch_id = models.BigIntegerField(null=True)
    code = models.TextField()
    param = models.TextField()
    value = models.TextField(default="")
    reason = models.TextField(default="")
    has_line = models.BooleanField(default=False)
    kind = models.TextField(default="sale")
    of_terminal_id = models.IntegerField(null=True)
    of_seq = models.IntegerField(null=True)
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
    value = models.TextField(default="")
    decided_at = models.DateTimeField()


class Seal(models.Model):
    """The seal of a batch as the till sent it: evidence that its records up to `last_seq` are the till's own."""

    pk = models.CompositePrimaryKey("lane", "terminal_id", "last_seq")
    lane = models.SmallIntegerField()
    terminal_id = models.IntegerField()
    last_seq = models.IntegerField()
    head = models.BinaryField(max_length=32)
    signature = models.BinaryField(max_length=64)
    received_at = models.DateTimeField()


class Followup(models.Model):
    """A return, void or correction under the record that it names, or a decision of the refund office about a sale.

    `position` is the order in which workers took them up: returns are fitted to their sale in it. `due`: a worker has
    to look at it, unless it `failed`; `waiting`: the record that it names has not come yet. `code` says why a return
    was refused, or what a decision came to. `runs` says which run of each year was open when it was settled first.
    Decisions are the records of terminal 0, which no till has, and name no resident.
    """

    pk = models.CompositePrimaryKey("of_lane", "of_terminal_id", "of_seq", "terminal_id", "seq")
    of_lane = models.SmallIntegerField()
    of_terminal_id = models.IntegerField()
    of_seq = models.IntegerField()
    lane = models.SmallIntegerField()
    terminal_id = models.IntegerField()
    seq = models.IntegerField()
    position = models.BigIntegerField()
    received_at = models.DateTimeField()
    line = models.TextField()
    code = models.TextField()
    due = models.BooleanField()
    waiting = models.BooleanField()
    failed = models.BooleanField(default=False)
    runs = models.JSONField(null=True)


class Closing(models.Model):
    """A terminal's totals of a year as it reported them, and as its records say once no lower number is missing.

    `agrees` stays empty while they cannot be compared.
    """

    pk = models.CompositePrimaryKey("lane", "terminal_id", "seq")
    lane = models.SmallIntegerField()
    terminal_id = models.IntegerField()
    seq = models.IntegerField()
    tax_year = models.SmallIntegerField()
    at = models.DateTimeField()
    reported = models.JSONField()
    recorded = models.JSONField(null=True)
    agrees = models.BooleanField(null=True)
    due = models.BooleanField()


class Claim(models.Model):
    """A sale without a card, found by the SHA-256 of the code on its receipt."""

    pk = models.CompositePrimaryKey("claim", "terminal_id", "seq")
    claim = models.TextField()
    lane = models.SmallIntegerField()
    terminal_id = models.IntegerField()
    seq = models.IntegerField()
    tax_year = models.SmallIntegerField()


class Poison(models.Model):
    """Work that fails whenever it is tried, taken off its queue so that it blocks none: a batch by its number, a
    closing by its own, or what names a record by the record's.

    `attempts` failed so far, the last of them for `reason`: what the error was, never what it said. `request_id` is the
    batch's. Settled once it was done after all; nothing that was acknowledged is ever thrown away.
    """

    class Kind(models.TextChoices):
        BATCH = "batch", _("Batch")
        FOLLOWUP = "followup", _("Return, void or correction")
        CLOSING = "closing", _("Closing")

    kind = models.CharField(max_length=8, choices=Kind.choices)
    terminal_id = models.IntegerField()
    number = models.BigIntegerField()
    request_id = models.UUIDField(null=True)
    reason = models.CharField(max_length=120)
    attempts = models.IntegerField(default=1)
    first_failed_at = models.DateTimeField()
    last_failed_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "terminal_id", "number"], name="poison_once"),
            models.CheckConstraint(name="poison_kind", condition=Q(kind__in=("batch", "followup", "closing"))),
            models.CheckConstraint(
                name="poison_failed", condition=Q(attempts__gte=1, last_failed_at__gte=F("first_failed_at"))
            ),
        ]
        indexes = [
            models.Index(fields=["last_failed_at"], condition=Q(settled_at=None), name="poison_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.terminal_id}/{self.number}"
