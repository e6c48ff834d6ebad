"""What auditors do about payments in the console."""

from django.contrib.auth.models import AnonymousUser, User

from apps.console.operations.auditing import WrongPassword
from apps.payouts.models import Batch
from apps.payouts.operations.batches import approve_batch


def approve_file(batch: int, user: User | AnonymousUser, *, password: str, sha256: str) -> Batch:
    """Approve the file that was shown, after the auditor's own password. Raises WrongPassword and approve_batch's."""
    if not user.check_password(password):
        raise WrongPassword("The password is not the auditor's own.")
    name = user.get_username()
    return approve_batch(batch, by=name, sha256=sha256, actor=f"user:{name}")
