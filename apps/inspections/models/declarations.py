import pgtrigger
from django.db import models
from django.db.models import F, Q

from apps.merchants.models import Merchant


class Declaration(models.Model):
    """What a merchant's consumption-tax return says of a period: taxable sales without tax, yen, by rate in percent.

    A newer file makes a new version of a period's return; none is ever changed.
    """

    # Merchants are copied to every machine of a cluster, and this table is not: the database keeps no such key.
    merchant = models.ForeignKey(
        Merchant, on_delete=models.DO_NOTHING, db_constraint=False, related_name="declarations"
    )
    from_date = models.DateField()
    to_date = models.DateField()
    version = models.PositiveSmallIntegerField()
    sales = models.JSONField()
    file_sha256 = models.BinaryField(max_length=32)
    line = models.PositiveIntegerField(help_text="Of the file, on which the row ends")
    imported_at = models.DateTimeField()
    imported_by = models.CharField(max_length=150)

    class Meta:
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "from_date", "to_date", "version"], name="declaration_version_once"
            ),
            models.CheckConstraint(
                name="declaration_days_in_order", condition=Q(from_date__lte=F("to_date"), version__gte=1)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.merchant_id} {self.from_date}..{self.to_date} version {self.version}"
