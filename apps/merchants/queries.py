"""Finding merchants, and who a key or a terminal belongs to."""

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from django.db.models import QuerySet

from apps.kernel.errors import KanpuError
from apps.merchants.keys import key_hash
from apps.merchants.models import ApiKey, Merchant, Terminal


class MerchantUnknown(KanpuError):
    """No merchant has this number or name."""

    code = "merchant_unknown"


class KeyHolder(NamedTuple):
    """The merchant that a valid key speaks for."""

    merchant_id: int
    mode: str


def holder_of(key: str) -> KeyHolder | None:
    """Who a key speaks for, or None when it is unknown or revoked: one query."""
    row = (
        ApiKey.objects.filter(sha256=key_hash(key), revoked_at=None)
        .values_list("merchant_id", "merchant__mode")
        .first()
    )
    return KeyHolder(*row) if row else None


def terminal_id_of(code: str, holder: KeyHolder) -> int | None:
    """The number of the holder's terminal, or None when there is none of that code or it is another's."""
    return Terminal.objects.filter(code=code, merchant_id=holder.merchant_id).values_list("pk", flat=True).first()


def find_merchant(number_or_name: str) -> Merchant:
    """The merchant of that number, or of that name if it has but one. Raises MerchantUnknown."""
    found = Merchant.objects.filter(name=number_or_name)
    if number_or_name.isdigit():
        found = Merchant.objects.filter(pk=int(number_or_name))
    if len(found) != 1:
        raise MerchantUnknown(
            f"{len(found)} merchants are called {number_or_name!r}. Give the number from create_merchant."
        )
    return found[0]


class TerminalName(NamedTuple):
    """A terminal's code and its merchant's mode."""

    code: str
    mode: str


def terminal_names(terminal_ids: Collection[int]) -> dict[int, TerminalName]:
    """The names of these terminals: one query."""
    rows = Terminal.objects.filter(pk__in=terminal_ids).values_list("pk", "code", "merchant__mode")
    return {pk: TerminalName(code, mode) for pk, code, mode in rows}


class StoreName(NamedTuple):
    """A store and whose it is, as a buyer knows them."""

    store: str
    merchant: str


def store_names(terminal_ids: Collection[int]) -> dict[int, StoreName]:
    """The store in which each of these terminals stands: one query."""
    rows = Terminal.objects.filter(pk__in=terminal_ids).values_list("pk", "store__name", "merchant__name")
    return {pk: StoreName(store, merchant) for pk, store, merchant in rows}


class TerminalSeen(NamedTuple):
    """A terminal as a key may see it. `public_key` (32 bytes of Ed25519) is set when it must seal."""

    id: int
    code: str
    merchant_id: int
    public_key: bytes | None


def terminal_of(code: str, holder: KeyHolder) -> TerminalSeen | None:
    """The holder's terminal of that code, or None when there is none or it is another's."""
    row = Terminal.objects.filter(code=code, merchant_id=holder.merchant_id).values_list("pk", "merchant_id").first()
    return TerminalSeen(row[0], code, row[1], None) if row else None


def terminals_of_merchant(codes: Collection[str], merchant_id: int) -> dict[str, int]:
    """The numbers of these terminals, those of the merchant only: one query."""
    rows = Terminal.objects.filter(code__in=codes, merchant_id=merchant_id)
    return dict(rows.values_list("code", "pk"))


def visible_terminals(holder: KeyHolder) -> "QuerySet[Terminal]":
    """The terminals that the holder's key may see."""
    return Terminal.objects.filter(merchant_id=holder.merchant_id)


class TerminalDetail(NamedTuple):
    """What a merchant knows of a terminal. `replaced_by` is the code of the terminal that took its place."""

    code: str
    store: str
    region: str
    enrolled_at: datetime
    sealed: bool
    replaced_by: str | None


def terminal_seen(terminal_id: int) -> TerminalDetail:
    """The terminal's particulars: one query."""
    row = Terminal.objects.values_list("code", "store__name", "region", "enrolled_at").get(pk=terminal_id)
    return TerminalDetail(*row, sealed=False, replaced_by=None)
