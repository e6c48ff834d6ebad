"""Remembering sales whose resident is known and which are not counted, inside the caller's transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from django.utils import timezone

from apps.accruals.answers import ANSWERABLE
from apps.accruals.operations.posting import Holder
from apps.kernel.database import Cursor
from apps.merchants.models import Mode
from apps.purchases.following import Key
from apps.residents.operations.messages import tell


class Remembered(NamedTuple):
    """A sale that is not counted, or that its resident confirmed, at the time as which it was judged."""

    holder: Holder
    key: Key
    tax_year: int
    at: datetime
    status: str
    code: str
    answer: str = ""


REMEMBER: Final = (
    "INSERT INTO accruals_withheld (resident_ref, terminal_id, seq, tax_year, at, card, counter, status, code, answer,"
    " decided_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
    " ON CONFLICT (resident_ref, terminal_id, seq) DO UPDATE SET tax_year = excluded.tax_year, at = excluded.at,"
    " status = excluded.status, code = excluded.code, answer = excluded.answer, decided_at = excluded.decided_at"
)


def remember(cursor: Cursor, sales: Sequence[Remembered], *, now: datetime) -> None:
    """Keep these sales with their residents, by resident."""
    rows = [
        (s.holder.resident_ref, *s.key, s.tax_year, s.at, s.holder.card, s.holder.counter, s.status, s.code, s.answer,
         now)
        for s in sorted(sales, key=lambda s: (s.holder.resident_ref, s.key))
    ]  # fmt: skip
    if rows:
        cursor.executemany(REMEMBER, rows)
        _tell(sales, now)


def _tell(sales: Sequence[Remembered], now: datetime) -> None:
    """Who must say whether purchases are theirs is told so, once a day however many they are."""
    asked = {
        s.holder.resident_ref
        for s in sales
        if s.status == "held" and s.code in ANSWERABLE and not s.answer and s.holder.mode == Mode.LIVE
    }
    tell(sorted(asked), "held_purchases", at=now, once=f"{timezone.localdate(now)}")


def forget(cursor: Cursor, sales: Sequence[Key]) -> None:
    """Forget what was remembered of these sales: they are counted, or gone."""
    if sales:
        cursor.executemany("DELETE FROM accruals_withheld WHERE terminal_id = %s AND seq = %s", sorted(sales))
