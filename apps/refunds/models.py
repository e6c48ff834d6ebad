"""Year-end runs, the refunds they found, and what becomes of them: proofs, signatures, debts, decisions."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from apps.audit.states import Remembers
from apps.schemes.models import TaxYear

SHA256_HEX = 64


class RunState(models.TextChoices):
    """How far a run is. Each is reached from the one before; until it is approved, a run can be taken back."""

    FROZEN = "frozen"
    ASSESSED = "assessed"
    VERIFIED = "verified"
    APPROVED = "approved"
    PAYING = "paying"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


UNFINISHED = (RunState.FROZEN, RunState.ASSESSED, RunState.VERIFIED)
EFFECTIVE = (RunState.APPROVED, RunState.PAYING, RunState.CLOSED)


class Run(Remembers):
    """One year-end run: all that was counted under runs 1 to `number` up to its cut-off.

    Run 1 is the year's; later ones are supplementary, and what they give is the difference. Sums are in minor units:
    `entitled_minor` for the whole year, `due_minor` what this run adds. `statements` counts its refunds, which are the
    leaves `tree_size` − `statements` to `tree_size` of the year's tree. `digest` is what auditors sign (see
    `proofs.run_digest`). `secret` salts the leaves. `register_file` is the snapshot of households and attributes.
    """

    tax_year = models.ForeignKey(TaxYear, on_delete=models.PROTECT, related_name="runs")
    number = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.FROZEN)
    cutoff_at = models.DateTimeField()
    frozen_by = models.CharField(max_length=150)
    secret = models.BinaryField(max_length=32)
    register_file = models.JSONField(null=True, help_text="path below the archive, bytes, sha256")
    assessed_at = models.DateTimeField(null=True)
    assessed_by = models.CharField(max_length=150, blank=True)
    residents = models.IntegerField(default=0)
    refunded = models.IntegerField(default=0, help_text="Residents whose refund is above 0")
    at_cap = models.IntegerField(default=0)
    statements = models.IntegerField(default=0)
    entitled_minor = models.BigIntegerField(default=0)
    due_minor = models.BigIntegerField(default=0)
    assess_s = models.FloatField(default=0)
    verified_at = models.DateTimeField(null=True)
    verified_entries = models.BigIntegerField(default=0)
    verified_residents = models.IntegerField(default=0)
    verified_minor = models.BigIntegerField(default=0)
    verify_s = models.FloatField(default=0)
    differing = models.IntegerField(default=0, help_text="Residents on whom the two assessments disagree")
    differences = models.JSONField(default=list, help_text="The first of them")
    tree_size = models.BigIntegerField(default=0)
    root = models.CharField(max_length=SHA256_HEX, blank=True)
    digest = models.CharField(max_length=SHA256_HEX, blank=True)
    signed_1_by = models.CharField(max_length=150, blank=True)
    signed_1_at = models.DateTimeField(null=True)
    signed_2_by = models.CharField(max_length=150, blank=True)
    signed_2_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)
    paid_minor = models.BigIntegerField(default=0, help_text="What was paid, netted and lapsed of it so far")
    netted_minor = models.BigIntegerField(default=0)
    lapsed_minor = models.BigIntegerField(default=0)
    statistics = models.JSONField(null=True, help_text="How its refunds are spread, since it was verified")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="settled_not_negative", condition=Q(paid_minor__gte=0, netted_minor__gte=0, lapsed_minor__gte=0)
            ),
            models.UniqueConstraint(fields=["tax_year", "number"], name="run_once"),
            models.UniqueConstraint(
                fields=["tax_year"], condition=Q(state__in=UNFINISHED), name="one_unfinished_run_a_year"
            ),
            models.CheckConstraint(name="run_state", condition=Q(state__in=RunState.values)),
            models.CheckConstraint(
                name="verified_means_agreed",
                condition=~Q(state__in=(RunState.VERIFIED, *EFFECTIVE))
                | (
                    Q(entitled_minor=F("verified_minor"), residents=F("verified_residents"), differing=0)
                    & ~Q(digest="")
                ),
            ),
            models.CheckConstraint(
                name="approved_by_two",
                condition=~Q(state__in=EFFECTIVE)
                | (~Q(signed_1_by="") & ~Q(signed_2_by="") & ~Q(signed_1_by=F("signed_2_by"))),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tax_year_id} run {self.number}"


class StepName(models.TextChoices):
    """What takes time in a run."""

    FREEZE = "freeze"
    ASSESS = "assess"
    VERIFY = "verify"


class Step(models.Model):
    """A step of a year's run at work, or done: who asked for it, how far it is. A year has one at a time."""

    tax_year = models.ForeignKey(TaxYear, on_delete=models.PROTECT)
    name = models.CharField(max_length=10, choices=StepName.choices)
    actor = models.CharField(max_length=150)
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    error = models.CharField(max_length=500, blank=True, help_text="Why it stopped")
    error_code = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tax_year"], condition=Q(finished_at=None), name="one_step_at_a_time"),
            models.CheckConstraint(name="step_name", condition=Q(name__in=StepName.values)),
        ]

    def __str__(self) -> str:
        return f"{self.tax_year_id} {self.name}"


