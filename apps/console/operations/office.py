"""Looking at an opened resident: that somebody looks is on record before anything is read."""

from datetime import datetime
from uuid import UUID

from apps.accruals.operations.withdrawing import PurchaseMissing, TooLateToWithdraw
from apps.accruals.queries.shown import PurchaseRow, sale_of_resident
from apps.audit.access import Access
from apps.audit.operations import record_accesses
from apps.console.queries.office import (
    AccountPage,
    CardsPage,
    ChoicesPage,
    HandOverPage,
    HouseholdPage,
    cards_page,
    choices_page,
    hand_over_page,
    household_page,
)
from apps.console.queries.office_purchases import PurchasesPage, purchases_page
from apps.residents.models import Notice
from apps.residents.queries.accounts import look_at_accounts
from apps.residents.queries.histories import notices_of
from apps.residents.queries.vault import read_vault
from apps.residents.vault.contents import Identity


def look_at_person(resident_ref: UUID, *, access: Access, at: datetime) -> Identity | None:
    """Names, birth date and address, or None when the resident was erased. Raises what read_vault raises."""
    return read_vault([resident_ref], ["person", "address"], access=access, at=at).get(resident_ref)


def look_at_cards(resident_ref: UUID, *, access: Access, at: datetime) -> CardsPage:
    """Cards, suspensions, and the order that is open."""
    record_accesses(access, [resident_ref], what="page:cards", at=at)
    return cards_page(resident_ref, now=at)


def look_to_hand_over(resident_ref: UUID, card_id: int, *, access: Access, at: datetime) -> HandOverPage:
    """Who must be before the clerk to be given this card. Raises CardMissing and what read_vault raises."""
    identity = read_vault([resident_ref], ["person"], access=access, at=at).get(resident_ref)
    return hand_over_page(resident_ref, card_id, identity.person if identity else None, now=at)


def look_at_account(resident_ref: UUID, *, access: Access, at: datetime) -> AccountPage:
    """Where refunds go, and the registered names where they are to be compared. Raises what read_vault raises."""
    record_accesses(access, [resident_ref], what="page:account", at=at)
    accounts = look_at_accounts(resident_ref, access=access, at=at)
    if not accounts.to_review:
        return AccountPage(accounts, None)
    identity = read_vault([resident_ref], ["person"], access=access, at=at).get(resident_ref)
    return AccountPage(accounts, identity.person if identity else None)


def look_at_letters(resident_ref: UUID, *, access: Access, at: datetime) -> list[Notice]:
    """The letters with codes that were printed."""
    record_accesses(access, [resident_ref], what="page:letters", at=at)
    return notices_of(resident_ref)


def look_at_choices(resident_ref: UUID, *, access: Access, at: datetime) -> ChoicesPage:
    """Whether purchases are recorded."""
    record_accesses(access, [resident_ref], what="page:choices", at=at)
    return choices_page(resident_ref)


def look_at_household(resident_ref: UUID, *, access: Access, at: datetime) -> HouseholdPage:
    """Stays in households and what the register says has changed."""
    record_accesses(access, [resident_ref], what="page:household", at=at)
    return household_page(resident_ref)


def look_at_purchases(
    resident_ref: UUID, *, year: str | None, page: str | None, held_page: str | None, access: Access, at: datetime
) -> PurchasesPage:
    """Held purchases, and those of a year that were counted."""
    record_accesses(access, [resident_ref], what="page:purchases", at=at)
    return purchases_page(resident_ref, year=year, page=page, held=held_page)


def look_to_withdraw(resident_ref: UUID, terminal_id: int, seq: int, *, access: Access, at: datetime) -> PurchaseRow:
    """The purchase that is to be withdrawn. Raises PurchaseMissing and TooLateToWithdraw."""
    record_accesses(access, [resident_ref], what="page:purchases", at=at)
    purchase = sale_of_resident(resident_ref, terminal_id, seq)
    if purchase is None:
        raise PurchaseMissing("There is no such purchase, or it was withdrawn before.")
    if not purchase.can_be_withdrawn:
        raise TooLateToWithdraw("The year of this purchase is frozen: it can no longer be withdrawn.")
    return purchase
