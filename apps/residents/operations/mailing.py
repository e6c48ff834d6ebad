"""By which way residents want their messages: an e-mail address, sealed in the vault, confirmed by a code."""

import hmac
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F

from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.residents.models import Mail, Mailing, VaultRecord
from apps.residents.notice_codes import code_hash, typed
from apps.residents.operations.holding import held_vault_keys
from apps.residents.operations.messages import tell
from apps.residents.vault.contents import Identity
from apps.residents.vault.rows import sealed_values

TRIES: Final = 5


class NobodyKnown(KanpuError):
    """The vault has nothing of the resident yet, or no longer, and so no place for an address."""

    code = "nobody_known"


class CodeWrong(KanpuError):
    """The code is not the one that was sent, or it has run out, or too many wrong ones were typed."""

    code = "code_wrong"


@transaction.atomic
def set_contact(ref: UUID, email: str, *, wants: str, at: datetime, actor: str) -> None:
    """Take an e-mail address for a resident's messages; nothing is sent there but a code until that is typed.

    `wants` is one of Mailing.Wants. Raises NobodyKnown, VaultKeysMissing and VaultKeysOutdated.
    """
    keys = held_vault_keys()
    _keep_contact(ref, sealed_values(keys, ref, Identity(contact=email))["contact"])
    fresh = {
        "wants": wants, "asked_at": at, "confirmed_at": None, "code_hash": None, "code_until": None, "code_tries": 0,
    }  # fmt: skip
    Mailing.objects.update_or_create(resident_id=ref, defaults=fresh, create_defaults={**fresh, "next_at": at})
    tell([ref], "contact_changed", at=at)
    record_event(at=at, actor=actor, action="contact.set", subject=f"resident:{ref}", detail={"wants": wants})


@transaction.atomic
def confirm_contact(ref: UUID, code: str, *, at: datetime, actor: str) -> None:
    """Messages go to the address from now on: whoever reads what is sent there has the code. Raises CodeWrong."""
    mailing = Mailing.objects.select_for_update().filter(pk=ref).exclude(code_hash=None).first()
    is_right = mailing is not None and hmac.compare_digest(bytes(mailing.code_hash or b""), code_hash(typed(code)))
    if mailing and is_right and mailing.code_tries < TRIES and mailing.code_until and at < mailing.code_until:
        mailing.confirmed_at, mailing.asked_at = at, None
        mailing.code_hash, mailing.code_until, mailing.code_tries = None, None, 0
        mailing.save()
        record_event(
            at=at, actor=actor, action="contact.confirm", subject=f"resident:{ref}", detail={},
            before={"confirmed_at": None}, after={"confirmed_at": at},
        )  # fmt: skip
        return
    raise CodeWrong("This is not the code that was sent, or it has run out. Ask for another one.")


def count_wrong_code(ref: UUID) -> None:
    """Count a wrong code: outside the transaction that refused it."""
    Mailing.objects.filter(pk=ref).update(code_tries=F("code_tries") + 1)


@transaction.atomic
def set_wants(ref: UUID, wants: str, *, at: datetime, actor: str) -> None:
    """Which messages come by mail from now on. Nothing happens for who gave no address."""
    before = Mailing.objects.select_for_update().filter(pk=ref).values_list("wants", flat=True).first()
    if Mailing.objects.filter(pk=ref).update(wants=wants):
        record_event(
            at=at, actor=actor, action="contact.wants", subject=f"resident:{ref}", detail={"wants": wants},
            before={"wants": before}, after={"wants": wants},
        )  # fmt: skip


@transaction.atomic
def forget_contact(ref: UUID, *, at: datetime, actor: str) -> None:
    """The address leaves the vault, and no mail is sent any more."""
    VaultRecord.objects.filter(pk=ref).update(contact=None)
    Mail.objects.filter(resident_ref=ref).delete()
    if Mailing.objects.filter(pk=ref).delete()[0]:
        tell([ref], "contact_changed", at=at)
        record_event(at=at, actor=actor, action="contact.forget", subject=f"resident:{ref}", detail={})


@transaction.atomic
def stop_mails(stop_token: UUID, *, at: datetime) -> bool:
    """End somebody's mails by the token that is in each of them. Returns whether it is anybody's."""
    mailing = Mailing.objects.select_for_update().filter(stop_token=stop_token).first()
    if mailing is None:
        return False
    before, mailing.wants = mailing.wants, Mailing.Wants.NONE
    mailing.save(update_fields=["wants"])
    Mail.objects.filter(resident_ref=mailing.resident_id).delete()
    record_event(
        at=at, actor="who has the mail", action="contact.stop", subject=f"resident:{mailing.resident_id}", detail={},
        before={"wants": before}, after={"wants": mailing.wants},
    )  # fmt: skip
    return True


def _keep_contact(ref: UUID, sealed: bytes) -> None:
    if not VaultRecord.objects.filter(pk=ref, erased_at=None).update(contact=sealed):
        raise NobodyKnown("You are not entered in the register yet, so there is no safe place for an address.")
