"""Issuing cards, as many as a country needs: in batches, each with its rows on the disk before it is committed."""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from apps.audit.access import Access
from apps.audit.officers import Role
from apps.audit.operations import record_event
from apps.kernel.progress import Seen, nothing_seen
from apps.residents.keyring import Keyring
from apps.residents.models import Card, CardOrder, Resident
from apps.residents.operations.holding import Lock, alone, held_keyring, held_vault_keys
from apps.residents.operations.messages import tell
from apps.residents.operations.personalisation import PersonalisationFile, Row
from apps.residents.queries import checked_keyring
from apps.residents.queries.cards import known_indexes, may_have_cards, open_orders, to_be_renewed, without_card
from apps.residents.queries.vault import checked_vault_keys, has_vault_keys, read_vault
from apps.residents.tokens import card_index, card_key
from apps.residents.vault.contents import CARD_TABLE
from apps.residents.vault.keys import VaultKeys
from apps.residents.vault.sealing import Place, seal

CARD_YEARS: Final = 10
BATCH: Final = 5_000
CARD_COLUMNS: Final = {
    "id": "int8", "card_index": "bytea", "index_version": "int2", "sealed_card_id": "bytea", "key_version": "int2",
    "resident_id": "uuid", "issuer_version": "int2", "valid_from": "timestamptz", "valid_until": "timestamptz",
    "active_from": "timestamptz",
}  # fmt: skip


class Issued(NamedTuple):
    """How many cards were issued: first ones, ordered ones, and ones that a run before, which did not end, had made."""

    first: int
    ordered: int
    taken_up: int


class Made(NamedTuple):
    """A new card and its row in the file."""

    card: Card
    row: Row


@dataclass(frozen=True, slots=True)
class Issue:
    """What is to be issued, when and by whom: see `issue_cards`."""

    at: datetime
    actor: str
    valid_from: date | None
    hand_over: bool
    municipality: str
    renew_within_days: int | None
    with_codes: bool

    @property
    def today(self) -> date:
        """The day of issue."""
        return self.at.astimezone(ZoneInfo(settings.TIME_ZONE)).date()


def issue_cards(
    path: Path,
    *,
    valid_from: date | None,
    at: datetime,
    actor: str,
    hand_over: bool = False,
    municipality: str = "",
    renew_within_days: int | None = None,
    with_codes: bool = False,
    seen: Seen = nothing_seen,
) -> Issued:
    """A card for every resident who has none or for whom one is ordered; the file at `path` gets what chips need.

    First cards are valid from `valid_from`, by default from the first day of residence, and active as soon, unless
    they wait for their `hand_over`; ordered ones are valid from today on and always wait. With `renew_within_days`
    another card is ordered first for whoever's ends by then, or has ended. `with_codes` reads resident codes from the
    vault, on record. Who is no longer resident or was erased gets none. A run that was killed is taken up by the next
    one with the same `path`. Raises FileExists, KeyringMissing, KeyringOutdated, WorkRunning, VaultKeysMissing.
    """
    issue = Issue(at, actor, valid_from, hand_over, municipality, renew_within_days, with_codes)
    return _issue(path, issue, seen)


def _issue(path: Path, issue: Issue, seen: Seen) -> Issued:
    checked_keyring(settings.KANPU_KEYRING)
    if issue.with_codes or has_vault_keys():
        checked_vault_keys()
    with alone(Lock.ISSUING, "issuing cards"):
        file = PersonalisationFile(path, _committed)
        _order_renewals(issue)
        residents = may_have_cards(issue.today, issue.municipality)
        total, done = open_orders(residents).count() + without_card(residents).count(), [0, 0]
        for kind, batches in enumerate((_ordered(issue, file), _first(issue, file))):
            for count in batches:
                done[kind] += count
                seen(sum(done), total)
        file.finish()
    return Issued(first=done[1], ordered=done[0], taken_up=file.kept)


def _committed(card_ids: Sequence[bytes]) -> set[bytes]:
    """Which of these numbers are those of cards, under any key of the index."""
    keyring = checked_keyring(settings.KANPU_KEYRING)
    ids = {card_index(key, card_id): card_id for key in keyring.card_index.values() for card_id in card_ids}
    return {ids[index] for index in known_indexes(list(ids))}


def _order_renewals(issue: Issue) -> None:
    """Order a card for everybody whose card ends soon."""
    if issue.renew_within_days is None:
        return
    before = issue.at + timedelta(days=issue.renew_within_days)
    held = to_be_renewed(may_have_cards(issue.today, issue.municipality), before=before).order_by("pk")
    last = 0
    while rows := list(held.filter(pk__gt=last).values_list("pk", "resident_id")[:BATCH]):
        last = rows[-1][0]
        with transaction.atomic():
            CardOrder.objects.bulk_create(
                (
                    CardOrder(resident_id=ref, reason="expiry", ordered_at=issue.at, ordered_by=issue.actor)
                    for _, ref in rows
                ),
                ignore_conflicts=True,  # somebody ordered one meanwhile
            )
            detail = {"reason": "expiry", "count": len(rows)}
            record_event(at=issue.at, actor=issue.actor, action="card.order", subject="cards", detail=detail)


