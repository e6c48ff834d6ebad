import pgtrigger
from django.db import models
from django.db.models import Q

from apps.audit.models import never_emptied


class Source(models.TextChoices):
    """What a case was opened from. `search`: an auditor found something, or was told of it, and opened it by hand."""

    ALARM = "alarm"
    DISPUTE = "dispute"
    SAMPLE = "sample"
    SEARCH = "search"
    DECLARATION = "declaration"


class Outcome(models.TextChoices):
    """How a case was decided. Those in MONEY need a purchase that two auditors annulled in the case."""

    NO_FINDING = "no_finding"
    EXPLAINED = "explained"
    ANNULLED = "annulled"
    CLAIMED_BACK = "claimed_back"
    CORRECTION = "correction"
    HANDED_OVER = "handed_over"


MONEY = (Outcome.ANNULLED, Outcome.CLAIMED_BACK)


class Case(models.Model):
    """Something an auditor looks into: from what, about what, who has it, how it was decided.

    `subject` names it as the trail does: `terminal:12`, `merchant:3`, `resident:<reference>`, `purchase:12/345`.
    `source_id` is the number of the alarm, the dispute, the sample or the declaration. Its texts are emptied, for good,
    when the resident is erased whom it is about.
    """

    source = models.CharField(max_length=11, choices=Source.choices)
    source_id = models.BigIntegerField(null=True)
    subject = models.CharField(max_length=80)
    title = models.CharField(max_length=200)
    assigned_to = models.CharField(max_length=150, blank=True)
    opened_by = models.CharField(max_length=150)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=150, blank=True)
    outcome = models.CharField(max_length=12, choices=Outcome.choices, blank=True)
    reasons = models.TextField(blank=True)
    erased_at = models.DateTimeField(null=True)

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
            models.CheckConstraint(condition=Q(outcome__in=("", *Outcome.values)), name="case_outcome_known"),
            models.CheckConstraint(
                condition=Q(closed_at=None, closed_by="", outcome="", reasons="")
                | Q(closed_at__isnull=False) & ~Q(closed_by="") & ~Q(outcome="")
                & (~Q(reasons="") | Q(erased_at__isnull=False)),
                name="case_closed_with_reasons",
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["subject"], name="cases_by_subject"),
            models.Index(fields=["-opened_at", "-id"], name="cases_by_time"),
            models.Index(fields=["assigned_to", "-opened_at"], condition=Q(closed_at=None), name="open_cases_of"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """What the case is called by, where a purpose asks for a case too."""
        return f"C-{self.pk:06d}"

    @property
    def resident(self) -> str:
        """The reference of the resident that it is about, if it is about one."""
        kind, _, reference = self.subject.partition(":")
        return reference if kind == "resident" else ""


# Rows are only added. The one change that there is, once: what they say is emptied, with the resident or the purchase.
ONLY_EMPTIED = """
IF TG_OP = 'UPDATE' AND OLD.erased_at IS NULL AND NEW.erased_at IS NOT NULL AND NEW.text = '' AND NEW.record = ''
    AND to_jsonb(NEW) - '{text,record,erased_at}'::text[] = to_jsonb(OLD) - '{text,record,erased_at}'::text[]
THEN
    RETURN NEW;
END IF;
RAISE EXCEPTION 'Rows of % are only added, and emptied for good.', TG_TABLE_NAME;
"""


class Note(models.Model):
    """What an auditor wrote into a case: evidence, which names a `record` as the trail does, or a comment."""

    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="notes")
    record = models.CharField(max_length=80, blank=True)
    text = models.TextField(blank=True)
    added_by = models.CharField(max_length=150)
    added_at = models.DateTimeField()
    erased_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["record"], condition=~Q(record=""), name="notes_by_record")]
        constraints = [
            models.CheckConstraint(
                condition=Q(erased_at__isnull=False, text="", record="") | Q(erased_at=None) & ~Q(text=""),
                name="note_says_something",
            )
        ]
        triggers = [
            pgtrigger.Trigger(
                name="append_only_note", when=pgtrigger.Before, operation=pgtrigger.Update | pgtrigger.Delete,
                func=ONLY_EMPTIED,
            ),
            never_emptied("append_only_note_whole"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.case} {self.added_at:%Y-%m-%d %H:%M:%S} {self.added_by}"
