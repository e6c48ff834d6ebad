from django.db import models
from django.db.models import Q

from apps.inspections.searching import KINDS


class SavedSearch(models.Model):
    """An auditor's search under a name; the other auditors see it where it `is_shared`."""

    owner = models.CharField(max_length=150)
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=9)
    filters = models.JSONField(default=dict)
    is_shared = models.BooleanField(default=False)
    saved_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="search_name_once"),
            models.CheckConstraint(condition=Q(kind__in=tuple(KINDS)), name="search_kind"),
            models.CheckConstraint(condition=~Q(name=""), name="search_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name


class Export(models.Model):
    """The results of a search as a file: who asked for them and for what, how far they are, what is in them.

    `total` is the planner's estimate; `sums` are the control totals in minor units by column; `sha256` is the file's.
    """

    class Format(models.TextChoices):
        CSV = "csv"
        XLSX = "xlsx"
        PARQUET = "parquet"

    class State(models.TextChoices):
        WAITING = "waiting"
        WORKING = "working"
        DONE = "done"
        CANCELLED = "cancelled"
        FAILED = "failed"
        DELETED = "deleted"

    kind = models.CharField(max_length=9)
    filters = models.JSONField(default=dict)
    format = models.CharField(max_length=7, choices=Format.choices)
    actor = models.CharField(max_length=150)
    role = models.CharField(max_length=20)
    office = models.CharField(max_length=150, blank=True)
    purpose = models.CharField(max_length=300, blank=True)
    case = models.CharField(max_length=60, blank=True)
    opens_protected = models.BooleanField(default=False)
    requested_at = models.DateTimeField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.WAITING)
    finished_at = models.DateTimeField(null=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    records = models.BigIntegerField(null=True)
    sums = models.JSONField(default=dict)
    bytes = models.BigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        indexes = [models.Index(fields=["actor", "-requested_at"], name="exports_of_actor")]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=tuple(KINDS)), name="export_kind"),
            models.CheckConstraint(condition=Q(format__in=("csv", "xlsx", "parquet")), name="export_format"),
            models.CheckConstraint(
                condition=Q(state__in=("waiting", "working", "done", "cancelled", "failed", "deleted")),
                name="export_state",
            ),
            models.CheckConstraint(
                condition=~Q(state="done") | (Q(records__isnull=False, finished_at__isnull=False) & ~Q(sha256="")),
                name="export_done_is_whole",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=("purchases", "residents")) | ~Q(purpose=""), name="export_has_a_purpose"
            ),
        ]

    def __str__(self) -> str:
        return f"export {self.pk} of {self.kind}"

    @property
    def is_at_work(self) -> bool:
        """Whether it may still become a file."""
        return self.state in (self.State.WAITING, self.State.WORKING)
