"""What is owed to whom, each attempt to pay it, and the files that go to a bank and come back."""

import pgtrigger
from django.db import models
from django.db.models import F, Q

from apps.audit.models import never_emptied
from apps.payouts import outcomes

SHA256_HEX = 64
ZENGIN, STRIPE, LETTER = "zengin", "stripe", "letter"  # the rails; a letter needs no account
FILES = {ZENGIN: "txt", STRIPE: "jsonl", LETTER: "letters.csv"}


class PaymentHold(models.Model):
    """That nothing is paid to a resident for a time, and why: who found it out, and who ended it."""

    class Reason(models.TextChoices):
        INQUIRY = "inquiry"
        SEIZURE = "seizure"

    resident_ref = models.UUIDField()
    reason = models.CharField(max_length=8, choices=Reason.choices)
    placed_at = models.DateTimeField()
    placed_by = models.CharField(max_length=150)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="hold_reason", condition=Q(reason__in=("inquiry", "seizure"))),
            models.UniqueConstraint(fields=["resident_ref"], condition=Q(lifted_at=None), name="held_once"),
            models.CheckConstraint(
                name="hold_lifted_by_somebody",
                condition=Q(lifted_at=None, lifted_by="") | (Q(lifted_at__gte=F("placed_at")) & ~Q(lifted_by="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.resident_ref} {self.reason}"


class Obligation(models.Model):
    """What a run owes a resident: once a resident, year and run.

    `amount_minor` is what the run gives, less what was settled before (netted against debts), and what earlier runs
    carried over. Paid to `payee_ref`: the resident, the parent that the register names for a child, or the head of the
    household. What is below the scheme's least payout is carried into the resident's next obligation. `waits_for` is
    why it was not paid when payments were made last.
    """

    class Payee(models.TextChoices):
        RESIDENT = "resident"
        PARENT = "parent"
        HEAD = "head"

    class State(models.TextChoices):
        DUE = "due"
        IN_FLIGHT = "in_flight"
        PAID = "paid"
        FAILED = "failed"
        RETURNED = "returned"
        CARRIED = "carried"

    class Wait(models.TextChoices):
        MISSING = "missing"
        UNDER_REVIEW = "under_review"
        PUBLIC_ACCOUNT = "public_account"
        UNUSABLE = "unusable"
        SUSPENDED = "suspended"
        DECEASED = "deceased"
        SETTLED = "settled"

    resident_ref = models.UUIDField()
    payee_ref = models.UUIDField()
    payee_kind = models.CharField(max_length=8, choices=Payee.choices, default=Payee.RESIDENT)
    tax_year = models.SmallIntegerField()
    run = models.SmallIntegerField()
    due_minor = models.BigIntegerField()
    settled_minor = models.BigIntegerField()
    carried_in_minor = models.BigIntegerField()
    amount_minor = models.BigIntegerField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.DUE)
    waits_for = models.CharField(max_length=14, choices=Wait.choices, blank=True)
    carried_into = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="carried_from")
    tries = models.PositiveSmallIntegerField(default=0)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["resident_ref", "tax_year", "run"], name="owed_once"),
            models.CheckConstraint(
                name="obligation_payee",
                condition=Q(payee_kind="resident", payee_ref=F("resident_ref"))
                | (Q(payee_kind__in=("parent", "head")) & ~Q(payee_ref=F("resident_ref"))),
            ),
            models.CheckConstraint(
                name="obligation_state",
                condition=Q(state__in=("due", "in_flight", "paid", "failed", "returned", "carried")),
            ),
            models.CheckConstraint(
                name="obligation_wait",
                condition=Q(waits_for="")
                | Q(
                    state="due",
                    waits_for__in=(
                        "missing", "under_review", "public_account", "unusable", "suspended", "deceased", "settled",
                    ),
                ),
            ),
            models.CheckConstraint(
                name="obligation_adds_up",
                condition=Q(amount_minor=F("due_minor") - F("settled_minor") + F("carried_in_minor"))
                & Q(due_minor__gt=F("settled_minor"), settled_minor__gte=0, carried_in_minor__gte=0),
            ),
            models.CheckConstraint(
                name="only_what_is_carried_goes_into_another", condition=Q(carried_into=None) | Q(state="carried")
            ),
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["tax_year", "run", "state", "waits_for", "id"], name="obligations_by_state"),
            models.Index(
                fields=["resident_ref"], condition=Q(state="carried", carried_into=None), name="carried_of_resident"
            ),
            models.Index(fields=["payee_ref"], condition=~Q(payee_kind="resident"), name="shares_paid_to_another"),
        ]

    def __str__(self) -> str:
        return f"{self.resident_ref} {self.tax_year}/{self.run} {self.amount_minor} {self.state}"

    @property
    def own_minor(self) -> int:
        """What of the amount is the run's own."""
        return self.due_minor - self.settled_minor


