from django.db import models
from django.db.models import F, Q

ALL = 0  # in AmountCount: all live merchants together; no merchant has this number


class MerchantMonth(models.Model):
    """What a merchant's tills sent of a month, counted by `refresh_merchants`: made anew, never kept up.

    `late`, `closings_*` as in `completeness.Counted`. `tiers` are sales by tier as sent, `reported` what the closings'
    totals grew by in the month, by tier: all sales, with or without a card, less returns. Minor units, tax included.
    `rejections` are refused records by code.
    """

    pk = models.CompositePrimaryKey("merchant_id", "tax_year", "month")
    merchant_id = models.BigIntegerField()
    tax_year = models.SmallIntegerField()
    month = models.SmallIntegerField()
    records = models.IntegerField(default=0)
    sales = models.IntegerField(default=0)
    sales_minor = models.BigIntegerField(default=0)
    returns = models.IntegerField(default=0)
    returns_minor = models.BigIntegerField(default=0)
    late = models.IntegerField(default=0)
    closings_agree = models.IntegerField(default=0)
    closings_differ = models.IntegerField(default=0)
    closings_open = models.IntegerField(default=0)
    closings_missing = models.IntegerField(default=0)
    tiers = models.JSONField(default=dict)
    reported = models.JSONField(default=dict)
    rejections = models.JSONField(default=dict)
    rejected = models.IntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(name="merchant_month", condition=Q(month__gte=1, month__lte=12)),
            models.CheckConstraint(name="late_among_records", condition=Q(late__gte=0, late__lte=F("records"))),
        ]


class MerchantYear(models.Model):
    """A merchant's year: its months added up, and the score. By this lists are sorted.

    `numbers_missing`: as in `completeness.Counted`. `score_permille` is 0 to 1000.
    """

    pk = models.CompositePrimaryKey("merchant_id", "tax_year")
    merchant_id = models.BigIntegerField()
    tax_year = models.SmallIntegerField()
    records = models.IntegerField()
    numbers_missing = models.BigIntegerField()
    late = models.IntegerField()
    closings_agree = models.IntegerField()
    closings_differ = models.IntegerField()
    closings_open = models.IntegerField()
    closings_missing = models.IntegerField()
    sales = models.IntegerField()
    sales_minor = models.BigIntegerField()
    returns = models.IntegerField()
    rejected = models.IntegerField()
    score_permille = models.SmallIntegerField()
    refreshed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="merchant_score", condition=Q(score_permille__gte=0, score_permille__lte=1000))
        ]
        indexes = [
            models.Index(fields=["tax_year", "score_permille", "merchant_id"], name="merchants_by_score"),
            models.Index(fields=["tax_year", "-sales_minor", "merchant_id"], name="merchants_by_sales"),
        ]

    @property
    def closings_amiss(self) -> int:
        """Closings that differ, and days that have none."""
        return self.closings_differ + self.closings_missing


class AmountCount(models.Model):
    """How many sales of a merchant's year have an amount of so many digits that begins with these, and their sum.

    `first_digits` are the first two digits; of amounts below 10, which have one, that digit. Merchant ALL has the sums
    of all live merchants.
    """

    pk = models.CompositePrimaryKey("merchant_id", "tax_year", "digits", "first_digits")
    merchant_id = models.BigIntegerField()
    tax_year = models.SmallIntegerField()
    digits = models.SmallIntegerField()
    first_digits = models.SmallIntegerField()
    sales = models.IntegerField()
    amount_minor = models.BigIntegerField()

    class Meta:
        indexes = [models.Index(fields=["tax_year"], name="amounts_of_year")]
