"""Moving rows from old keys to the newest one: some thousand at a time, beside everybody who reads and writes them.

A row that somebody else holds is left for the next round, so that nobody waits for somebody who waits for us. Rows
under old and new keys are found and opened meanwhile, so it may stop anywhere and go on later.

What stands under a key is listed in HOLDINGS: a table, the column that says under which version a row stands, and a
small function that makes a row's columns anew.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from django.db import connection, transaction
from django.db.models import Model, Q, QuerySet
from psycopg import sql

from apps.kernel.progress import Seen, nothing_seen
from apps.residents.key_documents import Kind
from apps.residents.keyring import Keyring, KeyringMissing
from apps.residents.models import Card, HouseholdIndex, PaymentAccount, Photo, TestCard, VaultRecord
from apps.residents.queries.vault import opened
from apps.residents.tokens import card_index
from apps.residents.vault.contents import (
    ACCOUNT_TABLE,
    CARD_TABLE,
    COLUMNS,
    HOUSEHOLD_TABLE,
    PHOTO_TABLE,
    TABLE,
    person_key,
)
from apps.residents.vault.keys import VaultKeys, VaultKeysMissing
from apps.residents.vault.sealing import Place, VaultDamaged, keyed_index, seal, unseal

BATCH: Final = 2_000
PAUSE_S: Final = 0.2  # before another round for rows that others held
Row = dict[str, Any]


class Keys(NamedTuple):
    """What rows are moved with."""

    keyring: Keyring | None = None
    vault: VaultKeys | None = None

    def tokens(self) -> Keyring:
        """The keys of cards. Raises KeyringMissing."""
        if self.keyring is None:
            raise KeyringMissing("Set KANPU_KEYRING to the key file: cards are moved with it.")
        return self.keyring

    def of_vault(self) -> VaultKeys:
        """The keys of the vault. Raises VaultKeysMissing."""
        if self.vault is None:
            raise VaultKeysMissing("Set KANPU_VAULT_KEYS to the vault's key file: rows are moved with it.")
        return self.vault


class Holding(NamedTuple):
    """Rows that stand under keys of a kind."""

    model: type[Model]
    version: str  # the column that says under which
    columns: tuple[str, ...]  # what `renewed` needs and gives
    renewed: Callable[[Keys, Row], Row]
    movable: Q = Q()


class Moved(NamedTuple):
    """How many rows were moved, and which could not be: damaged ones, by table and row."""

    rows: int
    damaged: list[str]


def reindexed_card(keys: Keys, row: Row) -> Row:
    """A card under the newest key of the index. Raises VaultDamaged when its number is not that of its index."""
    ring, card_id = keys.tokens(), _card_id(keys, row)
    if card_index(ring.card_index[row["index_version"]], card_id) != bytes(row["card_index"]):
        raise VaultDamaged(f"The sealed number of card {row['pk']} is that of another card.")
    return {"card_index": card_index(ring.card_index[ring.newest_card_index], card_id)}


def resealed_card(keys: Keys, row: Row) -> Row:
    """A card's number under the newest vault key."""
    return {"sealed_card_id": seal(keys.of_vault(), _card_place(row), _card_id(keys, row))}


def _card_id(keys: Keys, row: Row) -> bytes:
    return unseal(keys.of_vault(), _card_place(row), bytes(row["sealed_card_id"]))


def _card_place(row: Row) -> Place:
    return Place(CARD_TABLE, "sealed_card_id", str(row["pk"]))


def resealed_record(keys: Keys, row: Row) -> Row:
    """All that the vault has of a resident under its newest key."""
    vault = keys.of_vault()
    places = {column: Place(TABLE, column, str(row["pk"])) for column in COLUMNS if row[column] is not None}
    fresh = {c: seal(vault, place, unseal(vault, place, bytes(row[c]))) for c, place in places.items()}
    return {column: fresh.get(column) for column in COLUMNS}