class Shard(models.Model):
    """A range of residents' references that one worker assesses in one transaction, and what came out of it."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="shards")
    number = models.PositiveSmallIntegerField()
    first_ref = models.UUIDField()
    last_ref = models.UUIDField()
    done_at = models.DateTimeField(null=True)
    residents = models.IntegerField(default=0)
    refunded = models.IntegerField(default=0)
    at_cap = models.IntegerField(default=0)
    entitled_minor = models.BigIntegerField(default=0)
    statements = models.IntegerField(default=0)
    due_minor = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="shard_once")]

    def __str__(self) -> str:
        return f"{self.run} shard {self.number}"


class Member(models.Model):
    """A stretch of months of a resident in a household, as the register had it at a run's freeze.

    Residents who have no household and no attribute have no row. Who is alone has the own reference as household.
    `group_ref` is the same for all whose refunds depend on each other. `payee_ref` is who is paid a child's share.
    """

    pk = models.CompositePrimaryKey("resident_ref", "tax_year", "run", "first_month")
    resident_ref = models.UUIDField()
    tax_year = models.SmallIntegerField()
    run = models.SmallIntegerField()
    first_month = models.SmallIntegerField()
    last_month = models.SmallIntegerField()
    household_ref = models.UUIDField()
    group_ref = models.UUIDField()
    payee_ref = models.UUIDField(null=True)
    attributes = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="member_for_months",
                condition=Q(first_month__gte=1, first_month__lte=F("last_month"), last_month__lte=12),
            )
        ]
        indexes = [models.Index(fields=["tax_year", "run", "group_ref"], name="members_of_group")]


class Refund(models.Model):
    """One resident's refund as a run found it, where it differs from the last one: `due_minor` is the difference.

    Numbers only; words are made when read. `spend_minor` has an amount for each line of the year's rules, `bases_minor`
    what single purchases bring (null where the scheme does not ask), `cuts` four numbers for each cut (see
    `assessment.Cut`). `leaf` is the refund's hash in the year's tree.
    """

    pk = models.CompositePrimaryKey("resident_ref", "tax_year", "run")
    resident_ref = models.UUIDField()
    tax_year = models.SmallIntegerField()
    run = models.SmallIntegerField()
    scheme_version = models.IntegerField()
    entitled_minor = models.BigIntegerField()
    earlier_minor = models.BigIntegerField()
    due_minor = models.BigIntegerField()
    at_cap = models.BooleanField()
    spend_minor = ArrayField(models.BigIntegerField())
    bases_minor = ArrayField(models.BigIntegerField(), null=True)
    cuts = ArrayField(models.DecimalField(max_digits=40, decimal_places=0))
    leaf = models.BinaryField(max_length=32)

    class Meta:
        indexes = [models.Index(fields=["resident_ref"], condition=Q(due_minor__lt=0), name="debts_of_resident")]
        constraints = [
            models.CheckConstraint(name="refund_not_negative", condition=Q(entitled_minor__gte=0)),
            models.CheckConstraint(
                name="due_is_the_difference",
                condition=Q(due_minor=F("entitled_minor") - F("earlier_minor")),
            ),
        ]


class Tile(models.Model):
    """Up to 256 consecutive hashes of a year's Merkle tree (see `audit.merkle`). The last of a level may grow."""

    pk = models.CompositePrimaryKey("tax_year", "level", "number")
    tax_year = models.SmallIntegerField()
    level = models.SmallIntegerField()
    number = models.BigIntegerField()
    hashes = models.BinaryField()
    run = models.SmallIntegerField(null=True)
    first_ref = models.UUIDField(null=True)


