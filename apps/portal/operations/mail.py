"""Sending residents' e-mail: by a process that has the vault's keys, as the addresses stand in the vault."""

import logging
import smtplib
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.urls import reverse

from apps.audit.access import Access
from apps.audit.purposes import E_MAIL
from apps.kernel.errors import KanpuError
from apps.portal.mails import confirmation, news
from apps.residents.operations.looked import tell_of_ended_delays
from apps.residents.operations.mail_outbox import Claim, claim_codes, claim_mails, note_failed, note_sent
from apps.residents.queries.vault import checked_vault_keys, read_vault

logger = logging.getLogger(__name__)
ACCESS: Final = Access(actor="e-mail", role="system", office="", purpose=E_MAIL)
FAILURES: Final = (OSError, smtplib.SMTPException)
Clock = Callable[[], datetime]


class PortalAddressUnknown(KanpuError):
    """E-mail leads to the portal, and its address was not given."""

    code = "portal_address_missing"


class Sent(NamedTuple):
    """How many mails left, and how many did not and are tried again."""

    sent: int = 0
    failed: int = 0


def send_due(*, clock: Clock) -> Sent:
    """Send what is due, and go on until nothing is. Not in a transaction: addresses are read from the vault, on record.

    First those are told whose notice of an access was delayed until now. Raises PortalAddressUnknown, VaultKeysMissing,
    VaultKeysOutdated.
    """
    tell_of_ended_delays(now=clock())
    if not settings.KANPU_PORTAL_URL:
        raise PortalAddressUnknown("Set KANPU_PORTAL_URL to the portal's address, as residents type it.")
    checked_vault_keys()
    total = Sent()
    while claims := [*claim_codes(now=clock()), *claim_mails(now=clock())]:
        done = _send_all(claims, clock)
        total = Sent(total.sent + done.sent, total.failed + done.failed)
    return total


def _send_all(claims: Sequence[Claim], clock: Clock) -> Sent:
    """Send claimed mails over one connection; each is noted as sent as soon as it has left."""
    addresses = _addresses([claim.ref for claim in claims if claim.kinds or claim.code], clock())
    sent = failed = 0
    server = get_connection()
    is_there = _leaves(server.open)
    for claim in claims:
        address = addresses.get(claim.ref)
        if address is None:
            note_sent(claim, now=clock())
        elif is_there and _leaves(_mail(server, claim, address).send):
            note_sent(claim, now=clock())
            sent += 1
        else:
            note_failed(claim, now=clock())
            failed += 1
    _leaves(server.close)
    return Sent(sent, failed)


def _leaves(step: Callable[[], object]) -> bool:
    try:
        step()
    except FAILURES as error:  # what it says may name the address: only its kind is kept
        logger.warning("Mail does not leave (%s): it is tried again.", type(error).__name__)
        return False
    return True


def _mail(server: BaseEmailBackend, claim: Claim, address: str) -> EmailMessage:
    portal = settings.KANPU_PORTAL_URL.rstrip("/")
    if claim.code:
        text = confirmation(claim.code, language=claim.language, portal=portal)
        return EmailMessage(*text, to=[address], connection=server)
    stop = portal + reverse("mail-stop", args=[claim.stop_token])
    text = news(claim.kinds, language=claim.language, portal=portal, stop=stop)
    headers = {"List-Unsubscribe": f"<{stop}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}  # RFC 8058
    return EmailMessage(*text, to=[address], connection=server, headers=headers)


def _addresses(refs: Sequence[UUID], at: datetime) -> dict[UUID, str]:
    """Their addresses, opened on record; who was erased meanwhile has none, and gets nothing."""
    found = read_vault(refs, ["contact"], access=ACCESS, at=at) if refs else {}
    return {ref: identity.contact for ref, identity in found.items() if identity.contact}
