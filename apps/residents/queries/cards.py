"""Reading cards."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, Final

import psycopg
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from psycopg.types.range import DateRange, TimestamptzRange

from apps.kernel.arrays import bytes_array
from apps.residents.judging import CardRecord, Days, Span
from apps.residents.models import Card, CardOrder, Resident, TestCard, VaultRecord
from apps.residents.published import PUBLISHED

# Most cards were never suspended, most residents never pause and never left: those that did are looked up in indexes.
CARDS: Final = """
SELECT c.card_index, c.id, c.resident_id, r.mode, c.issuer_version, c.valid_from, c.valid_until, c.active_from,
       c.replaced_from, r.resident_from, r.resident_to,
       (SELECT array_agg(e.valid) FROM residents_earlierresidence e WHERE e.resident_id = c.resident_id),
       (SELECT array_agg(s.valid) FROM residents_cardsuspension s WHERE s.card_id = c.id),
       (SELECT array_agg(p.valid) FROM residents_recordingpause p WHERE p.resident_id = c.resident_id)
FROM residents_card c JOIN residents_resident r ON r.ref = c.resident_id
WHERE {those}
"""
BY_INDEX: Final = CARDS.format(those="c.card_index = ANY(%s::bytea[])")
BY_NUMBER: Final = CARDS.format(those="c.id = ANY(%s)")


def cards_by_index(indexes: Collection[bytes]) -> dict[bytes, CardRecord]:
    """The cards of these keyed indexes: one query."""
    return {row[0]: _record(row) for row in _rows(BY_INDEX, bytes_array(indexes))}


def cards_by_number(numbers: Collection[int]) -> dict[int, CardRecord]:
    """The cards of these numbers in the database: one query."""
    return {row[1]: _record(row) for row in _rows(BY_NUMBER, list(numbers))}


def _rows(statement: str, those: object) -> list[Any]:
    """Rows in the binary form, which costs workers half of what text does."""
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        return cursor.execute(statement, (those,), binary=True).fetchall()


def _record(row: Sequence[Any]) -> CardRecord:
    earlier, suspended, paused = row[-3:]
    if earlier or suspended or paused:
        return CardRecord._make((*row[1:-3], days_of(earlier), _spans(suspended), _spans(paused)))
    return CardRecord._make((*row[1:-3], (), (), ()))


def days_of(ranges: list[DateRange] | None) -> tuple[Days, ...]:
    """Half-open spans of days."""
    return tuple((span.lower, span.upper) for span in ranges or () if span.lower and span.upper)


def _spans(ranges: list[TimestamptzRange] | None) -> tuple[Span, ...]:
    return tuple((span.lower, span.upper) for span in ranges or () if span.lower)


def published_cards() -> list[TestCard]:
    """The published test cards, in the order in which they are explained: one query."""
    names = list(PUBLISHED)
    return sorted(TestCard.objects.all(), key=lambda card: names.index(card.name))


def known_indexes(indexes: Collection[bytes]) -> set[bytes]:
    """Those of these keyed indexes that are of a card: one query."""
    return {bytes(index) for index in Card.objects.filter(card_index__in=indexes).values_list("card_index", flat=True)}


def may_have_cards(day: date, municipality: str = "") -> QuerySet[Resident]:
    """Who is resident on a day or will be, and was not erased; of one municipality, if one is named."""
    erased = VaultRecord.objects.filter(resident=OuterRef("pk"), erased_at__isnull=False)
    residents = Resident.objects.filter(Q(resident_to=None) | Q(resident_to__gt=day)).exclude(Exists(erased))
    return residents.filter(municipality=municipality) if municipality else residents


def without_card(residents: QuerySet[Resident]) -> QuerySet[Resident]:
    """Those of them who never had a card."""
    return residents.exclude(Exists(Card.objects.filter(resident=OuterRef("pk"))))


def open_orders(residents: QuerySet[Resident]) -> QuerySet[CardOrder]:
    """Cards that were ordered for these residents and are not issued yet."""
    return CardOrder.objects.filter(card=None, cancelled_at=None, resident__in=residents)


def to_be_renewed(residents: QuerySet[Resident], *, before: datetime) -> QuerySet[Card]:
    """Cards in these residents' hands that end before a time, where no other card is ordered or waits at an office."""
    ordered = CardOrder.objects.filter(resident=OuterRef("resident"), card=None, cancelled_at=None)
    waiting = Card.objects.filter(
        resident=OuterRef("resident"), active_from=None, replaced_from=None, valid_until__gt=before
    )
    held = Card.objects.filter(
        resident__in=residents, active_from__isnull=False, replaced_from=None, valid_until__lte=before
    )
    return held.exclude(Exists(ordered)).exclude(Exists(waiting))
