from django.db import models
from django.db.models import Q


class Source(models.TextChoices):
    """What a case was opened from."""

    ALARM = "alarm"
    DISPUTE = "dispute"
    SAMPLE = "sample"
    SEARCH = "search"
    DECLARATION = "declaration"


class Case(models.Model):
    """Something an auditor looks into: from what, about what, who has it.

    `subject` names it as the trail does: `terminal:12`, `merchant:3`, `resident:<reference>`, `purchase:12/345`.
    `source_id` is the number of the alarm, the dispute, the sample or the declaration.
    """

    source = models.CharField(max_length=11, choices=Source.choices)
    source_id = models.BigIntegerField(null=True)
    subject = models.CharField(max_length=80)
    title = models.CharField(max_length=200)
    assigned_to = models.CharField(max_length=150, blank=True)
    opened_by = models.CharField(max_length=150)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(source="search", source_id=None) | ~Q(source="search") & Q(source_id__isnull=False),
                name="case_names_its_source",
            ),
            models.UniqueConstraint(
                fields=["source", "source_id", "subject"], condition=Q(closed_at=None), name="one_open_case_a_source"
            ),
            models.CheckConstraint(condition=Q(source__in=Source.values), name="case_source_known"),
        ]
        indexes = [models.Index(fields=["subject"], name="cases_by_subject")]

    def __str__(self) -> str:
        return f"case {self.pk}: {self.title}"
