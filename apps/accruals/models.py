"""Each resident's entries and totals: the only place that joins purchases to residents.

Distributed by `resident_ref`; entries and totals are partitioned by tax year, in SQL (see migrations).
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.purchases.models import Int8Multirange

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
    because the resident confirmed it stays here for the answer's sake. One claimed by code has no card.
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
