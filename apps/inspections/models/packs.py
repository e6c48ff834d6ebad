from django.db import models
from django.db.models import Q


class Pack(models.Model):
    """An evidence pack that was asked for: a worker makes it, and it lies below the archive under its SHA-256.

    `subject` is what the trail calls it: `run:2017/1`, `case:12`. `role` to `purpose` say who reads for what, where
    it holds residents' data.
    """

    subject = models.CharField(max_length=80)
    requested_by = models.CharField(max_length=150)
    role = models.CharField(max_length=20, blank=True)
    office = models.CharField(max_length=150, blank=True)
    purpose = models.CharField(max_length=300, blank=True)
    requested_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    records = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    error = models.CharField(max_length=500, blank=True, help_text="Why it stopped")
    error_code = models.CharField(max_length=40, blank=True)

    class Meta:
        indexes = [models.Index(fields=["subject", "-requested_at"], name="packs_of_subject")]
        constraints = [
            models.UniqueConstraint(
                fields=["subject"], condition=Q(finished_at=None), name="one_pack_at_a_time_of_a_subject"
            ),
            models.CheckConstraint(
                name="finished_pack_has_a_hash_or_an_error",
                condition=Q(finished_at=None, sha256="", error="")
                | (Q(finished_at__isnull=False) & (~Q(sha256="", error="") & (Q(sha256="") | Q(error="")))),
            ),
        ]

    def __str__(self) -> str:
        return f"pack {self.pk} of {self.subject}"

    @property
    def is_there(self) -> bool:
        """Whether it can be fetched."""
        return bool(self.sha256)

    @property
    def case_id(self) -> int | None:
        """The case that it is of, or None."""
        kind, _, named = self.subject.partition(":")
        return int(named) if kind == "case" else None

    @property
    def file_name(self) -> str:
        """What a browser saves it as."""
        kind, _, named = self.subject.partition(":")
        return f"kanpu-evidence-{named.replace('/', '-') if kind == 'run' else f'case-{named}'}.zip"
