"""Purchases that were held because a card was lost: which wait for the resident's answer, and what became of others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import AnonymousUser, User
from django.core.paginator import Page, Paginator
from django.utils import timezone

from apps.accruals.answers import CONFIRMED
from apps.accruals.queries import HeldPurchase, held_of_resident, number_held
from apps.merchants.queries import StoreName, store_names
from apps.portal.queries.accounts import resident_of
from apps.schemes.document import Scheme, Words
from apps.schemes.queries import scheme_of, started_years

HELD_A_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A purchase with its shop and its amounts in minor units of its year's scheme."""

    purchase: HeldPurchase
    shop: StoreName | None
    scheme: Scheme
    tiers: tuple[tuple[Words, int], ...]

    @property
    def total_minor(self) -> int:
        """All tiers together."""
        return sum(amount for _, amount in self.tiers)

    @property
    def name(self) -> str:
        """What a form names the purchase by."""
        return f"{self.purchase.terminal_id}-{self.purchase.seq}"

    @property
    def is_confirmed(self) -> bool:
        """Whether the resident said that it is theirs."""
        return self.purchase.answer == CONFIRMED


@dataclass(frozen=True, slots=True)
class HeldPage:
    """A page of purchases, the newest first, and how many of all wait for an answer."""

    rows: list[HeldRow]
    page: "Page[int]"
    waiting: int


def own_held(user: User | AnonymousUser, *, page: str | None) -> HeldPage:
    """The resident's purchases that were held. Raises NoAccount."""
    ref = resident_of(user)
    found = Paginator(range(number_held(ref)), HELD_A_PAGE).get_page(page)
    held = held_of_resident(ref, first=max(found.start_index() - 1, 0), most=HELD_A_PAGE)
    return HeldPage(_rows(held), found, number_held(ref, unanswered=True))


def _rows(held: Sequence[HeldPurchase]) -> list[HeldRow]:
    shops = store_names({purchase.terminal_id for purchase in held})
    schemes = {year.year: scheme_of(year.scheme_version_id) for year in started_years()}
    return [
        _row(purchase, shops.get(purchase.terminal_id), schemes[timezone.localtime(purchase.at).year])
        for purchase in held
    ]


def _row(purchase: HeldPurchase, shop: StoreName | None, scheme: Scheme) -> HeldRow:
    tiers = [(tier.name, purchase.amounts[tier.code]) for tier in scheme.tiers if purchase.amounts.get(tier.code)]
    return HeldRow(purchase, shop, scheme, tuple(tiers))
