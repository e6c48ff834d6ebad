from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Method(models.TextChoices):
    """How items are drawn, and what they say: how many deviate, or how much money is wrong."""

    ATTRIBUTE = "attribute", _("Attribute sampling")
    MONETARY = "monetary", _("Monetary-unit sampling")


class Population(models.TextChoices):
    """Of what a sample is drawn."""

    PURCHASES = "purchases", _("Purchases that were counted")
    REFUNDS = "refunds", _("Refunds that are due")


class Result(models.TextChoices):
    """What an auditor found of an item."""

    CORRECT = "correct", _("Correct")
    DEVIATION = "deviation", _("Deviation")


class Sample(models.Model):
    """A sample that was asked for, and once a worker has drawn it, of how much it was drawn.

    The seed is made and recorded before the population is looked at. Rates are in hundredths of a percent; a
    monetary-unit sample has amounts instead, minor units. `filters` narrow the population (see `operations.drawing`).
    `allowed` is the most deviations that still show what was asked for.
    """

    title = models.CharField(max_length=200)
    method = models.CharField(max_length=9, choices=Method.choices)
    population = models.CharField(max_length=9, choices=Population.choices)
    tax_year = models.PositiveSmallIntegerField()
    filters = models.JSONField(default=dict)
    confidence_percent = models.PositiveSmallIntegerField()
    tolerable_bp = models.PositiveIntegerField(null=True)
    expected_bp = models.PositiveIntegerField(null=True)
    tolerable_minor = models.BigIntegerField(null=True)
    expected_minor = models.BigIntegerField(null=True)
    seed = models.BinaryField(max_length=32)
    requested_at = models.DateTimeField()
    requested_by = models.CharField(max_length=150)
    drawn_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=40, blank=True)
    population_items = models.BigIntegerField(null=True)
    population_minor = models.BigIntegerField(null=True)
    items_drawn = models.PositiveIntegerField(null=True)
    allowed = models.PositiveIntegerField(null=True)
    interval_minor = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="sample_method", condition=Q(method__in=Method.values)),
            models.CheckConstraint(name="sample_population", condition=Q(population__in=Population.values)),
            models.CheckConstraint(name="sample_confidence", condition=Q(confidence_percent__in=(90, 95, 99))),
            models.CheckConstraint(
                name="sample_tolerates_rate_or_amount",
                condition=Q(
                    method="attribute", tolerable_bp__gt=0, tolerable_bp__lt=10_000, expected_bp__gte=0,
                    tolerable_minor=None, expected_minor=None, interval_minor=None,
                )
                | Q(
                    method="monetary", tolerable_minor__gt=0, expected_minor__gte=0, tolerable_bp=None,
                    expected_bp=None, allowed=None,
                ),
            ),
            models.CheckConstraint(
                name="sample_drawn_of_something",
                condition=Q(
                    drawn_at=None, population_items=None, population_minor=None, items_drawn=None, allowed=None,
                    interval_minor=None,
                )
                | Q(
                    drawn_at__isnull=False, failure="", population_items__isnull=False, population_minor__isnull=False,
                    items_drawn__isnull=False,
                )
                & (Q(allowed__isnull=False) | Q(interval_minor__gt=0)),
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["requested_at"], condition=Q(drawn_at=None, failure=""), name="samples_to_draw")
        ]

    def __str__(self) -> str:
        return f"sample {self.pk}: {self.title}"


class SampleItem(models.Model):
    """An item that was drawn: a purchase by its terminal and number, or a refund by its resident and run.

    `amount_minor` is what was recorded when it was drawn, `right_minor` what is right of a deviation with an amount.
    A purchase's resident is not kept here: the entry says it as long as there is one.
    """

    sample = models.ForeignKey(Sample, on_delete=models.PROTECT, related_name="items")
    position = models.PositiveIntegerField()
    terminal_id = models.IntegerField(null=True)
    seq = models.IntegerField(null=True)
    resident_ref = models.UUIDField(null=True)
    run = models.SmallIntegerField(null=True)
    amount_minor = models.BigIntegerField()
    result = models.CharField(max_length=9, choices=Result.choices, blank=True)
    right_minor = models.BigIntegerField(null=True)
    note = models.TextField(blank=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sample", "position"], name="sample_position_once"),
            models.CheckConstraint(
                name="item_is_purchase_or_refund",
                condition=Q(terminal_id__isnull=False, seq__isnull=False, resident_ref=None, run=None)
                | Q(terminal_id=None, seq=None, resident_ref__isnull=False, run__isnull=False),
            ),
            models.CheckConstraint(
                name="item_decided_by_somebody",
                condition=Q(result="", decided_at=None, decided_by="", right_minor=None, note="")
                | Q(result__in=Result.values, decided_at__isnull=False) & ~Q(decided_by=""),
            ),
            models.CheckConstraint(
                name="right_amount_of_a_deviation",
                condition=Q(right_minor=None) | Q(result="deviation", right_minor__gte=0),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.sample_id}/{self.position}"

    @property
    def key(self) -> str:
        """By what the item is named when it is ranked."""
        return f"{self.resident_ref}:{self.run}" if self.resident_ref else f"{self.terminal_id}:{self.seq}"