class SendingBank(models.Model):
    """The bank that pays for the office: the account to pay from, and what this bank wants differently from others.

    The texts are as banks write them. `result_codes` says for each code of its result files paid, failed or returned.
    A file must be there before `cutoff_time`, `lead_days` banking days before its transfers.
    """

    name = models.SlugField(max_length=30, unique=True)
    sender_code = models.CharField(max_length=10)
    sender_name = models.CharField(max_length=40)
    bank = models.CharField(max_length=4)
    bank_name = models.CharField(max_length=15)
    branch = models.CharField(max_length=3)
    branch_name = models.CharField(max_length=15)
    account_type = models.CharField(max_length=1)
    account_number = models.CharField(max_length=7)
    line_end = models.CharField(max_length=4, default="crlf")
    clearing_house = models.CharField(max_length=4, blank=True, default="0000")
    has_end_mark = models.BooleanField(default=False)
    result_codes = models.JSONField()
    cutoff_time = models.TimeField()
    lead_days = models.PositiveSmallIntegerField(default=1)
    most_transfers = models.PositiveIntegerField(default=100_000)

    class Meta:
        constraints = [
            models.CheckConstraint(name="bank_line_end", condition=Q(line_end__in=("crlf", "lf", "none"))),
            models.CheckConstraint(name="bank_clearing_house", condition=Q(clearing_house__in=("", "0000"))),
            models.CheckConstraint(
                name="bank_transfers", condition=Q(most_transfers__gte=1, most_transfers__lte=999_999)
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Batch(models.Model):
    """A file of payments of a run, from its draft to the bank. Two people approve its SHA-256."""

    class State(models.TextChoices):
        WRITING = "writing"
        DRAFT = "draft"
        APPROVED = "approved"
        SUBMITTED = "submitted"
        SENT = "sent"
        DROPPED = "dropped"

    rail = models.CharField(max_length=6, default="zengin")
    bank = models.ForeignKey(
        SendingBank, on_delete=models.PROTECT, null=True, help_text="None for Stripe and for letters"
    )
    tax_year = models.SmallIntegerField()
    run = models.SmallIntegerField()
    transfer_date = models.DateField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.WRITING)
    transfers = models.IntegerField(default=0)
    sum_minor = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=SHA256_HEX, blank=True)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=150)
    approved_1_at = models.DateTimeField(null=True)
    approved_1_by = models.CharField(max_length=150, blank=True)
    approved_2_at = models.DateTimeField(null=True)
    approved_2_by = models.CharField(max_length=150, blank=True)
    submitted_at = models.DateTimeField(null=True)
    submitted_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="batch_rail",
                condition=Q(rail=ZENGIN, bank__isnull=False) | Q(rail__in=(STRIPE, LETTER), bank=None),
            ),
            models.CheckConstraint(
                name="batch_state",
                condition=Q(state__in=("writing", "draft", "approved", "submitted", "sent", "dropped")),
            ),
            models.CheckConstraint(
                name="batch_has_its_file",
                condition=Q(state__in=("writing", "dropped")) | (~Q(sha256="") & Q(transfers__gt=0, sum_minor__gt=0)),
            ),
            models.CheckConstraint(
                name="batch_approved_by_two",
                condition=Q(state__in=("writing", "draft", "dropped"))
                | (~Q(approved_1_by="") & ~Q(approved_2_by="") & ~Q(approved_1_by=F("approved_2_by"))),
            ),
            models.UniqueConstraint(
                fields=["tax_year", "run", "rail", "bank"],
                condition=Q(state="writing"),
                name="one_batch_written_at_a_time",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"batch {self.pk} of {self.tax_year}/{self.run}"

    @property
    def file_name(self) -> str:
        """What the file is called, here and at the bank."""
        return f"kanpu-{self.tax_year}-{self.run}-{self.pk:06}.{FILES[self.rail]}"


class Attempt(models.Model):
    """One attempt to pay an obligation: to the account that `account_id` names, whatever becomes of it later.

    `said` is the bank's last word: paid, failed, returned, or nothing yet.
    """

    obligation = models.ForeignKey(Obligation, on_delete=models.PROTECT, related_name="attempts")
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="attempts")
    rail = models.CharField(max_length=6, default="zengin")
    reference = models.CharField(max_length=20, unique=True)
    account_id = models.UUIDField(help_text="The row of the payment account, or of the letter")
    amount_minor = models.BigIntegerField()
    state = models.CharField(max_length=9, default=outcomes.DRAFT)
    said = models.CharField(max_length=8, blank=True)
    result_code = models.CharField(max_length=40, blank=True)
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["obligation"], name="one_attempt_at_a_time_and_none_after_it_paid",
                condition=Q(state__in=("draft", "approved", "submitted", "sent", "paid")),
            ),
            models.CheckConstraint(
                name="attempt_state",
                condition=Q(state__in=("draft", "approved", "submitted", "sent", "dropped"), said="")
                | Q(state=F("said"), said__in=("paid", "failed", "returned"))
                | Q(state="reissued", said__in=("failed", "returned")),
            ),
            models.CheckConstraint(name="attempt_above_0", condition=Q(amount_minor__gt=0)),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.reference} {self.state}"