def _ordered(issue: Issue, file: PersonalisationFile) -> Iterator[int]:
    """Issue what was ordered, batch by batch. Yields how many each time."""
    wanted, last = open_orders(may_have_cards(issue.today, issue.municipality)), 0
    while rows := list(wanted.filter(pk__gt=last).order_by("pk").values_list("pk", "resident_id")[:BATCH]):
        last = rows[-1][0]
        pks = [pk for pk, _ in rows]

        def made(maker: "Maker", pks: list[int] = pks) -> list[Made]:
            orders = list(wanted.filter(pk__in=pks).select_related("resident").select_for_update(of=("self",)))
            found = [maker.make(order.resident, issue.valid_from or issue.today, is_active=False) for order in orders]
            for order, (card, _) in zip(orders, found, strict=True):
                order.card = card
            _insert(card for card, _ in found)
            CardOrder.objects.bulk_update(orders, ["card"], batch_size=500)
            return found

        yield _batch(issue, file, [ref for _, ref in rows], made)


def _first(issue: Issue, file: PersonalisationFile) -> Iterator[int]:
    """Issue first cards, batch by batch. Yields how many each time."""
    wanted, last = without_card(may_have_cards(issue.today, issue.municipality)), UUID(int=0)
    while refs := list(wanted.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        last = refs[-1]

        def made(maker: "Maker", refs: list[UUID] = refs) -> list[Made]:
            residents = wanted.filter(pk__in=refs).order_by("pk").select_for_update(of=("self",), no_key=True)
            found = [
                maker.make(resident, issue.valid_from or resident.resident_from, is_active=not issue.hand_over)
                for resident in residents
            ]
            _insert(card for card, _ in found)
            return found

        yield _batch(issue, file, refs, made)


def _batch(issue: Issue, file: PersonalisationFile, refs: Sequence[UUID], made: Callable[["Maker"], list[Made]]) -> int:
    """Make a batch of cards. What could fail comes before their keys are on the disk, the commit right after."""
    codes = _codes(issue, refs)
    try:
        with transaction.atomic():
            vault_keys = held_vault_keys() if has_vault_keys() else None
            found = made(Maker(held_keyring(), vault_keys, codes, _new_numbers(len(refs)), issue.today))
            detail = {"count": len(found), "file": file.path.name}
            record_event(at=issue.at, actor=issue.actor, action="card.issue", subject="cards", detail=detail)
            to_fetch = [card.resident_id for card, _ in found if card.active_from is None]
            tell(to_fetch, "card_ready", at=issue.at)
            file.add(row for _, row in found)
    except (OperationalError, InterfaceError):  # nobody knows whether it was committed: the next run will
        raise
    except Exception:
        file.keep_committed()
        raise
    return len(found)


def _insert(cards: Iterable[Card]) -> None:
    """Copy new cards into their table: several times as fast as insert statements."""
    statement = f"COPY residents_card ({', '.join(CARD_COLUMNS)}) FROM STDIN (FORMAT binary)"
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(list(CARD_COLUMNS.values()))
        for card in cards:
            copy.write_row([getattr(card, column) for column in CARD_COLUMNS])


def _codes(issue: Issue, refs: Sequence[UUID]) -> Mapping[UUID, str]:
    if not issue.with_codes:
        return {}
    access = Access(issue.actor, Role.OPERATOR, "", "card personalisation")
    found = read_vault(refs, ["resident_code"], access=access, at=issue.at)
    return {ref: identity.resident_code or "" for ref, identity in found.items()}


def _new_numbers(count: int) -> Iterator[int]:
    """Numbers of new rows, which are part of what is sealed for them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('residents_card', 'id')) FROM generate_series(1, %s)", [count]
        )
        return iter([number for (number,) in cursor.fetchall()])


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes cards with the keys of now."""

    keyring: Keyring
    vault_keys: VaultKeys | None
    codes: Mapping[UUID, str]
    numbers: Iterator[int]
    today: date

    def make(self, resident: Resident, first_day: date, *, is_active: bool) -> Made:
        """A card that is valid for ten years from its first day, but from its issue if that is later."""
        card_id, number = secrets.token_bytes(16), next(self.numbers)
        last_day = _ten_years_on(max(first_day, self.today))
        version = self.keyring.newest_issuer_version(resident.mode)
        card = Card(
            pk=number,
            card_index=card_index(self.keyring.card_index[self.keyring.newest_card_index], card_id),
            index_version=self.keyring.newest_card_index,
            resident=resident,
            issuer_version=version,
            valid_from=_midnight(first_day),
            active_from=_midnight(first_day) if is_active else None,
            valid_until=_midnight(last_day),
        )
        if self.vault_keys:
            card.sealed_card_id = seal(self.vault_keys, Place(CARD_TABLE, "sealed_card_id", str(number)), card_id)
            card.key_version = self.vault_keys.newest
        key = card_key(self.keyring.issuer[resident.mode, version], card_id)
        code = self.codes.get(resident.ref, "")
        days = (first_day.isoformat(), last_day.isoformat())
        return Made(card, Row(str(resident.ref), code, card_id.hex(), key.hex(), *days))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(settings.TIME_ZONE))


def _ten_years_on(day: date) -> date:
    is_leap_day = (day.month, day.day) == (2, 29)  # it has no anniversary ten years on
    return day.replace(year=day.year + CARD_YEARS, day=28 if is_leap_day else day.day)
