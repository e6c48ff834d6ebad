"""Cards and what happens to them."""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q

from apps.residents.models.register import Resident
from apps.residents.notice_codes import notice_number


class Card(models.Model):
    """An ID card, found by the keyed index of its number. Its key is not kept; its number is, sealed as in the vault.

    Good from `active_from` (None: not handed over yet) to before `valid_until` or `replaced_from`, but for suspensions.
    """

    card_index = models.BinaryField(max_length=32, unique=True)
    index_version = models.PositiveSmallIntegerField(default=1)
    sealed_card_id = models.BinaryField(null=True, help_text="For a new index when its key is rotated")
    key_version = models.PositiveSmallIntegerField(null=True, help_text="Under which the number is sealed")
    resident = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="cards")
    issuer_version = models.PositiveSmallIntegerField()
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField()
    active_from = models.DateTimeField(null=True)
    replaced_from = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["index_version", "id"], name="cards_by_index_key"),
            models.Index(fields=["key_version", "id"], name="cards_by_vault_key"),
        ]
        constraints = [
            models.CheckConstraint(name="card_valid_for_a_time", condition=Q(valid_from__lt=F("valid_until"))),
            models.CheckConstraint(
                name="card_active_when_valid", condition=Q(active_from=None) | Q(active_from__gte=F("valid_from"))
            ),
            models.UniqueConstraint(
                name="one_active_card_a_resident", fields=["resident"],
                condition=Q(active_from__isnull=False, replaced_from=None),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"card {self.pk}"


class CardSuspension(models.Model):
    """A time in which a card was not in its holder's hands, or may not have been: open until it is lifted.

    `valid` starts when the card was lost, which may be before it was `reported_at`.
    """

    class Channel(models.TextChoices):
        PORTAL = "portal"
        PHONE = "phone"
        WINDOW = "window"
        LETTER = "letter"

    card = models.ForeignKey(Card, on_delete=models.PROTECT, related_name="suspensions")
    valid = DateTimeRangeField()
    channel = models.CharField(max_length=6, choices=Channel.choices)
    reported_at = models.DateTimeField()
    reported_by = models.CharField(max_length=150)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            ExclusionConstraint(
                name="one_suspension_at_a_time",
                expressions=[("card", RangeOperators.EQUAL), ("valid", RangeOperators.OVERLAPS)],
            ),
            models.CheckConstraint(
                name="suspension_channel", condition=Q(channel__in=("portal", "phone", "window", "letter"))
            ),
            models.CheckConstraint(
                name="lifted_means_ended",
                condition=Q(lifted_at=None, valid__upper_inf=True) | Q(lifted_at__isnull=False, valid__upper_inf=False),
            ),
        ]

    def __str__(self) -> str:
        return f"card {self.card_id} {self.valid}"


class CardOrder(models.Model):
    """That a resident needs another card: issued with the next personalisation file."""

    class Reason(models.TextChoices):
        LOST = "lost"
        DAMAGED = "damaged"
        EXPIRY = "expiry"
        NAME = "name"

    resident = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="card_orders")
    reason = models.CharField(max_length=8, choices=Reason.choices)
    ordered_at = models.DateTimeField()
    ordered_by = models.CharField(max_length=150)
    card = models.OneToOneField(Card, on_delete=models.PROTECT, null=True, help_text="Once it is issued")
    cancelled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="one_open_order_a_resident", fields=["resident"], condition=Q(card=None, cancelled_at=None)
            ),
            models.CheckConstraint(
                name="card_order_reason", condition=Q(reason__in=("lost", "damaged", "expiry", "name"))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resident_id} {self.reason}"


class HandOver(models.Model):
    """That a card was given to its holder at a window: by whom, on what kinds of identity documents. No copies."""

    card = models.OneToOneField(Card, on_delete=models.PROTECT, related_name="hand_over")
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    office = models.CharField(max_length=150)
    documents = ArrayField(models.CharField(max_length=20), help_text="Kinds of documents that were checked")

    class Meta:
        constraints = [models.CheckConstraint(name="documents_were_checked", condition=Q(documents__len__gte=1))]

    def __str__(self) -> str:
        return f"card {self.card_id} at {self.office}"


class TestCard(models.Model):
    """A card of test mode whose secrets are published, for tills to be tried with."""

    __test__ = False  # no test class, whatever its name
    name = models.CharField(max_length=20, primary_key=True)
    card_id = models.BinaryField(max_length=16)
    card_key = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return self.name


class PhoneMiss(models.Model):
    """That somebody who took a call named nobody, or may have: particulars are tried so often a day and no more."""

    actor = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["actor", "at"], name="phone_misses_of_actor")]

    def __str__(self) -> str:
        return f"{self.actor} {self.at:%Y-%m-%d %H:%M:%S}"


class Notice(models.Model):
    """A letter that a card is ready, with a one-time code for the portal. Of the code only its hash is kept.

    `printed_at` is set once the file it is in is complete: until then its code may be drawn anew. A code is spent when
    it is used, after too many wrong birth dates, or when a newer notice is printed.
    """

    resident = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="notices")
    code_hash = models.BinaryField(max_length=32, unique=True)
    file = models.CharField(max_length=200)
    created_at = models.DateTimeField()
    printed_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    spent_at = models.DateTimeField(null=True)
    returned_at = models.DateTimeField(null=True)
    returned_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="one_live_code_a_resident", fields=["resident"], condition=Q(spent_at=None))
        ]

    def __str__(self) -> str:
        return f"notice {self.number}"

    @property
    def number(self) -> str:
        """What the letter is known by when it comes back."""
        return notice_number(self.pk)
