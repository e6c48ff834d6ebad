"""Reading cards."""

from collections.abc import Collection
from typing import Any, Final

from django.db import connection
from psycopg.types.range import TimestamptzRange

from apps.residents.judging import CardRecord, Span
from apps.residents.models import Resident, TestCard
from apps.residents.published import PUBLISHED

# Most cards were never suspended and most residents never pause: those that did are looked up in indexes.
CARDS: Final = """
SELECT c.card_index, c.id, c.resident_id, r.mode, c.issuer_version, c.valid_from, c.valid_until, c.active_from,
       c.replaced_from, r.resident_from, r.resident_to,
       (SELECT array_agg(s.valid) FROM residents_cardsuspension s WHERE s.card_id = c.id),
       (SELECT array_agg(p.valid) FROM residents_recordingpause p WHERE p.resident_id = c.resident_id)
FROM residents_card c JOIN residents_resident r ON r.ref = c.resident_id
WHERE {those}
"""
BY_INDEX: Final = CARDS.format(those="c.card_index = ANY(%s)")
BY_NUMBER: Final = CARDS.format(those="c.id = ANY(%s)")


def cards_by_index(indexes: Collection[bytes]) -> dict[bytes, CardRecord]:
    """The cards of these keyed indexes: one query."""
    with connection.cursor() as cursor:
        cursor.execute(BY_INDEX, [list(indexes)])
        return {bytes(row[0]): _record(*row[1:]) for row in cursor.fetchall()}


def cards_by_number(numbers: Collection[int]) -> dict[int, CardRecord]:
    """The cards of these numbers in the database: one query."""
    with connection.cursor() as cursor:
        cursor.execute(BY_NUMBER, [list(numbers)])
        return {row[1]: _record(*row[1:]) for row in cursor.fetchall()}


def _record(*row: Any) -> CardRecord:
    return CardRecord(*row[:-2], *map(_spans, row[-2:]))


def _spans(ranges: list[TimestamptzRange] | None) -> tuple[Span, ...]:
    return tuple((span.lower, span.upper) for span in ranges or () if span.lower)


def published_cards() -> list[TestCard]:
    """The published test cards, in the order in which they are explained: one query."""
    names = list(PUBLISHED)
    return sorted(TestCard.objects.all(), key=lambda card: names.index(card.name))


def residents_without_card() -> list[Resident]:
    """Residents who have no card yet."""
    return list(Resident.objects.filter(cards=None).order_by("pk"))
