"""What residents are told, and by which way; what they ask of those who looked at their data."""

import uuid

from django.db import models
from django.db.models import F, Q

from apps.audit.models import AccessRecord
from apps.residents.models.register import Resident


class Message(models.Model):
    """Something that happened to a resident's refund, card, account or data. Words are made when it is read.

    `kind` is one of `messages.KINDS`; `detail` has what its words need: references and amounts, never a name, shop or
    time of a purchase. `once`, where it is set, names what a resident is told of a single time.
    """

    resident_ref = models.UUIDField()
    kind = models.CharField(max_length=40)
    detail = models.JSONField(default=dict)
    once = models.CharField(max_length=64, blank=True, default="", db_default="")
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["resident_ref", "-at"], name="messages_of_resident"),
            models.Index(fields=["resident_ref", "id"], condition=Q(read_at=None), name="unread_of_resident"),
        ]
        constraints = [
            models.CheckConstraint(name="message_kind", condition=~Q(kind="")),
            models.UniqueConstraint(
                fields=["resident_ref", "kind", "once"], condition=~Q(once=""), name="message_told_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M}"


class Mailing(models.Model):
    """That a resident wants messages by e-mail, at the address that stands in the vault, once it is confirmed.

    The code that confirms it is drawn by the process that sends it: only its hash is kept. Nothing is sent before
    `next_at`, so that nobody gets more than a mail an hour. `stop_token` is in each mail, to end them without sign-in.
    """

    class Wants(models.TextChoices):
        NONE = "none"
        IMPORTANT = "important"
        ALL = "all"

    resident = models.OneToOneField(Resident, primary_key=True, on_delete=models.CASCADE, related_name="mailing")
    wants = models.CharField(max_length=9, choices=Wants.choices, default=Wants.IMPORTANT)
    stop_token = models.UUIDField(default=uuid.uuid4, unique=True)
    asked_at = models.DateTimeField(null=True, help_text="Since when a code is to be sent")
    code_hash = models.BinaryField(max_length=32, null=True)
    code_until = models.DateTimeField(null=True)
    code_tries = models.PositiveSmallIntegerField(default=0, help_text="Wrong codes typed, and failed sendings")
    confirmed_at = models.DateTimeField(null=True)
    next_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["next_at"], condition=Q(asked_at__isnull=False), name="codes_to_send")]
        constraints = [
            models.CheckConstraint(name="mailing_wants", condition=Q(wants__in=("none", "important", "all"))),
            models.CheckConstraint(
                name="code_runs_out",
                condition=Q(code_hash=None, code_until=None) | Q(code_hash__isnull=False, code_until__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"mailing {self.wants}"


class Mail(models.Model):
    """The outbox of e-mail: a message that is to be sent, until it is. `due_at` lies ahead while somebody sends it.

    `given_up_at`: it could not be sent, and is tried no more; it stands in the portal all the same.
    """

    message = models.OneToOneField(Message, primary_key=True, on_delete=models.CASCADE, related_name="mail")
    resident_ref = models.UUIDField()
    due_at = models.DateTimeField()
    tries = models.PositiveSmallIntegerField(default=0)
    given_up_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], condition=Q(given_up_at=None), name="mails_to_send"),
            models.Index(fields=["resident_ref"], name="mails_of_resident"),
        ]

    def __str__(self) -> str:
        return f"mail of message {self.message_id}"


class AccessQuestion(models.Model):
    """That a resident asks why somebody looked, and what the office answered: never the one who looked."""

    record = models.OneToOneField(AccessRecord, on_delete=models.PROTECT, related_name="question")
    resident_ref = models.UUIDField()
    looked_by = models.CharField(max_length=150, help_text="Who looked: somebody else answers")
    office = models.CharField(max_length=150, blank=True)
    asked_at = models.DateTimeField()
    words = models.CharField(max_length=1_000, blank=True)
    reply_by_date = models.DateField()
    answered_at = models.DateTimeField(null=True)
    answered_by = models.CharField(max_length=150, blank=True)
    answer = models.CharField(max_length=2_000, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["resident_ref"], name="questions_of_resident"),
            models.Index(fields=["reply_by_date"], condition=Q(answered_at=None), name="open_questions"),
            models.Index(fields=["office", "reply_by_date"], name="questions_to_office"),
        ]
        constraints = [
            models.CheckConstraint(
                name="answered_by_somebody_else",
                condition=Q(answered_at=None, answered_by="", answer="")
                | (Q(answered_at__isnull=False) & ~Q(answered_by="") & ~Q(answered_by=F("looked_by"))),
            )
        ]

    def __str__(self) -> str:
        return f"question about access {self.record_id}"
