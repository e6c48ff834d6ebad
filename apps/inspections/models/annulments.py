from django.db import models
from django.db.models import F, Q

from apps.inspections.models.cases import Case
from apps.purchases.following import Key


class AnnulmentState(models.TextChoices):
    """How far it is. `heard`: the resident is told, and may reply. `proposed`: a second auditor looks at it."""

    HEARD = "heard"
    PROPOSED = "proposed"
    APPROVED = "approved"
    DROPPED = "dropped"


IN_WORDS = ("charge", "reply", "reasons")


class Annulment(models.Model):
    """What is held against a resident's purchase in a case: what the resident replies, and what two auditors decide.

    Nothing is proposed before the reply came or `reply_ends_at` is over. `decision_id` is the refund's decision, with
    its letter and its appeal; `said` what the resident had said of the purchase before, in case it is lifted. Texts are
    emptied when the resident is erased; the row goes with the year's purchases, or with the withdrawn purchase.
    """

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="annulments")
    resident_ref = models.UUIDField()
    tax_year = models.SmallIntegerField(help_text="Of the purchase")
    terminal_id = models.IntegerField()
    seq = models.IntegerField()
    state = models.CharField(max_length=8, choices=AnnulmentState.choices, default=AnnulmentState.HEARD)
    charge = models.TextField(blank=True, help_text="What is held against the purchase, for the resident to read")
    told_by = models.CharField(max_length=150)
    told_at = models.DateTimeField()
    office = models.CharField(max_length=150)
    reply_ends_at = models.DateTimeField()
    replied_at = models.DateTimeField(null=True)
    reply = models.TextField(blank=True)
    reasons = models.TextField(blank=True)
    proposed_by = models.CharField(max_length=150, blank=True)
    proposed_at = models.DateTimeField(null=True)
    approved_by = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True)
    decision_id = models.BigIntegerField(null=True, unique=True)
    said = models.CharField(max_length=9, blank=True)
    lifted_by = models.CharField(max_length=150, blank=True)
    lifted_at = models.DateTimeField(null=True)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["resident_ref", "-told_at"], name="annulments_of_resident"),
            models.Index(fields=["tax_year"], name="annulments_of_year"),
        ]
        constraints = [
            models.CheckConstraint(name="annulment_state", condition=Q(state__in=AnnulmentState.values)),
            models.UniqueConstraint(
                name="one_annulment_a_purchase",
                fields=["terminal_id", "seq"],
                condition=~Q(state="dropped") & Q(lifted_at=None),
            ),
            models.CheckConstraint(
                name="annulment_says_something",
                condition=Q(erased_at=None) & ~Q(charge="")
                | Q(erased_at__isnull=False, state__in=("approved", "dropped"), **dict.fromkeys(IN_WORDS, "")),
            ),
            models.CheckConstraint(
                name="time_to_reply",
                condition=Q(reply_ends_at__gt=F("told_at"))
                & (Q(replied_at=None) | Q(replied_at__lt=F("reply_ends_at"))),
            ),
            models.CheckConstraint(
                name="heard_before_proposed",
                condition=Q(proposed_at=None)
                | Q(replied_at__isnull=False, replied_at__lte=F("proposed_at"))
                | Q(proposed_at__gte=F("reply_ends_at")),
            ),
            models.CheckConstraint(
                name="annulment_proposed_by_somebody",
                condition=Q(state__in=("heard", "dropped"), proposed_by="", proposed_at=None, reasons="")
                | Q(state__in=("proposed", "approved"), proposed_at__isnull=False) & ~Q(proposed_by=""),
            ),
            models.CheckConstraint(
                name="annulled_by_two",
                condition=~Q(state="approved") & Q(approved_by="", decided_at=None, decision_id=None)
                | Q(state="approved", decided_at__isnull=False, decision_id__isnull=False)
                & ~Q(approved_by="") & ~Q(approved_by=F("proposed_by")),
            ),
            models.CheckConstraint(
                name="lifted_by_a_third",
                condition=Q(lifted_at=None, lifted_by="")
                | Q(lifted_at__isnull=False, state="approved")
                & ~Q(lifted_by="") & ~Q(lifted_by=F("proposed_by")) & ~Q(lifted_by=F("approved_by")),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"annulment {self.pk}: {self.state}"

    @property
    def sale(self) -> Key:
        """What names the purchase."""
        return Key(self.terminal_id, self.seq)

    @property
    def is_open(self) -> bool:
        """Whether nothing is decided yet."""
        return self.state in (AnnulmentState.HEARD, AnnulmentState.PROPOSED)
