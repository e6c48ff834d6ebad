"""Issuing and revoking API keys."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from django.db import transaction

from apps.audit.operations import record_event
from apps.audit.states import Change, state_of
from apps.kernel.errors import KanpuError
from apps.merchants.keys import key_hash, new_key
from apps.merchants.models import ApiKey, Merchant, Mode, Scope, Store, Vendor
from apps.merchants.queries import KeyHolder

USE_NOTED_EVERY: Final = timedelta(minutes=1)
HINT_LENGTH: Final = 12


class KeyRefused(KanpuError):
    """A key cannot be issued as asked."""

    code = "key_refused"


class ConformanceMissing(KanpuError):
    """A vendor that must prove its software has not done so."""

    code = "conformance_missing"


class IssuedKey(NamedTuple):
    """A new key: its number, and the key itself, which can be read this once."""

    key_id: int
    key: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a key is for: scopes, the stores it is limited to (all, if none), and until when."""

    scopes: Collection[str] = field(default_factory=lambda: tuple(Scope.values))
    stores: Collection[Store] = ()
    expires_at: datetime | None = None


EVERYTHING: Final = Grant()


def issue_key(merchant: Merchant, *, name: str, grant: Grant = EVERYTHING, at: datetime, actor: str) -> IssuedKey:
    """A new API key of the merchant. Only its hash is kept, so this is the one time it can be read.

    Raises KeyRefused for scopes that are none and for stores of another merchant.
    """
    if any(store.merchant_id != merchant.pk for store in grant.stores):
        raise KeyRefused(f"A key of {merchant} is limited to stores of {merchant}. Choose others.")
    return _issue(ApiKey(merchant=merchant, mode=merchant.mode, name=name), grant, at=at, actor=actor)


def issue_vendor_key(
    vendor: Vendor, *, mode: Mode, name: str, grant: Grant = EVERYTHING, at: datetime, actor: str
) -> IssuedKey:
    """A new API key of a vendor, good for the merchants of that mode that authorised it, now or later.

    Raises ConformanceMissing for a live key while no conformance report is on record, and KeyRefused.
    """
    if mode == Mode.LIVE and vendor.conformance_required and not vendor.conformance_reports.exists():
        raise ConformanceMissing(
            f"{vendor} has no conformance report on record, so it gets no live key. Run the conformance kit against "
            "its software with a test key, record the report, and issue the key then."
        )
    if grant.stores:
        raise KeyRefused("A vendor's key is not limited to stores: authorisations say for whom it reports.")
    return _issue(ApiKey(vendor=vendor, mode=mode, name=name), grant, at=at, actor=actor)


@transaction.atomic
def _issue(row: ApiKey, grant: Grant, *, at: datetime, actor: str) -> IssuedKey:
    if not grant.scopes or not set(grant.scopes) <= set(Scope.values):
        raise KeyRefused(f"A key needs one or more of the scopes {', '.join(Scope.values)}.")
    if grant.expires_at and grant.expires_at <= at:
        raise KeyRefused(f"{grant.expires_at:%Y-%m-%d %H:%M} is over: a key expires in the future.")
    key = new_key(row.mode)
    row.sha256, row.hint, row.created_at = key_hash(key), key[:HINT_LENGTH], at
    row.scopes = [scope for scope in Scope.values if scope in grant.scopes]
    row.expires_at = grant.expires_at
    row.save()
    row.stores.set(grant.stores)
    _record("key.issue", row, {"before": {}, "after": state_of(row)}, at=at, actor=actor)
    return IssuedKey(row.pk, key)


@transaction.atomic
def revoke_key(key_id: int, *, at: datetime, actor: str) -> bool:
    """Make a key useless from now on. False if it was revoked before."""
    revoked = ApiKey.objects.filter(pk=key_id, revoked_at=None).update(revoked_at=at)
    if revoked:
        change: Change = {"before": {"revoked_at": None}, "after": {"revoked_at": at}}
        _record("key.revoke", ApiKey.objects.get(pk=key_id), change, at=at, actor=actor)
    return bool(revoked)


def _record(action: str, row: ApiKey, change: Change, *, at: datetime, actor: str) -> None:
    owner = f"merchant:{row.merchant_id}" if row.merchant_id else f"vendor:{row.vendor_id}"
    detail = {"key": row.pk, "hint": row.hint, "mode": row.mode, "scopes": row.scopes}
    record_event(at=at, actor=actor, action=action, subject=owner, detail=detail, **change)


def note_use(holder: KeyHolder, *, at: datetime) -> None:
    """Keep when a key was last used, at most once a minute, in a transaction of its own.

    Of several requests at once only the first writes: the others find the time changed.
    """
    if holder.last_used_at is None or at - holder.last_used_at >= USE_NOTED_EVERY:
        ApiKey.objects.filter(pk=holder.key_id, last_used_at=holder.last_used_at).update(last_used_at=at)