class PayableLetter(models.Model):
    """A letter with which the post office pays an attempt, once, to whoever brings it by a day.

    The attempt's `account_id` is its id. Of its code only the hash is kept: the code is on the paper alone.
    """

    id = models.UUIDField(primary_key=True)
    attempt = models.OneToOneField(Attempt, on_delete=models.PROTECT, related_name="letter")
    code_hash = models.BinaryField(max_length=32, unique=True)
    valid_until_date = models.DateField()

    def __str__(self) -> str:
        return f"letter of {self.attempt_id}"


class AttemptEvent(models.Model):
    """That an attempt came into a state, when, through whom."""

    attempt = models.ForeignKey(Attempt, on_delete=models.PROTECT, related_name="events")
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    state = models.CharField(max_length=9)
    note = models.CharField(max_length=60, blank=True)

    class Meta:
        triggers = [
            pgtrigger.Protect(name="append_only_attempts", operation=pgtrigger.Update | pgtrigger.Delete),
            never_emptied("append_only_attempts_whole"),
        ]

    def __str__(self) -> str:
        return f"{self.attempt_id} {self.state}"


class ResultFile(models.Model):
    """A file that came from a bank, taken once: what its lines did, and which of them could not be taken."""

    bank = models.ForeignKey(SendingBank, on_delete=models.PROTECT, null=True, help_text="None of the post office's")
    sha256 = models.CharField(max_length=SHA256_HEX, unique=True)
    file_name = models.CharField(max_length=120)
    imported_at = models.DateTimeField()
    imported_by = models.CharField(max_length=150)
    lines = models.IntegerField()
    applied = models.IntegerField()
    same = models.IntegerField()
    older = models.IntegerField()
    refused = models.IntegerField(help_text="Lines that could not be taken")
    problems = models.JSONField(default=list, help_text="The first of them: line, code, why")

    def __str__(self) -> str:
        return self.file_name


class Estimate(models.Model):
    """What a worker found that could be paid of a run at a time, and who would wait for what; nothing was changed.

    `found` is what `operations.paying.would_make` returns.
    """

    tax_year = models.SmallIntegerField()
    run = models.SmallIntegerField()
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=150)
    finished_at = models.DateTimeField(null=True)
    found = models.JSONField(null=True)
    error_code = models.CharField(max_length=40, blank=True)

    class Meta:
        indexes = [models.Index(fields=["tax_year", "run", "-id"], name="estimates_of_run")]
        constraints = [
            models.UniqueConstraint(
                fields=["tax_year", "run"], condition=Q(finished_at=None), name="one_estimate_at_a_time"
            ),
            models.CheckConstraint(
                name="estimate_ends_with_something",
                condition=Q(finished_at=None, found__isnull=True, error_code="")
                | Q(finished_at__isnull=False, found__isnull=False, error_code="")
                | (Q(finished_at__isnull=False, found__isnull=True) & ~Q(error_code="")),
            ),
        ]

    def __str__(self) -> str:
        return f"estimate of {self.tax_year}/{self.run}"
