"""What residents say of where their refund is paid to."""

from datetime import datetime

from apps.portal.viewer import Viewer
from apps.residents.models import CardSuspension, PaymentAccount
from apps.residents.operations.accounts import (
    consent_to_public_account,
    name_account,
    undo_change,
    withdraw_consent,
)
from apps.residents.vault.contents import Account

PORTAL = CardSuspension.Channel.PORTAL


def name_own(viewer: Viewer, account: Account, *, at: datetime) -> PaymentAccount:
    """Name the account for the resident's refunds. Raises what `name_account` raises."""
    return name_account(viewer.ref, account, channel=PORTAL, at=at, actor=viewer.actor)


def consent_own(viewer: Viewer, *, at: datetime) -> PaymentAccount:
    """Let refunds go to the public money-receiving account. Raises ResidentErased."""
    return consent_to_public_account(viewer.ref, channel=PORTAL, at=at, actor=viewer.actor)


def undo_own(viewer: Viewer, *, at: datetime) -> PaymentAccount:
    """Withdraw the change that does not hold yet. Raises AccountMissing."""
    return undo_change(viewer.ref, at=at, actor=viewer.actor)


def withdraw_own_consent(viewer: Viewer, *, at: datetime) -> PaymentAccount:
    """End the consent to the public account. Raises AccountMissing."""
    return withdraw_consent(viewer.ref, at=at, actor=viewer.actor)
