"""Each resident's entries and totals: the only place that joins purchases to residents.

Distributed by `resident_ref`; entries and totals are partitioned by tax year, in SQL (see migrations).
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from apps.audit.states import Remembers
from apps.purchases.following import Key
from apps.purchases.models import Int8Multirange
from apps.residents.models import Photo

TEST_RUN = 0  # what test cards buy is counted here, and no run reads it


class Entry(models.Model):
    """What one record changed: all of a sale, or what a return, void or correction changed of the sale it names.

    `run` and `part` are the year's open ones when it was counted; `at` and `month` are the sale's, so that its rate
    applies. A correction that moves a sale in time has an entry at either time. A sale claimed by code has no card.
    """

    pk = models.CompositePrimaryKey("terminal_id", "seq", "resident_ref", "tax_year", "at")
    resident_ref = models.UUIDField()
    tax_year = models.SmallIntegerField()
    terminal_id = models.IntegerField()
    seq = models.IntegerField()
    run = models.SmallIntegerField()
    part = models.SmallIntegerField()
    month = models.SmallIntegerField()
    at = models.DateTimeField()
    card = models.BigIntegerField(null=True)
    counter = models.BigIntegerField(null=True)
    kind = models.TextField(default="sale")
    of_terminal_id = models.IntegerField(null=True)
    of_seq = models.IntegerField(null=True)
    tiers = ArrayField(models.TextField())
    amounts_minor = ArrayField(models.BigIntegerField())


class Total(models.Model):
    """A resident's year on a tier, as far as it was counted under a run: twelve months, January first.

    `amounts_minor` is the spend and `purchases` how many purchases have something left of the tier. Where the year's
    scheme takes purchases one by one, `bases_minor` is what they bring. Where it measures purchases at all, the row of
    tier '' has all tiers' spend, and counts a purchase once, whatever its tiers.
    """

    pk = models.CompositePrimaryKey("resident_ref", "tax_year", "run", "tier")
    resident_ref = models.UUIDField()
    tax_year = models.SmallIntegerField()
    run = models.SmallIntegerField()
    tier = models.TextField(blank=True)
    amounts_minor = ArrayField(models.BigIntegerField())
    purchases = ArrayField(models.IntegerField())
    bases_minor = ArrayField(models.BigIntegerField(), null=True)


class CardCounter(models.Model):
    """The counters of a card that were counted: a second use of one is a copy of the card."""

    pk = models.CompositePrimaryKey("resident_ref", "card")
    resident_ref = models.UUIDField()
    card = models.BigIntegerField()
    used = Int8Multirange()


class Withheld(models.Model):
    """A sale whose resident is known and which is not counted, so that it can be judged again and answered.

    `at` is the sale's time as it was judged last. `answer` is what the resident said of it; a sale that is `counted`
    because the resident confirmed it stays here for the answer's sake. What two auditors annulled has the answer
    `annulled`. One claimed by code has no card.
    """

    pk = models.CompositePrimaryKey("resident_ref", "terminal_id", "seq")
    resident_ref = models.UUIDField()
    terminal_id = models.IntegerField()
    seq = models.IntegerField()
    tax_year = models.SmallIntegerField()
    at = models.DateTimeField()
    card = models.BigIntegerField(null=True)
    counter = models.BigIntegerField(null=True)
    status = models.TextField()
    code = models.TextField(blank=True)
    answer = models.TextField(blank=True, default="")
    decided_at = models.DateTimeField()


class ClaimAttempt(models.Model):
    """A try at claiming a sale by the code on a receipt: guesses are counted and limited."""

    resident_ref = models.UUIDField()
    at = models.DateTimeField()
    succeeded = models.BooleanField()

    class Meta:
        indexes = [models.Index(fields=["resident_ref", "at"], name="claim_attempts_of_resident")]

    def __str__(self) -> str:
        return f"{self.resident_ref} {self.at:%Y-%m-%d %H:%M:%S}"


class ArchivePart(models.Model):
    """A closed part of a year's entries and the Parquet files it was written to.

    `files` lists a file per month: path below the archive's folder, entries, amount_minor, bytes, sha256. They are
    written anew only while the run is open, when residents withdrew purchases: `erased` entries are to leave them.
    `erased_at`: the files were erased at the year's retention date.
    """

    tax_year = models.PositiveSmallIntegerField()
    part = models.PositiveSmallIntegerField()
    run = models.PositiveSmallIntegerField()
    closed_at = models.DateTimeField()
    written_at = models.DateTimeField(null=True)
    files = models.JSONField(default=list)
    erased = models.PositiveIntegerField(default=0, help_text="Entries erased since its files were written")
    erased_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tax_year", "part"], name="archive_part_once"),
            models.CheckConstraint(name="archive_part_of_a_run", condition=Q(run__gte=1)),
        ]

    def __str__(self) -> str:
        return f"{self.tax_year} run {self.run} part {self.part}"


class DisputeState(models.TextChoices):
    """How far a dispute is. `proposed`: an officer has decided, and a second one looks at it."""

    OPEN = "open"
    ASKED = "asked"
    ANSWERED = "answered"
    PROPOSED = "proposed"
    UPHELD = "upheld"
    PARTLY = "partly"
    REFUSED = "refused"
    APPEALED = "appealed"
    WITHDRAWN = "withdrawn"


UNDECIDED = (DisputeState.OPEN, DisputeState.ASKED, DisputeState.ANSWERED, DisputeState.PROPOSED)
DECIDED = (DisputeState.UPHELD, DisputeState.PARTLY, DisputeState.REFUSED)
UNFINISHED = (*UNDECIDED, DisputeState.APPEALED)
IN_WORDS = ("shop", "receipt_number", "words", "question", "answer", "reasons", "appeal_words", "appeal_reasons")


class Dispute(Remembers):
    """What a resident says is wrong about a purchase, and what officers made of it.

    `terminal_id` and `seq` name the purchase; of a missing one they are those under which it was admitted, if it was.
    `amounts` is what the resident says was bought, minor units by tier, `decided_amounts` what was decided. Texts are
    emptied when the resident is erased; the row goes with the year's purchases, or with the withdrawn purchase.
    """

    class Kind(models.TextChoices):
        NOT_MINE = "not_mine"
        WRONG_TIER = "wrong_tier"
        MISSING = "missing"

    resident_ref = models.UUIDField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    tax_year = models.SmallIntegerField(help_text="Of the purchase")
    terminal_id = models.IntegerField(null=True)
    seq = models.IntegerField(null=True)
    shop = models.CharField(max_length=200, blank=True, help_text="As the resident typed it, of a missing purchase")
    bought_at = models.DateTimeField()
    receipt_number = models.CharField(max_length=60, blank=True)
    amounts = models.JSONField(default=dict)
    words = models.TextField(blank=True)
    state = models.CharField(max_length=9, choices=DisputeState.choices, default=DisputeState.OPEN)
    opened_at = models.DateTimeField()
    reply_due_date = models.DateField()
    asked_at = models.DateTimeField(null=True)
    question = models.TextField(blank=True)
    wants_photo = models.BooleanField(default=False)
    answered_at = models.DateTimeField(null=True)
    answer = models.TextField(blank=True)
    photo = models.OneToOneField(Photo, on_delete=models.SET_NULL, null=True, related_name="dispute")
    office = models.CharField(max_length=150, blank=True, help_text="That decides, or decided")
    outcome = models.CharField(max_length=9, blank=True, help_text="Proposed or decided")
    decided_amounts = models.JSONField(default=dict)
    reasons = models.TextField(blank=True)
    proposed_by = models.CharField(max_length=150, blank=True)
    proposed_at = models.DateTimeField(null=True)
    approved_by = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True)
    appeal_until = models.DateField(null=True)
    appealed_at = models.DateTimeField(null=True)
    appeal_words = models.TextField(blank=True)
    appeal_decided_by = models.CharField(max_length=150, blank=True)
    appeal_decided_at = models.DateTimeField(null=True)
    appeal_reasons = models.TextField(blank=True)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["resident_ref", "-opened_at"], name="disputes_of_resident"),
            models.Index(fields=["state", "reply_due_date"], name="disputes_by_due_date"),
            models.Index(fields=["terminal_id", "seq"], name="disputes_of_purchase"),
            models.Index(fields=["tax_year"], name="disputes_of_year"),
        ]
        constraints = [
            models.CheckConstraint(name="dispute_kind", condition=Q(kind__in=("not_mine", "wrong_tier", "missing"))),
            models.CheckConstraint(name="dispute_state", condition=Q(state__in=DisputeState.values)),
            models.CheckConstraint(name="dispute_outcome", condition=Q(outcome__in=("", *DECIDED))),
            models.UniqueConstraint(
                fields=["terminal_id", "seq", "kind"],
                condition=Q(state__in=UNFINISHED),
                name="one_open_dispute_a_purchase_and_kind",
            ),
            models.CheckConstraint(
                name="dispute_names_its_purchase",
                condition=Q(terminal_id__isnull=False, seq__isnull=False)
                | (Q(kind="missing", terminal_id=None, seq=None) & ~Q(state__in=("upheld", "partly"))),
            ),
            models.CheckConstraint(
                name="disputed_amounts",
                condition=Q(kind="not_mine", amounts={}) | (~Q(kind="not_mine") & ~Q(amounts={})),
            ),
            models.CheckConstraint(
                name="asked_with_a_time", condition=~Q(state__in=("asked", "answered")) | Q(asked_at__isnull=False)
            ),
            models.CheckConstraint(
                name="answered_with_a_time", condition=~Q(state="answered") | Q(answered_at__isnull=False)
            ),
            models.CheckConstraint(
                name="proposed_by_somebody",
                condition=Q(state__in=("open", "asked", "answered", "withdrawn"))
                | (Q(proposed_at__isnull=False) & ~Q(proposed_by="") & ~Q(outcome="") & ~Q(office="")),
            ),
            models.CheckConstraint(
                name="dispute_decided_by_two",
                condition=Q(state__in=(*UNDECIDED, "withdrawn"), approved_by="", decided_at=None, appeal_until=None)
                | (
                    Q(state__in=(*DECIDED, "appealed"), decided_at__isnull=False, appeal_until__isnull=False)
                    & ~Q(approved_by="")
                    & ~Q(approved_by=F("proposed_by"))
                ),
            ),
            models.CheckConstraint(
                name="state_is_the_outcome", condition=~Q(state__in=DECIDED) | Q(state=F("outcome"))
            ),
            models.CheckConstraint(
                name="appealed_with_a_time",
                condition=(~Q(state="appealed") | Q(appealed_at__isnull=False, appeal_decided_at=None))
                & (Q(appealed_at=None) | Q(state__in=(*DECIDED, "appealed"))),
            ),
            models.CheckConstraint(
                name="appeal_decided_by_another",
                condition=Q(appeal_decided_at=None, appeal_decided_by="")
                | (
                    Q(appeal_decided_at__isnull=False, appealed_at__isnull=False, state__in=DECIDED)
                    & ~Q(appeal_decided_by="")
                    & ~Q(appeal_decided_by=F("proposed_by"))
                    & ~Q(appeal_decided_by=F("approved_by"))
                ),
            ),
            models.CheckConstraint(
                name="photo_only_while_undecided", condition=Q(photo=None) | Q(state__in=UNDECIDED, wants_photo=True)
            ),
            models.CheckConstraint(
                name="erased_dispute_is_empty",
                condition=Q(erased_at=None) | (Q(**dict.fromkeys(IN_WORDS, ""), photo=None) & ~Q(state__in=UNFINISHED)),
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """What a letter names the dispute by."""
        return f"D-{self.tax_year}-{self.pk:06d}"

    @property
    def sale(self) -> Key | None:
        """What names the purchase, or None while a missing one is not admitted."""
        return Key(self.terminal_id, self.seq) if self.terminal_id is not None and self.seq is not None else None

    @property
    def is_undecided(self) -> bool:
        """Whether no decision was made yet: the resident may still withdraw it."""
        return self.state in UNDECIDED

    @property
    def can_be_appealed(self) -> bool:
        """Whether it was decided against the resident, and no appeal was made; the last day is not looked at."""
        return self.state in (DisputeState.PARTLY, DisputeState.REFUSED) and self.appealed_at is None
