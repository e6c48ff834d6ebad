"""Finding merchants, and who a key or a terminal belongs to."""

from collections.abc import Collection
from datetime import datetime
from typing import Final, NamedTuple

from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.kernel.arrays import numbers_array
from apps.kernel.database import Ask, Statement, trip
from apps.kernel.errors import KanpuError
from apps.merchants.keys import key_hash
from apps.merchants.models import ApiKey, Merchant, Store, Terminal, Vendor

# Every request asks these two.
HOLDER: Final = Statement("""
SELECT id, mode, merchant_id, vendor_id, scopes,
       ARRAY(SELECT s.store_id FROM merchants_apikey_stores s WHERE s.apikey_id = k.id), last_used_at
FROM merchants_apikey k WHERE sha256 = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
""")
TERMINAL: Final = Statement("""
SELECT t.id, t.merchant_id, t.public_key FROM merchants_terminal t JOIN merchants_merchant m ON m.id = t.merchant_id
WHERE t.code = $1 AND m.mode = $2 AND (cardinality($3::int8[]) = 0 OR t.store_id = ANY($3))
    AND (t.merchant_id = $4 OR EXISTS (
        SELECT FROM merchants_vendorauthorisation a
        WHERE a.merchant_id = t.merchant_id AND a.vendor_id = $5 AND a.withdrawn_at IS NULL))
""")


class MerchantUnknown(KanpuError):
    """No merchant has this number or name."""

    code = "merchant_unknown"


class VendorUnknown(KanpuError):
    """No vendor has this name."""

    code = "vendor_unknown"


class StoreUnknown(KanpuError):
    """The merchant has no store of this name."""

    code = "store_unknown"


class KeyUnknown(KanpuError):
    """No key, or more than one, has this number or hint."""

    code = "key_unknown"


class KeyHolder(NamedTuple):
    """Whom a valid key speaks for, a merchant or a vendor, and what it may do. No `stores` means all of them."""

    key_id: int
    mode: str
    merchant_id: int | None
    vendor_id: int | None
    scopes: Collection[str]
    stores: Collection[int]
    last_used_at: datetime | None


def holder_of(key: str) -> KeyHolder | None:
    """Who a key speaks for, or None when it is unknown, revoked or expired: one query."""
    (rows,) = trip(Ask(HOLDER, [key_hash(key), timezone.now().isoformat()]))
    return KeyHolder(*rows[0]) if rows else None


def visible_terminals(holder: KeyHolder) -> QuerySet[Terminal]:
    """The terminals that a key may report for and read: of its merchant, or of those that authorised its vendor."""
    found = Terminal.objects.filter(_of_holder(holder, "merchant__"))
    return found.filter(store_id__in=holder.stores) if holder.stores else found


def _of_holder(holder: KeyHolder, merchant: str) -> Q:
    """The condition that a merchant, named by the path `merchant`, is one the key speaks for."""
    mode = Q(**{f"{merchant}mode": holder.mode})
    if holder.merchant_id is not None:
        return mode & Q(**{f"{merchant}pk": holder.merchant_id})
    authorised = {f"{merchant}authorisations__vendor": holder.vendor_id}
    return mode & Q(**authorised, **{f"{merchant}authorisations__withdrawn_at": None})


class TerminalSeen(NamedTuple):
    """A terminal as a key may see it. `public_key` (32 bytes of Ed25519) is set when it must seal."""

    id: int
    code: str
    merchant_id: int
    public_key: bytes | None


def terminal_of(code: str, holder: KeyHolder) -> TerminalSeen | None:
    """The holder's terminal of that code, or None when there is none or it is another's: one query."""
    stores = numbers_array(holder.stores)
    (rows,) = trip(Ask(TERMINAL, [code, holder.mode, stores, holder.merchant_id, holder.vendor_id]))
    if not rows:
        return None
    terminal_id, merchant_id, public_key = rows[0]
    return TerminalSeen(terminal_id, code, merchant_id, public_key and bytes(public_key))


def terminals_of_merchant(codes: Collection[str], merchant_id: int) -> dict[str, int]:
    """The numbers of these terminals, those of the merchant only: one query."""
    rows = Terminal.objects.filter(code__in=codes, merchant_id=merchant_id)
    return dict(rows.values_list("code", "pk"))


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
    columns = ("code", "store__name", "region", "enrolled_at", "public_key", "replaced_by__code")
    code, store, region, enrolled_at, public_key, replaced_by = Terminal.objects.values_list(*columns).get(
        pk=terminal_id
    )
    return TerminalDetail(code, store, region, enrolled_at, public_key is not None, replaced_by)


def terminal_count(holder: KeyHolder) -> int:
    """How many terminals the holder has: one query, which takes the longer the more there are."""
    return Terminal.objects.filter(_of_holder(holder, "merchant__")).count()


def merchant_of(holder: KeyHolder, number: int | None) -> Merchant | None:
    """The merchant that a key acts for: its own, or for a vendor the one of that number that authorised it."""
    named = holder.merchant_id if number is None else number
    return Merchant.objects.filter(_of_holder(holder, ""), pk=named).first() if named is not None else None


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


def find_vendor(name: str) -> Vendor:
    """The vendor of that name. Raises VendorUnknown."""
    vendor = Vendor.objects.filter(name=name).first()
    if vendor is None:
        raise VendorUnknown(f"No vendor is called {name!r}. Enter it with create_vendor.")
    return vendor


def find_stores(merchant: Merchant, names: Collection[str]) -> list[Store]:
    """The merchant's stores of these names. Raises StoreUnknown."""
    found = list(Store.objects.filter(merchant=merchant, name__in=names))
    if missing := set(names) - {store.name for store in found}:
        raise StoreUnknown(f"{merchant} has no store {', '.join(sorted(missing))}. Write it as it was enrolled.")
    return found


def find_key(number_or_hint: str) -> ApiKey:
    """The key of that number, or the one not yet revoked that begins so. Raises KeyUnknown."""
    found = ApiKey.objects.filter(hint=number_or_hint, revoked_at=None)
    if number_or_hint.isdigit():
        found = ApiKey.objects.filter(pk=int(number_or_hint))
    if len(found) != 1:
        numbers = ", ".join(str(key.pk) for key in found)
        raise KeyUnknown(
            f"{len(found)} keys are called {number_or_hint!r}{f': numbers {numbers}' if numbers else ''}. "
            "Give the number or the hint (the first 12 characters) of one."
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


STORE_NAMES: Final = Statement("""
SELECT t.id, s.name, m.name FROM merchants_terminal t
JOIN merchants_store s ON s.id = t.store_id JOIN merchants_merchant m ON m.id = t.merchant_id WHERE t.id = ANY($1)
""")


def store_names(terminal_ids: Collection[int]) -> dict[int, StoreName]:
    """The store in which each of these terminals stands: one query."""
    (rows,) = trip(Ask(STORE_NAMES, (numbers_array(terminal_ids),)))
    return {pk: StoreName(store, merchant) for pk, store, merchant in rows}
