"""A small world to test in: who sells, who buys, and tills that seal as card readers do."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.utils import timezone
from kanpu_pos import Sale, SealingKey, VirtualCard, VirtualReader, read_personalisation
from psycopg.types.range import TimestamptzRange

from apps.accruals.operations.test_cards import make_test_cards
from apps.accruals.operations.years import start_year
from apps.audit.officers import AUDITORS
from apps.merchants.models import Mode
from apps.merchants.operations import create_merchant, enrol_terminal
from apps.residents.models import Card, CardSuspension, Resident
from apps.residents.models import SealingKey as PublicKey
from apps.residents.operations import issue_cards, make_keys, register_residents
from apps.schemes.operations import SHIPPED, load_scheme

YEAR = 2017
BY_PURCHASE = Path(__file__).parent / "schemes" / "by-purchase.yaml"
TERMINAL = "shop-1"
OTHER_TERMINAL = "rival-1"
TEST_TERMINAL = "test-1"


@dataclass(slots=True)
class World:
    """Two live residents, one test resident, and a card each."""

    api_key: str
    rival_key: str
    test_key: str
    residents: list[UUID]
    test_resident: UUID
    cards: dict[UUID, VirtualCard]
    readers: dict[str, VirtualReader]
    seqs: dict[str, int] = field(default_factory=dict)

    def sale(
        self,
        resident: UUID | None = None,
        *,
        reduced: int = 0,
        standard: int = 0,
        at: str = "2017-04-03T09:30:00+09:00",
        terminal: str = TERMINAL,
        mode: str = "live",
        seq: int | None = None,
    ) -> bytes:
        """The stored bytes of a sale, by default the terminal's next, sealed for it."""
        seq = seq or self.seqs.get(terminal, 0) + 1
        self.seqs[terminal] = max(seq, self.seqs.get(terminal, 0))
        card = self.cards[resident or self.residents[0]]
        token = self.readers[mode].seal(card, terminal=terminal, seq=seq, now=datetime.now(UTC))
        lines = tuple((tier, amount) for tier, amount in (("reduced", reduced), ("standard", standard)) if amount)
        return Sale(seq=seq, at=at, lines=lines, card=token).to_json()


class Made(NamedTuple):
    """What of a new world is not read from its database again: API keys, and the resident who tests with a card."""

    api_key: str
    rival_key: str
    test_key: str
    test_resident: UUID


def build_world(folder: Path) -> World:
    """The world, in an empty database; the keys and cards in `folder`."""
    return open_world(folder, make_world(folder))


def make_world(folder: Path) -> Made:
    """Make the world in an empty database, its keys and cards in `folder`; what its merchants sign in with."""
    now = timezone.now()
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=now, actor="test")
    for year in (YEAR, now.year):
        start_year(year, version, deadline=date(now.year + 2, 1, 1), at=now, actor="test")
    make_keys(
        Path(str(settings.KANPU_KEYRING)),
        vault_path=Path(str(settings.KANPU_VAULT_KEYS)),
        seal_until=now + timedelta(days=30),
        at=now,
        actor="test",
    )
    register_residents([date(2017, 1, 1)] * 2, at=now, actor="test")
    tester = register_residents([date(2017, 1, 1)], mode=Mode.TEST, at=now, actor="test")[0]
    make_test_cards(at=now, actor="test")
    issue_cards(folder / "cards.csv", valid_from=None, at=now, actor="test")
    keys = {}
    for name, mode, terminal in (
        ("Shop", Mode.LIVE, TERMINAL),
        ("Rival", Mode.LIVE, OTHER_TERMINAL),
        ("Tests", Mode.TEST, TEST_TERMINAL),
    ):
        merchant, keys[name] = create_merchant(name, mode=mode, at=now, actor="test")
        enrol_terminal(merchant, terminal, at=now, actor="test")
    return Made(keys["Shop"], keys["Rival"], keys["Tests"], tester.ref)


def open_world(folder: Path, made: Made) -> World:
    """The world that was made in the database and in `folder`, before anybody bought."""
    return World(
        **made._asdict(),
        residents=sorted(Resident.objects.filter(mode=Mode.LIVE).values_list("ref", flat=True)),
        cards={UUID(row.resident_ref): row.card() for row in read_personalisation(folder / "cards.csv")},
        readers={mode: VirtualReader([_sealing_key(mode)]) for mode in Mode.values},
    )


def _sealing_key(mode: str) -> SealingKey:
    key = PublicKey.objects.get(mode=mode)
    text = base64.urlsafe_b64encode(bytes(key.public_key)).rstrip(b"=").decode()
    return SealingKey.from_json({"id": key.pk, "public_key": text, "seal_until": key.seal_until.isoformat()})


def suspend(resident: UUID, since: datetime) -> None:
    """A resident's cards are lost from then on."""
    for card in Card.objects.filter(resident_id=resident):
        CardSuspension.objects.create(
            card=card, valid=TimestamptzRange(since, None), channel="window", reported_at=since, reported_by="test"
        )


def auditor(name: str) -> User:
    """A member of the auditors' group, made once."""
    user, _ = User.objects.get_or_create(username=name)
    user.groups.add(Group.objects.get_or_create(name=AUDITORS)[0])
    return user


def body(records: Sequence[bytes], *, terminal: str = TERMINAL) -> bytes:
    """A batch's JSON."""
    return b'{"terminal": "' + terminal.encode() + b'", "purchases": [' + b",".join(records) + b"]}"
