"""Erasing a resident: what the vault holds is emptied for good.

Other apps that hold what a resident wrote listen to `resident_erased` and empty it in the same transaction.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone

from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.residents.models import AccessQuestion, Mail, Mailing, RegisterEvent, VaultRecord
from apps.residents.operations.accounts import erase_accounts
from apps.residents.operations.head_payments import forget_head_payments
from apps.residents.operations.household_consent import forget_consents
from apps.residents.operations.proxies import forget_acting
from apps.residents.vault.contents import COLUMNS

resident_erased: Final = Signal()  # gives `ref` and `at`, in the same transaction


class NothingToErase(KanpuError):
    """The vault holds nothing of this resident, or no longer."""

    code = "nothing_to_erase"


@transaction.atomic
def erase_resident(ref: UUID, *, reason: str, at: datetime, actor: str) -> None:
    """Empty the vault's row of a resident for good, every account, and what was asked of offices.

    Purchases, totals and refunds stay, under the reference. For whom the resident acted, who acted for them and to what
    they consented is forgotten. Whoever is registered with the same number later is another resident. `reason` goes to
    the trail. Raises NothingToErase.
    """
    record = VaultRecord.objects.select_for_update().filter(pk=ref, erased_at=None).first()
    if record is None:
        raise NothingToErase("The vault holds nothing of a resident of this reference, or no longer. Check it.")
    indexes = ("individual_number_index", "resident_code_index", "person_index", "content_mac")
    for column in (*COLUMNS, *indexes):
        setattr(record, column, None)
    record.erased_at = at
    record.save()
    erase_accounts(ref, at=at)
    forget_acting(ref)
    forget_consents(ref)
    forget_head_payments(ref)
    Mail.objects.filter(resident_ref=ref).delete()
    Mailing.objects.filter(pk=ref).delete()
    AccessQuestion.objects.filter(resident_ref=ref).update(words="", answer="")
    RegisterEvent.objects.create(
        resident_id=ref, kind=RegisterEvent.Kind.ERASURE, effective_date=timezone.localdate(at), recorded_at=at,
        actor=actor,
    )  # fmt: skip
    record_event(at=at, actor=actor, action="resident.erase", subject=f"resident:{ref}", detail={"reason": reason})
    resident_erased.send(sender=None, ref=ref, at=at)