def reindexed_record(keys: Keys, row: Row) -> Row:
    """What a resident is found by, under the newest index key. What an import compares with is made by the next one."""
    vault = keys.of_vault()
    who = opened(vault, row["pk"], row)
    texts = {"individual_number": who.individual_number, "resident_code": who.resident_code}
    if who.person:
        texts["person"] = person_key(who.person.name_kana or who.person.name, who.person.birth_date)
    indexes = {f"{column}_index": keyed_index(vault, column, text) for column, text in texts.items() if text}
    return {column: indexes.get(column) for column in INDEXES} | {"content_mac": None}


def resealed_household(keys: Keys, row: Row) -> Row:
    """The number that a municipality gave a household, under the newest vault key."""
    vault, place = keys.of_vault(), _household_place(row)
    return {"number": seal(vault, place, unseal(vault, place, bytes(row["number"])))}


def resealed_photo(keys: Keys, row: Row) -> Row:
    """A resident's picture under the newest vault key."""
    vault, place = keys.of_vault(), Place(PHOTO_TABLE, "picture", str(row["pk"]))
    return {"picture": seal(vault, place, unseal(vault, place, bytes(row["picture"])))}


def reindexed_household(keys: Keys, row: Row) -> Row:
    """What a household is found by, under the newest index key."""
    vault = keys.of_vault()
    number = unseal(vault, _household_place(row), bytes(row["number"])).decode()
    return {"number_index": keyed_index(vault, "household", number)}


def _household_place(row: Row) -> Place:
    return Place(HOUSEHOLD_TABLE, "number", str(row["pk"]))


def resealed_account(keys: Keys, row: Row) -> Row:
    """An account that a refund is or was paid to, under the newest vault key."""
    vault, place = keys.of_vault(), Place(ACCOUNT_TABLE, "content", str(row["pk"]))
    return {"content": seal(vault, place, unseal(vault, place, bytes(row["content"])))}


INDEXES: Final = ("individual_number_index", "resident_code_index", "person_index")
FOUND_BY: Final = ("individual_number", "resident_code", "person")
HOLDINGS: Final[Mapping[Kind, Sequence[Holding]]] = {
    Kind.CARD_INDEX: (
        Holding(
            Card, "index_version", ("card_index", "sealed_card_id"), reindexed_card, Q(sealed_card_id__isnull=False)
        ),
    ),
    Kind.VAULT: (
        Holding(VaultRecord, "key_version", COLUMNS, resealed_record),
        Holding(Card, "key_version", ("sealed_card_id",), resealed_card),
        Holding(HouseholdIndex, "key_version", ("number",), resealed_household),
        Holding(Photo, "key_version", ("picture",), resealed_photo),
        Holding(PaymentAccount, "key_version", ("content",), resealed_account),
    ),
    Kind.VAULT_INDEX: (
        Holding(VaultRecord, "index_version", (*FOUND_BY, *INDEXES, "content_mac"), reindexed_record),
        Holding(HouseholdIndex, "index_version", ("number", "number_index"), reindexed_household),
    ),
}


def newest_version(kind: Kind, keys: Keys) -> int:
    """The version that rows are moved to."""
    if kind is Kind.CARD_INDEX:
        return keys.tokens().newest_card_index
    return keys.of_vault().newest if kind is Kind.VAULT else keys.of_vault().newest_index


def to_move(kind: Kind, keys: Keys) -> int:
    """How many rows do not stand under the newest key yet, and can be moved."""
    newest = newest_version(kind, keys)
    published = _published(keys.tokens()).count() if kind is Kind.CARD_INDEX else 0
    return published + sum(_old_rows(holding, newest).count() for holding in HOLDINGS[kind])


def move_all(kind: Kind, keys: Keys, *, seen: Seen = nothing_seen) -> Moved:
    """Move every row that is not damaged to the newest key of its kind. Raises VaultKeysOutdated."""
    newest, total = newest_version(kind, keys), to_move(kind, keys)
    done = reindex_published(keys.tokens()) if kind is Kind.CARD_INDEX else 0
    damaged: list[str] = []
    for holding in HOLDINGS[kind]:
        broken: dict[Any, str] = {}
        for moved in _rounds(holding, keys, newest, broken):
            done += moved
            seen(done, max(total, done))
        damaged += broken.values()
    return Moved(done, damaged)


