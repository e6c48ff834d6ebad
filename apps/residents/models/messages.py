"""What residents are told in the portal."""

from django.db import models
from django.db.models import Q


class Message(models.Model):
    """Something that happened to a resident's refund, card, account or data. Words are made when it is read.

    `kind` is one of `messages.KINDS`; `detail` has what its words need: references and amounts, never a name.
    """

    resident_ref = models.UUIDField()
    kind = models.CharField(max_length=40)
    detail = models.JSONField(default=dict)
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["resident_ref", "-at"], name="messages_of_resident"),
            models.Index(fields=["resident_ref"], condition=Q(read_at=None), name="unread_of_resident"),
        ]
        constraints = [models.CheckConstraint(name="message_kind", condition=~Q(kind=""))]

    def __str__(self) -> str:
        return f"{self.kind} {self.at:%Y-%m-%d %H:%M}"
