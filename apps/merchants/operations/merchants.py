"""Enrolling merchants."""

import re
from datetime import datetime

from django.db import transaction

from apps.audit.operations import record_event
from apps.audit.states import state_of
from apps.kernel.errors import KanpuError
from apps.merchants.models import Merchant, Mode
from apps.merchants.operations.keys import issue_key

REGISTRATION_NUMBER = re.compile(r"T[0-9]{13}")


class MerchantInvalid(KanpuError):
    """A merchant's or terminal's data breaks a rule."""

    code = "merchant_invalid"


@transaction.atomic
def create_merchant(
    name: str,
    *,
    registration_number: str = "",
    trade: str = "",
    mode: Mode = Mode.LIVE,
    at: datetime,
    actor: str,
) -> tuple[Merchant, str]:
    """A new merchant and its first API key, for everything, which is shown now and never again.

    Raises MerchantInvalid.
    """
    if registration_number and not REGISTRATION_NUMBER.fullmatch(registration_number):
        raise MerchantInvalid(f"{registration_number!r} is no registration number: T and 13 digits.")
    merchant = Merchant.objects.create(
        name=name, registration_number=registration_number, trade=trade, mode=mode, created_at=at
    )
    record_event(
        at=at,
        actor=actor,
        action="merchant.create",
        subject=f"merchant:{merchant.pk}",
        detail={"mode": str(mode)},
        before={},
        after=state_of(merchant),
    )
    return merchant, issue_key(merchant, name="first", at=at, actor=actor).key
