"""Enrolling merchants and terminals, issuing keys."""

import re
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from apps.audit.operations import record_event
from apps.kernel.errors import KanpuError
from apps.merchants.keys import TERMINAL_CODE, key_hash, new_key
from apps.merchants.models import ApiKey, Merchant, Mode, Store, Terminal

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
    """A new merchant and its first API key, which is shown now and never again. Raises MerchantInvalid."""
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
    )
    return merchant, issue_key(merchant, name="first", at=at, actor=actor)


@transaction.atomic
def issue_key(merchant: Merchant, *, name: str, at: datetime, actor: str) -> str:
    """A new API key of the merchant. Only its hash is kept, so this is the one time it can be read."""
    key = new_key(merchant.mode)
    ApiKey.objects.create(merchant=merchant, name=name, sha256=key_hash(key), hint=key[:12], created_at=at)
    record_event(at=at, actor=actor, action="key.issue", subject=f"merchant:{merchant.pk}", detail={"hint": key[:12]})
    return key


@transaction.atomic
def enrol_terminal(
    merchant: Merchant,
    code: str,
    *,
    store_name: str = "",
    region: str = "",
    place: tuple[Decimal, Decimal] | None = None,
    at: datetime,
    actor: str,
) -> Terminal:
    """A new terminal of the merchant; `place` is (latitude, longitude) in degrees.

    Raises MerchantInvalid for a code of the wrong form or one used before, by anybody.
    """
    if not TERMINAL_CODE.fullmatch(code):
        raise MerchantInvalid(f"{code!r} is no terminal code: a-z, 0-9 and -, at most 63, not starting with -.")
    store, _ = Store.objects.get_or_create(merchant=merchant, name=store_name or code)
    latitude, longitude = place or (None, None)
    try:
        with transaction.atomic():
            terminal = Terminal.objects.create(
                code=code, merchant=merchant, store=store, region=region,
                latitude=latitude, longitude=longitude, enrolled_at=at,
            )  # fmt: skip
    except IntegrityError as error:
        raise MerchantInvalid(
            f"The terminal code {code} is taken. Codes are never used twice: choose another."
        ) from error
    record_event(at=at, actor=actor, action="terminal.enrol", subject=f"terminal:{code}", detail={"region": region})
    return terminal
