"""The shop that a bench sells in: enrolled terminals that seal, cards to tap, and batches as they go over the wire."""

import json
import random
import secrets
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.db import transaction
from django.utils.timezone import now as current_time
from kanpu_pos import (
    Sale,
    SealingKey,
    VirtualCard,
    VirtualReader,
    digest_0,
    digests,
    from_json,
    line,
    read_personalisation,
    sign,
)
from kanpu_pos.base64url import encode

from apps.accruals.operations.years import start_year
from apps.merchants.models import Merchant
from apps.merchants.operations import create_merchant, enrol_terminal
from apps.residents.models import SealingKey as PublicKey
from apps.residents.operations import issue_cards, make_keys, register_residents
from apps.schemes.operations import SHIPPED, load_scheme

A_BATCH: Final = 100  # purchases a request
YEAR: Final = 2017
TERMINALS: Final = 200
RESIDENTS: Final = 2_000
OPENING: Final = datetime(YEAR, 1, 1, 9, tzinfo=timezone(timedelta(hours=9)))


@dataclass(slots=True)
class Shop:
    """The terminals that send: their keys, where each stands, and cards to tap."""

    api_key: str
    keys: dict[str, Ed25519PrivateKey]
    reader: VirtualReader
    cards: list[VirtualCard]
    next_seq: dict[tuple[str, str], int] = field(default_factory=dict)
    digest: dict[tuple[str, str], bytes] = field(default_factory=dict)
    sold_minor: int = 0
    drawn: random.Random = field(default_factory=lambda: random.Random(YEAR))

    def batch(self, chain: str, terminal: str, size: int, *, real: bool) -> bytes:
        """A terminal's next sealed batch as JSON, on one of its chains.

        Without `real` its tokens only look like some: accepting opens none.
        """
        place = (chain, terminal)
        first = self.next_seq.get(place, 1)
        records = [self._sale(terminal, seq, real=real) for seq in range(first, first + size)]
        start = self.digest.get(place) or digest_0(terminal)
        *_, head = digests(start, (line(from_json(record)) for record in records))
        self.next_seq[place], self.digest[place] = first + size, head
        seal = sign(self.keys[terminal], head)
        written = json.dumps({"head": encode(seal.head), "signature": encode(seal.signature)}).encode()
        return b'{"terminal": "%b", "purchases": [%b], "seal": %b}' % (terminal.encode(), b",".join(records), written)

    def _sale(self, terminal: str, seq: int, *, real: bool) -> bytes:
        amount = self.drawn.randrange(100, 9_000)
        self.sold_minor += amount
        at = OPENING + timedelta(days=self.drawn.randrange(365), seconds=self.drawn.randrange(12 * 3600))
        if real:
            card = self.drawn.choice(self.cards)
            token = self.reader.seal(card, terminal=terminal, seq=seq, now=datetime.now(UTC))
        else:
            token = "kt1." + encode(secrets.token_bytes(85))
        lines = (("reduced", amount - 40), ("standard", 40)) if seq % 3 == 0 else (("reduced", amount),)
        return Sale(seq=seq, at=at.isoformat(), lines=lines, card=token).to_json()


def open_shop(folder: Path) -> Shop:
    """Start the year, register residents, issue cards and enrol terminals; files go into a folder."""
    now = current_time()
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=now, actor="bench")
    start_year(YEAR, version, deadline=now.date() + timedelta(days=700), at=now, actor="bench")
    make_keys(
        Path(str(settings.KANPU_KEYRING)),
        vault_path=Path(str(settings.KANPU_VAULT_KEYS)),
        seal_until=now + timedelta(days=30),
        at=now,
        actor="bench",
    )
    register_residents([date(YEAR, 1, 1)] * RESIDENTS, at=now, actor="bench")
    issue_cards(folder / "cards.csv", valid_from=None, at=now, actor="bench")
    merchant, api_key = create_merchant("Bench", at=now, actor="bench")
    cards = [row.card() for row in read_personalisation(folder / "cards.csv")]
    return Shop(api_key, _terminals(merchant), VirtualReader([_sealing_key()]), cards)


@transaction.atomic
def _terminals(merchant: Merchant) -> dict[str, Ed25519PrivateKey]:
    keys: dict[str, Ed25519PrivateKey] = {}
    for _ in range(TERMINALS):
        key = Ed25519PrivateKey.generate()
        number = len(keys) + 1
        code = f"bench-{number}"
        public_key = key.public_key().public_bytes_raw()
        row = enrol_terminal(
            merchant, code, store_name=f"Store {number}", public_key=public_key, at=current_time(), actor="bench"
        )
        assert row.pk == number  # the bare view takes the terminal's number from its code
        keys[code] = key
    return keys


def _sealing_key() -> SealingKey:
    key = PublicKey.objects.get(mode="live")
    text = encode(bytes(key.public_key))
    return SealingKey.from_json({"id": key.pk, "public_key": text, "seal_until": key.seal_until.isoformat()})