def _rounds(holding: Holding, keys: Keys, newest: int, broken: dict[Any, str]) -> Iterator[int]:
    """Go through a table until nothing is left to move. Yields the rows of each page; `broken` gets damaged ones."""
    while _old_rows(holding, newest).exclude(pk__in=list(broken)).exists():
        moved, last = 0, None
        while (page := _move_page(holding, keys, newest, broken, last)).last is not None:
            moved, last = moved + page.rows, page.last
            yield page.rows
        if not moved:
            time.sleep(PAUSE_S)


class Page(NamedTuple):
    """How many rows were moved together, and the last one that was looked at."""

    rows: int
    last: Any


@transaction.atomic
def _move_page(holding: Holding, keys: Keys, newest: int, broken: dict[Any, str], after: Any) -> Page:
    rows = _old_rows(holding, newest).order_by("pk")
    rows = rows if after is None else rows.filter(pk__gt=after)
    locked = list(rows.select_for_update(skip_locked=True).values("pk", holding.version, *holding.columns)[:BATCH])
    changed = [new for row in locked if (new := _renewed(holding, keys, row, broken))]
    _write(holding, newest, changed)
    return Page(len(changed), locked[-1]["pk"] if locked else None)


def _old_rows(holding: Holding, newest: int) -> QuerySet[Any]:
    manager: Any = holding.model._default_manager
    rows: QuerySet[Any] = manager.filter(holding.movable, **{f"{holding.version}__lt": newest})
    return rows


def _renewed(holding: Holding, keys: Keys, row: Row, broken: dict[Any, str]) -> Row | None:
    try:
        return holding.renewed(keys, row) | {"pk": row["pk"]}
    except VaultDamaged as error:
        broken[row["pk"]] = str(error)
        return None


def _write(holding: Holding, newest: int, rows: Sequence[Row]) -> None:
    """One statement for all rows of a page."""
    if not rows:
        return
    options = holding.model._meta
    key = options.pk
    columns = [name for name in rows[0] if name != "pk"]
    statement = sql.SQL(
        "UPDATE {table} AS t SET {version} = %s, {columns} FROM unnest(%s::{type}[], {arrays}) AS n (pk, {names})"
        " WHERE t.{key} = n.pk"
    ).format(
        table=sql.Identifier(options.db_table),
        version=sql.Identifier(holding.version),
        columns=sql.SQL(", ").join(sql.SQL("{0} = n.{0}").format(sql.Identifier(name)) for name in columns),
        type=sql.SQL("int8" if key.get_internal_type() == "BigAutoField" else "uuid"),
        arrays=sql.SQL(", ").join([sql.SQL("%s::bytea[]")] * len(columns)),
        names=sql.SQL(", ").join(map(sql.Identifier, columns)),
        key=sql.Identifier(str(key.column)),
    )
    values = [[None if row[name] is None else bytes(row[name]) for row in rows] for name in columns]
    with connection.cursor() as cursor:
        cursor.execute(statement, [newest, [row["pk"] for row in rows], *values])


def _published(keyring: Keyring) -> QuerySet[Card]:
    """The published test cards that are not under the newest key yet; their numbers are sealed nowhere."""
    old = [key for version, key in keyring.card_index.items() if version != keyring.newest_card_index]
    ids = [bytes(card_id) for card_id in TestCard.objects.values_list("card_id", flat=True)]
    return Card.objects.filter(card_index__in=[card_index(key, card_id) for key in old for card_id in ids])


@transaction.atomic
def reindex_published(keyring: Keyring) -> int:
    """Move the published test cards, whose numbers are no secret. Returns how many were moved."""
    newest = keyring.newest_card_index
    numbers = {
        card_index(key, bytes(card_id)): bytes(card_id)
        for card_id in TestCard.objects.values_list("card_id", flat=True)
        for key in keyring.card_index.values()
    }
    cards = list(_published(keyring).select_for_update())
    for card in cards:
        index = card_index(keyring.card_index[newest], numbers[bytes(card.card_index)])
        Card.objects.filter(pk=card.pk).update(card_index=index, index_version=newest)
    return len(cards)
