"""Where residents' refunds are paid to."""

import uuid
from datetime import datetime

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.models import F, Q

from apps.audit.states import Remembers
from apps.residents.accounts.holder import HolderCheck
from apps.residents.models.cards import CardSuspension
from apps.residents.models.register import Resident

REVIEWED = (HolderCheck.REVIEWED_OK, HolderCheck.REVIEWED_BAD)
CHANNELS = (CardSuspension.Channel.PORTAL, CardSuspension.Channel.WINDOW, CardSuspension.Channel.LETTER)
DOUBTS = ("other_person", "unclear")  # for which a clerk refuses an account; for the other reasons it is accepted
STANDING = Q(withdrawn_at=None) & ~Q(holder_check=HolderCheck.REVIEWED_BAD)


class PaymentAccount(Remembers):
    """An account that a resident named for the refund, or the consent to the public money-receiving account.

    `valid` is the time in which refunds go there: from when the change holds to before when another takes its place.
    What was withdrawn before it held, or refused by a clerk, never was: the account before it goes on. A row never
    says another account than it said at first, so a payment may name its row. `content` is a sealed
    `vault.contents.Account`; None for a consent, whose account is asked for when it is paid, and for who was erased.
    """

    class Kind(models.TextChoices):
        BANK = "bank"
        PUBLIC = "public"

    class Reason(models.TextChoices):
        DOCUMENT = "document"
        SPELLING = "spelling"
        OTHER_PERSON = "other_person"
        UNCLEAR = "unclear"

    class State(models.TextChoices):
        PENDING = "pending"
        ACTIVE = "active"
        ENDED = "ended"
        WITHDRAWN = "withdrawn"
        REFUSED = "refused"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    resident = models.ForeignKey(Resident, on_delete=models.PROTECT, related_name="accounts")
    kind = models.CharField(max_length=6, choices=Kind.choices)
    content = models.BinaryField(null=True)
    key_version = models.PositiveSmallIntegerField(null=True, help_text="Under which the content is sealed")
    holder_check = models.CharField(
        max_length=12, choices=[(each.value, each.value) for each in HolderCheck], blank=True
    )
    valid = DateTimeRangeField()
    requested_at = models.DateTimeField()
    requested_by = models.CharField(max_length=150)
    channel = models.CharField(max_length=6, choices=[(each.value, each.label) for each in CHANNELS])
    withdrawn_at = models.DateTimeField(null=True)
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.CharField(max_length=150, blank=True)
    review_reason = models.CharField(max_length=12, choices=Reason.choices, blank=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["requested_at"],
                name="accounts_to_review",
                condition=Q(holder_check=HolderCheck.DIFFERS, withdrawn_at=None),
            )
        ]
        constraints = [
            ExclusionConstraint(
                name="one_account_at_a_time",
                expressions=[("resident", RangeOperators.EQUAL), ("valid", RangeOperators.OVERLAPS)],
                condition=STANDING,
            ),
            models.CheckConstraint(
                name="account_kind",
                condition=Q(kind="bank", holder_check__in=[each.value for each in HolderCheck])
                | Q(kind="public", holder_check="", content=None),
            ),
            models.CheckConstraint(
                name="account_sealed_under_a_key",
                condition=Q(content=None, key_version=None) | Q(content__isnull=False, key_version__isnull=False),
            ),
            models.CheckConstraint(
                name="account_holds_from_its_request_on",
                condition=Q(valid__isempty=False, valid__lower_inf=False, valid__startswith__gte=F("requested_at")),
            ),
            models.CheckConstraint(
                name="account_reviewed_by_another",
                condition=(
                    Q(reviewed_at__isnull=False)
                    & ~Q(reviewed_by="")
                    & ~Q(reviewed_by=F("requested_by"))
                    & (
                        Q(holder_check=HolderCheck.REVIEWED_BAD, review_reason__in=DOUBTS)
                        | Q(holder_check=HolderCheck.REVIEWED_OK, review_reason__in=("document", "spelling"))
                    )
                )
                | (~Q(holder_check__in=REVIEWED) & Q(reviewed_at=None, reviewed_by="", review_reason="")),
            ),
            models.CheckConstraint(name="account_channel", condition=Q(channel__in=CHANNELS)),
        ]

    def __str__(self) -> str:
        return f"account {self.pk} of {self.resident_id}"

    def state_at(self, at: datetime) -> State:
        """What the row is at a time not before it was last changed."""
        if self.withdrawn_at:
            return self.State.WITHDRAWN
        if self.holder_check == HolderCheck.REVIEWED_BAD:
            return self.State.REFUSED
        if at < self.valid.lower:
            return self.State.PENDING
        return self.State.ENDED if self.valid.upper and self.valid.upper <= at else self.State.ACTIVE
