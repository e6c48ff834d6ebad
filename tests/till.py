"""A till in plain JSON, written from the protocol alone: its records, their lines, and their seal."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import connection
from django.utils import timezone

from apps.accruals.models import Total
from apps.merchants.models import Terminal
from apps.purchases.lanes import lane_of
from apps.purchases.models import Outcome
from apps.purchases.operations import accept_batch
from apps.purchases.store import Sender
from tests.world import TERMINAL, World

SECOND = "shop-2"  # another terminal of the shop, which the fixture `tills` enrols
DAY = "2017-08-03T09:30:00+09:00"
Record = dict[str, Any]
CAUSED_BY_TILLS = (
    "accruals_entry", "accruals_total", "accruals_cardcounter", "accruals_withheld", "purchases_batch",
    "purchases_purchase", "purchases_rejection", "purchases_outcome", "purchases_followup", "purchases_terminalstate",
    "purchases_seal", "purchases_closing", "purchases_claim", "audit_alarm",
)  # fmt: skip


def forget_all() -> None:
    """Empty what tills sent and what became of it."""
    with connection.cursor() as cursor:
        for table in CAUSED_BY_TILLS:
            cursor.execute(f"DELETE FROM {table}")


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def amounts_of(amounts: dict[str, int]) -> list[dict[str, Any]]:
    return [{"tier": tier, "amount": amount} for tier, amount in amounts.items()]


def line_of(record: Record) -> str:
    kind = record.get("kind", "sale")
    rest = ",".join(f"{row['tier']}={row['amount']}" for row in record.get("totals") or record.get("lines") or [])
    if kind == "closing":
        rest = f"{record['year']}:{rest}"
    if "sold_at" in record:
        rest = f"{record['sold_at']}@{rest}"
    of = f"{record['of']['terminal']}:{record['of']['seq']}" if "of" in record else "-"
    card = record.get("card") or record.get("claim") or "-"
    return "\n".join([str(record["seq"]), record["at"], kind, card, of, rest])


@dataclass(slots=True)
class RawTill:
    """One terminal's records. Each call makes the next one and remembers it."""

    world: World
    terminal: str = TERMINAL
    private_key: Ed25519PrivateKey | None = None
    records: list[Record] = field(default_factory=list)

    def sale(self, resident: UUID | None = None, *, at: str = DAY, claim: str | None = None, **amounts: int) -> Record:
        seq = self._next_seq()
        record: Record = {"seq": seq, "at": at, "lines": amounts_of(amounts)}
        if claim:
            record["claim"] = claim
        else:
            card = self.world.cards[resident or self.world.residents[0]]
            mode = "test" if resident == self.world.test_resident else "live"
            record["card"] = self.world.readers[mode].seal(card, terminal=self.terminal, seq=seq, now=datetime.now(UTC))
        return self._add(record)

    def give_back(self, sale: Record, *, terminal: str = "", at: str = DAY, **amounts: int) -> Record:
        return self._follow("return", sale, terminal, at, lines=amounts_of(amounts))

    def void(self, of: Record, *, at: str = DAY) -> Record:
        return self._follow("void", of, "", at)

    def correct(self, of: Record, *, at: str = DAY, sold_at: str | None = None, **amounts: int) -> Record:
        extra = {"sold_at": sold_at} if sold_at else {}
        return self._follow("correction", of, "", at, lines=amounts_of(amounts), **extra)

    def unused(self, *, at: str = DAY) -> Record:
        return self._add({"seq": self._next_seq(), "at": at, "kind": "unused"})

    def close(self, *, at: str = DAY, year: int = 2017, **totals: int) -> Record:
        return self._add(
            {"seq": self._next_seq(), "at": at, "kind": "closing", "year": year, "totals": amounts_of(totals)}
        )

    def batch(self, records: list[Record] | None = None) -> bytes:
        """The JSON of a batch, sealed if the till has a key: its records are then all up to the last one's number."""
        chosen = self.records if records is None else records
        content: Record = {"terminal": self.terminal, "purchases": chosen}
        if self.private_key and chosen:
            head = self.head(chosen[-1]["seq"])
            content["seal"] = {"head": b64(head), "signature": b64(self.private_key.sign(head))}
        return json.dumps(content).encode()

    def head(self, seq: int) -> bytes:
        """The digest after the till's record of that number."""
        digest = hashlib.sha256(f"kanpu chain v1\n{self.terminal}".encode()).digest()
        for record in self.records:
            if record["seq"] <= seq:
                digest = hashlib.sha256(digest + line_of(record).encode()).digest()
        return digest

    def _next_seq(self) -> int:
        return self.records[-1]["seq"] + 1 if self.records else 1

    def _follow(self, kind: str, of: Record, terminal: str, at: str, **fields: Any) -> Record:
        named = {"terminal": terminal or self.terminal, "seq": of["seq"]}
        return self._add({"seq": self._next_seq(), "at": at, "kind": kind, "of": named, **fields})

    def _add(self, record: Record) -> Record:
        self.records.append(record)
        return record


def send(till: RawTill, *records: Record, now: datetime | None = None) -> list[tuple[int | None, str]]:
    """Report records of a till (all of them by default). Returns the codes of those refused."""
    terminal = Terminal.objects.get(code=till.terminal)
    sender = Sender(lane_of(terminal.pk), terminal.pk, till.terminal, terminal.merchant_id, None, uuid4(), "")
    chosen = list(records) or till.records
    answer = accept_batch(sender, [json.dumps(record).encode() for record in chosen], now=now or timezone.now())
    return [(refusal.seq, refusal.defect.code) for refusal in answer.decided.refusals]


def totals(resident: UUID | None = None) -> dict[tuple[int, int, int, str], tuple[int, int]]:
    """(year, run, month, tier) → (amount, purchases), without those at nothing."""
    rows = Total.objects.filter(**({"resident_ref": resident} if resident else {}))
    return {
        (t.tax_year, t.run, month, t.tier): (amount, count)
        for t in rows
        for month, (amount, count) in enumerate(zip(t.amounts_minor, t.purchases, strict=True), start=1)
        if amount or count
    }


def bases(resident: UUID | None = None) -> dict[tuple[int, int, str], int]:
    """(run, month, tier) → what single purchases bring in 2017, without those at nothing."""
    rows = Total.objects.filter(tax_year=2017, **({"resident_ref": resident} if resident else {}))
    return {
        (t.run, month, t.tier): base for t in rows for month, base in enumerate(t.bases_minor or [], start=1) if base
    }


def fates() -> dict[tuple[str, int], str]:
    codes = dict(Terminal.objects.values_list("pk", "code"))
    return {
        (codes[o.terminal_id], o.seq): " ".join(filter(None, [o.status, o.code, o.value]))
        for o in Outcome.objects.all()
    }
