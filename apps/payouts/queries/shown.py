"""What became of payments, as the resident who is owed them or is paid them is told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.payouts.models import Attempt, Obligation, PayableLetter
from apps.payouts.outcomes import DROPPED, WITH_BANK

State = Obligation.State


class Standing(StrEnum):
    """How far a payment is."""

    PREPARED = "prepared"
    WAITS = "waits"
    WITH_BANK = "with_bank"
    PAID = "paid"
    FAILED = "failed"
    RETURNED = "returned"
    CARRIED = "carried"


@dataclass(frozen=True, slots=True)
class PaymentShown:
    """What is owed, and the newest attempt to pay it that was not given up."""

    obligation: Obligation
    attempt: Attempt | None

    @property
    def standing(self) -> Standing:
        """How far it is."""
        state = self.obligation.state
        if state == State.DUE:
            return Standing.WAITS if self.obligation.waits_for else Standing.PREPARED
        if state == State.IN_FLIGHT:
            return Standing.WITH_BANK if self.attempt and self.attempt.state in WITH_BANK else Standing.PREPARED
        return Standing(state)

    @property
    def on(self) -> date | None:
        """The day of the transfer; of one whose result came before that day, the day on which it came."""
        if self.attempt is None:
            return None
        if self.letter and self.attempt.said:
            return timezone.localdate(self.attempt.changed_at)
        transfer_date = self.attempt.batch.transfer_date
        return min(transfer_date, timezone.localdate(self.attempt.changed_at)) if self.attempt.said else transfer_date

    @property
    def letter(self) -> PayableLetter | None:
        """The letter with which the post office pays it."""
        return getattr(self.attempt, "letter", None)

    @property
    def account_id(self) -> UUID | None:
        """The row of the account that the attempt is paid to, whatever was named since."""
        return self.attempt.account_id if self.attempt else None


def payments_of(ref: UUID, *, year: int | None = None) -> list[PaymentShown]:
    """What a resident is owed, of all years or one, the newest first: two queries, one when there is nothing."""
    owed = Obligation.objects.filter(resident_ref=ref)
    return _shown(owed if year is None else owed.filter(tax_year=year))


def shares_paid_to(ref: UUID) -> list[PaymentShown]:
    """What others are owed that is paid to this resident: two queries, one when there is nothing."""
    return _shown(Obligation.objects.filter(~Q(payee_kind=Obligation.Payee.RESIDENT), payee_ref=ref))


def _shown(owed: "QuerySet[Obligation]") -> list[PaymentShown]:
    found: Sequence[Obligation] = list(owed.select_related("carried_into").order_by("-tax_year", "-run", "pk"))
    tried = Attempt.objects.filter(obligation__in=found).exclude(state=DROPPED).select_related("batch", "letter")
    newest = {one.obligation_id: one for one in tried.order_by("pk")} if found else {}
    return [PaymentShown(one, newest.get(one.pk)) for one in found]
