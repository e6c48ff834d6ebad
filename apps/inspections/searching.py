"""What auditors search by: filters of four kinds, all of which a result must have. Pure.

None and '' do not matter. Times are half-open, amounts and numbers have both ends included, money is in minor units.
"""

from datetime import datetime
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

import msgspec

from apps.kernel.errors import KanpuError

EntryKind: TypeAlias = Literal["", "sale", "claimed", "return", "void", "correction", "ruling", "held", "rejected"]
WITHHELD: Final = frozenset({"held", "rejected"})  # of sales on nobody's account


class SearchWrong(KanpuError):
    """A saved search names filters that there are not, or values that none can have."""

    code = "search_wrong"


class Search(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What all kinds are: JSON goes in and comes out the same."""


class PurchaseSearch(Search, frozen=True, kw_only=True):
    """Entries of a tax year. Amounts are of all tiers together; `tier`: some of it is in the entry.

    `merchant` is a registration number or a part of a name, `region` a prefecture or municipality, `terminal` a code.
    """

    year: int
    since: datetime | None = None
    before: datetime | None = None
    least_minor: int | None = None
    most_minor: int | None = None
    tier: str = ""
    kind: EntryKind = ""
    merchant: str = ""
    region: str = ""
    terminal: str = ""
    first_seq: int | None = None
    last_seq: int | None = None
    resident: UUID | None = None
    run: int | None = None


class TerminalSearch(Search, frozen=True, kw_only=True):
    """Tills. `seen` is when the last batch came; `gaps`: numbers are missing below the highest that came."""

    code: str = ""
    merchant: str = ""
    region: str = ""
    state: Literal["", "in_use", "replaced", "never_seen"] = ""
    sealed: bool | None = None
    gaps: bool | None = None
    seen_since: datetime | None = None
    seen_before: datetime | None = None


class MerchantSearch(Search, frozen=True, kw_only=True):
    """Merchants. `state`: with a till in use, without one, or of the test mode."""

    name: str = ""
    registration_number: str = ""
    trade: str = ""
    state: Literal["", "in_use", "without_tills", "test"] = ""


class ResidentSearch(Search, frozen=True, kw_only=True):
    """Residents by what the last run of a year found for them: the refund for the whole year."""

    year: int
    reference: UUID | None = None
    least_minor: int | None = None
    most_minor: int | None = None
    at_cap: bool | None = None
    municipality: str = ""


KINDS: Final[dict[str, type[Search]]] = {
    "purchases": PurchaseSearch,
    "terminals": TerminalSearch,
    "merchants": MerchantSearch,
    "residents": ResidentSearch,
}
OF_RESIDENTS: Final = frozenset({"purchases", "residents"})  # kinds whose results are residents' data


def as_json(search: Search) -> dict[str, Any]:
    """A search as JSON keeps it: only the filters that matter."""
    built: dict[str, Any] = msgspec.to_builtins(search)
    return built


def from_json(kind: str, filters: object) -> Search:
    """A search of one of KINDS again. Raises SearchWrong."""
    try:
        return msgspec.convert(filters, KINDS[kind])
    except (KeyError, msgspec.ValidationError) as error:
        raise SearchWrong(f"This is no search of {kind}: {error}. Delete it and make it anew.") from error
