"""What auditors do about payments in the console."""

from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone

from apps.audit.access import Access
from apps.audit.operations import record_accesses
from apps.console.operations.auditing import WrongPassword
from apps.console.queries.payouts_lists import Payment, payment_of
from apps.payouts.models import Batch, Obligation, PaymentHold
from apps.payouts.operations.batches import approve_batch
from apps.payouts.operations.owing import NotHeld, hold_payments, lift_hold
from apps.residents.models import Resident
from apps.residents.operations.break_glass import ReferenceUnknown


def approve_file(batch: int, user: User | AnonymousUser, *, password: str, sha256: str) -> Batch:
    """Approve the file that was shown, after the auditor's own password. Raises WrongPassword and approve_batch's."""
    if not user.check_password(password):
        raise WrongPassword("The password is not the auditor's own.")
    name = user.get_username()
    return approve_batch(batch, by=name, sha256=sha256, actor=f"user:{name}")


def look_at_payment(one: Obligation, *, access: Access) -> Payment:
    """What a run owes a resident, and each attempt to pay it; that it is looked at is written down first."""
    record_accesses(access, sorted({one.resident_ref, one.payee_ref}), what=f"payment {one.pk}", at=timezone.now())
    return payment_of(one)


def look_at_hold(hold: PaymentHold, *, access: Access) -> None:
    """That an auditor is shown whose payments are held is written down."""
    record_accesses(access, [hold.resident_ref], what=f"hold {hold.pk}", at=timezone.now())


def place_hold(ref: UUID, reason: str, *, at: datetime, actor: str) -> PaymentHold:
    """Pay nothing to a resident until it is lifted. Raises ReferenceUnknown and AlreadyHeld."""
    if not Resident.objects.filter(pk=ref).exists():
        raise ReferenceUnknown("No resident has this reference.")
    return hold_payments(ref, reason=PaymentHold.Reason(reason), at=at, actor=actor)


def end_hold(hold: PaymentHold, *, at: datetime, actor: str) -> None:
    """Lift the hold that was shown, and no later one. Raises NotHeld."""
    if hold.lifted_at:
        raise NotHeld("This hold was lifted before.")
    lift_hold(hold.resident_ref, at=at, actor=actor)
