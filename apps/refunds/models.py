"""Year-end runs and the refunds they found."""

from django.db import models
from django.db.models import Q

from apps.schemes.models import TaxYear


class RunState(models.TextChoices):
    """How far a run is. Each state is reached from the one before."""

    FROZEN = "frozen"
    ASSESSED = "assessed"
    VERIFIED = "verified"


class Run(models.Model):
    """One year-end run: all that was counted under runs 1 to `number` up to its cut-off.

    Sums are in minor units. A digest is the SHA-256, in hex, of a line for each resident, by reference: 'resident_ref
    refund tier=spend,…'. Both assessments make their own, and a run is verified when they are the same.
    """

    tax_year = models.ForeignKey(TaxYear, on_delete=models.PROTECT, related_name="runs")
    number = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.FROZEN)
    cutoff_at = models.DateTimeField()
    assessed_at = models.DateTimeField(null=True)
    assessed_digest = models.CharField(max_length=64, blank=True)
    residents = models.IntegerField(default=0)
    at_cap = models.IntegerField(default=0)
    refunded = models.IntegerField(default=0, help_text="Residents whose refund is above 0")
    refund_minor = models.BigIntegerField(default=0)
    assess_s = models.FloatField(default=0)
    verified_at = models.DateTimeField(null=True)
    verified_digest = models.CharField(max_length=64, blank=True)
    verified_entries = models.BigIntegerField(default=0)
    verified_refund_minor = models.BigIntegerField(default=0)
    verify_s = models.FloatField(default=0)
    differences = models.JSONField(default=list, help_text="What the two assessments disagree on, the first of it")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tax_year", "number"], name="run_once"),
            models.CheckConstraint(name="run_state", condition=Q(state__in=RunState.values)),
            models.CheckConstraint(
                name="verified_means_agreed",
                condition=~Q(state="verified") | Q(assessed_digest=models.F("verified_digest"), differences=[]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tax_year_id} run {self.number}"


class Refund(models.Model):
    """One resident's refund in a run. `entitled_minor` is for the whole year, `due_minor` what this run adds to it.

    `lines` explains every yen: the spend at each rate and its exact share, as numbers; words are made when read.
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
    lines = models.JSONField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="refund_not_negative", condition=Q(entitled_minor__gte=0)),
            models.CheckConstraint(
                name="due_is_the_difference",
                condition=Q(due_minor=models.F("entitled_minor") - models.F("earlier_minor")),
            ),
        ]
