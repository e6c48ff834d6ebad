"""Residents, known by a random reference; the vault, which alone knows who they are; households, cards, public keys."""

import uuid

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateRangeField, DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q

from apps.merchants.models import Mode
from apps.residents.notice_codes import notice_number


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
        indexes = [models.Index(fields=["municipality", "ref"], name="residents_of_municipality")]
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


class VaultRecord(models.Model):
    """Who a resident is: every column sealed under a key that the database does not have, or a keyed index of one.

    Emptied for good when the resident is erased. `content_mac` tells whether a row of the register says anything new.
    """

    resident = models.OneToOneField(Resident, primary_key=True, on_delete=models.PROTECT, related_name="vault")
    key_version = models.PositiveSmallIntegerField(help_text="Under which all of the row is sealed")
    index_version = models.PositiveSmallIntegerField(help_text="Under which all of its indexes are made")
    individual_number = models.BinaryField(null=True)
    individual_number_index = models.BinaryField(max_length=32, null=True, unique=True)
    resident_code = models.BinaryField(null=True)
    resident_code_index = models.BinaryField(max_length=32, null=True, unique=True)
    person = models.BinaryField(null=True, help_text="Names and birth date")
    person_index = models.BinaryField(max_length=32, null=True, db_index=True, help_text="Of name in kana, birth date")
    address = models.BinaryField(null=True)
    account = models.BinaryField(null=True, help_text="Where a refund is paid to")
    content_mac = models.BinaryField(max_length=32, null=True)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="erased_means_empty",
                condition=Q(erased_at=None)
                | Q(
                    individual_number=None, individual_number_index=None, resident_code=None, resident_code_index=None,
                    person=None, person_index=None, address=None, account=None, content_mac=None,
                ),
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"vault of {self.resident_id}"


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


class PhoneMiss(models.Model):
    """That somebody who took a call named nobody, or may have: particulars are tried so often a day and no more."""

    actor = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["actor", "at"], name="phone_misses_of_actor")]

    def __str__(self) -> str:
        return f"{self.actor} {self.at:%Y-%m-%d %H:%M:%S}"


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
    payee = models.ForeignKey(Resident, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)

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


class HouseholdIndex(models.Model):
    """The number that a municipality gave a household, sealed, and the keyed index that finds its reference."""

    household_ref = models.UUIDField(primary_key=True, default=uuid.uuid4)
    number = models.BinaryField(help_text="Municipality and the household's number there")
    number_index = models.BinaryField(max_length=32, unique=True)
    key_version = models.PositiveSmallIntegerField(help_text="Under which the number is sealed")
    index_version = models.PositiveSmallIntegerField()

    def __str__(self) -> str:
        return f"household {self.household_ref}"


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