class Settlement(models.Model):
    """What became of a refund that was due, or of a part: paid, netted against a debt, or lapsed.

    A debt is a refund of an approved run whose `due_minor` is below 0; `against_year` and `against_run` name it.
    """

    class Kind(models.TextChoices):
        PAID = "paid"
        NETTED = "netted"
        LAPSED = "lapsed"

    resident_ref = models.UUIDField()
    tax_year = models.SmallIntegerField()
    run = models.SmallIntegerField()
    kind = models.CharField(max_length=6, choices=Kind.choices)
    amount_minor = models.BigIntegerField()
    at = models.DateTimeField()
    against_year = models.SmallIntegerField(null=True)
    against_run = models.SmallIntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="settlement_kind", condition=Q(kind__in=("paid", "netted", "lapsed"))),
            models.CheckConstraint(name="settlement_above_0", condition=Q(amount_minor__gt=0)),
            models.CheckConstraint(
                name="netted_against_a_debt",
                condition=Q(kind="netted", against_year__isnull=False, against_run__isnull=False)
                | (~Q(kind="netted") & Q(against_year=None, against_run=None)),
            ),
            models.UniqueConstraint(
                fields=["resident_ref", "tax_year", "run", "kind", "against_year", "against_run"],
                name="settled_once",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resident_ref} {self.tax_year}/{self.run} {self.kind} {self.amount_minor}"


class Decision(Remembers):
    """A refusal, reduction or annulment, which the resident can appeal against. Its reasons are the refund's cuts.

    `appeal_until` is set when the letter is sent or the resident sees it: the time to appeal runs from then.
    """

    class Kind(models.TextChoices):
        REFUSED = "refused"
        REDUCED = "reduced"
        ANNULLED = "annulled"

    class State(models.TextChoices):
        ISSUED = "issued"
        NOTIFIED = "notified"
        APPEALED = "appealed"
        CONFIRMED = "confirmed"
        AMENDED = "amended"

    resident_ref = models.UUIDField()
    tax_year = models.SmallIntegerField()
    run = models.SmallIntegerField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    amount_minor = models.BigIntegerField(help_text="What is refused or taken away")
    reason = models.TextField(blank=True, help_text="An officer's own words, where the refund's numbers do not say it")
    state = models.CharField(max_length=9, choices=State.choices, default=State.ISSUED)
    decided_at = models.DateTimeField()
    notified_at = models.DateTimeField(null=True)
    appeal_until = models.DateField(null=True)
    appealed_at = models.DateTimeField(null=True)
    appeal_reason = models.TextField(blank=True)
    closed_at = models.DateTimeField(null=True)
    outcome = models.TextField(blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["resident_ref", "tax_year"], name="decisions_of_resident"),
            models.Index(fields=["tax_year", "state", "appeal_until"], name="decisions_by_deadline"),
        ]
        constraints = [
            models.CheckConstraint(name="decision_kind", condition=Q(kind__in=("refused", "reduced", "annulled"))),
            models.CheckConstraint(name="decision_amount", condition=Q(amount_minor__gte=0)),
            models.UniqueConstraint(
                fields=["resident_ref", "tax_year", "run", "kind"], condition=~Q(kind="annulled"), name="decided_once"
            ),
            models.CheckConstraint(
                name="notified_has_deadline",
                condition=Q(state="issued", notified_at=None, appeal_until=None)
                | (~Q(state="issued") & Q(notified_at__isnull=False, appeal_until__isnull=False)),
            ),
            models.CheckConstraint(
                name="closed_has_outcome",
                condition=Q(state__in=("confirmed", "amended"), closed_at__isnull=False)
                | (~Q(state__in=("confirmed", "amended")) & Q(closed_at=None)),
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """What a letter names the decision by."""
        return f"{self.tax_year}-{self.run}-{self.pk:06d}"


class LapseWarning(models.Model):
    """That a resident was told, some months ahead, that an unclaimed refund will be lost."""

    resident_ref = models.UUIDField()
    tax_year = models.SmallIntegerField()
    run = models.SmallIntegerField()
    months_ahead = models.PositiveSmallIntegerField()
    amount_minor = models.BigIntegerField()
    lapses_date = models.DateField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["resident_ref", "tax_year", "run", "months_ahead"], name="warned_once_each_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.resident_ref} {self.tax_year}/{self.run} lapses {self.lapses_date}"
