"""Entries as workers would have written them, for what searches them: any till, card, time and amount."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.db import connection
from django.utils import timezone
from psycopg.types.range import DateRange

from apps.inspections.operations.alarms import find_alarms
from apps.merchants.models import Merchant, Store, Terminal
from apps.residents.models import Membership, Resident

YEAR = 2017
ENTRY = """
INSERT INTO accruals_entry (at, card, counter, resident_ref, terminal_id, seq, of_terminal_id, of_seq, tax_year, run,
                            part, month, kind, tiers, amounts_minor)
VALUES (%(at)s, %(card)s, %(counter)s, %(ref)s, %(till)s, %(seq)s, %(of_till)s, %(of_seq)s, 2017, %(run)s, %(part)s,
        %(month)s, %(kind)s, %(tiers)s, %(amounts)s)
"""
TOTAL = """
INSERT INTO accruals_total (resident_ref, tax_year, run, tier, amounts_minor, purchases)
VALUES (%s, 2017, 1, 'reduced', array_fill(%s::bigint, ARRAY[12]), array_fill(1, ARRAY[12]))
"""
PURCHASE = """
INSERT INTO purchases_purchase (lane, terminal_id, seq, tax_year, batch_id, at, kind, of_terminal_id, of_seq,
                                amount_minor, line)
VALUES (%(till)s %% 64, %(till)s, %(seq)s, 2017, 1, %(at)s, %(kind)s, %(of_till)s, %(of_seq)s, %(amount)s, '')
"""


def at(text: str) -> datetime:
    """A moment in Japan, as `2017-04-03 09:30`."""
    return datetime.fromisoformat(f"{text}+09:00")


@dataclass(slots=True)
class Ledger:
    """Tills by name, and how many records each has."""

    tills: dict[str, int] = field(default_factory=dict)
    seqs: Counter[int] = field(default_factory=Counter)

    def till(self, name: str, *, place: tuple[str, str] | None = None, region: str = "", trade: str = "5611") -> int:
        """A till of that name, of a merchant of its own."""
        if name not in self.tills:
            now = timezone.now()
            merchant = Merchant.objects.create(name=name, trade=trade, created_at=now)
            store = Store.objects.create(merchant=merchant, name=name)
            latitude, longitude = (Decimal(part) for part in place) if place else (None, None)
            self.tills[name] = Terminal.objects.create(
                code=name, merchant=merchant, store=store, region=region, latitude=latitude, longitude=longitude,
                enrolled_at=now,
            ).pk  # fmt: skip
        return self.tills[name]

    def sale(
        self, who: UUID, till: int, when: datetime, amount: int = 1_234, *, tier: str = "reduced",
        by_code: bool = False, part: int = 1, run: int = 1,
    ) -> int:  # fmt: skip
        """A sale by the resident's card, or claimed by its code. Returns its number."""
        return self._entry(who, till, when, amount, tier=tier, by_code=by_code, part=part, run=run)

    def back(self, who: UUID, till: int, of_seq: int, when: datetime, amount: int, *, sold_at: datetime) -> int:
        """A return of a sale; the entry has the sale's time, the purchase its own."""
        seq = self._entry(who, till, sold_at, -amount, kind="return", of_seq=of_seq)
        values = {"till": till, "seq": seq, "at": when, "kind": "return", "of_till": till, "of_seq": of_seq}
        self._run(PURCHASE, values | {"amount": amount})
        return seq

    def spend(self, who: UUID, a_month: int) -> None:
        """What a resident spent in each month."""
        self._run(TOTAL, [who, a_month])

    def _entry(
        self, who: UUID, till: int, when: datetime, amount: int, *, tier: str = "reduced", by_code: bool = False,
        part: int = 1, run: int = 1, kind: str = "sale", of_seq: int | None = None,
    ) -> int:  # fmt: skip
        self.seqs[till] += 1
        seq = self.seqs[till]
        card = None if by_code else who.int % 1_000_000_007
        values = {"at": when, "card": card, "counter": None if by_code else seq, "ref": who, "till": till, "seq": seq}
        values |= {"of_till": till if of_seq else None, "of_seq": of_seq, "run": run, "part": part}
        month = timezone.localtime(when).month
        self._run(ENTRY, values | {"month": month, "kind": kind, "tiers": [tier], "amounts": [amount]})
        return seq

    def _run(self, statement: str, values: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)


def household(size: int) -> list[UUID]:
    """Residents who live together."""
    home, refs = uuid4(), [uuid4() for _ in range(size)]
    Resident.objects.bulk_create(Resident(ref=ref, resident_from=date(2010, 1, 1)) for ref in refs)
    Membership.objects.bulk_create(
        Membership(resident_id=ref, household_ref=home, valid=DateRange(date(2015, 1, 1), None), is_head=not place)
        for place, ref in enumerate(refs)
    )
    return refs


def looked(*codes: str, moment: datetime | None = None) -> dict[str, int]:
    """How many alarms a look raises, by rule."""
    found = find_alarms(YEAR, codes=codes, at=moment or timezone.now(), actor="test")
    return {rule.code: rule.raised for rule in found}


def run_of(ledger: Ledger, people: Sequence[UUID], till: int, start: datetime, gap_s: int) -> None:
    """One sale after another, each by another card."""
    for place, who in enumerate(people):
        ledger.sale(who, till, start + timedelta(seconds=gap_s * place), 700 + place)
