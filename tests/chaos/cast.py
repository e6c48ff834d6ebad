"""Who plays: residents with cards and accounts, merchants with tills, two auditors."""

import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.utils import timezone
from kanpu_pos import read_personalisation

from apps.accruals.operations.years import start_year
from apps.audit.officers import Role
from apps.audit.operations.officers import appoint_officer
from apps.merchants.operations import create_merchant, enrol_terminal
from apps.residents.operations import issue_cards, make_keys, register_residents
from apps.schemes.operations import SHIPPED, load_scheme
from bench.payouts import make_payable
from bench.rails import AUDITORS

YEAR: Final = 2017
ACTOR: Final = "chaos"
POISONED: Final = ("poison-1", "poison-2")  # the first sends rubbish, rubbish is planted in what the second sent


@dataclass(slots=True)
class Cast:
    """What the plans of shops need, and the poisoner's key. `terminals` are lists of tills, a shop each."""

    residents: list[UUID]
    cards: list[tuple[str, str, str]]
    api_key: str
    poison_key: str
    terminals: list[list[dict[str, Any]]] = field(default_factory=list)


def make_cast(folder: Path, *, residents: int, shops: int, tills: int, seed: int) -> Cast:
    """All of them, in an empty database. Of a shop's tills the last bears no seal."""
    now, drawn = timezone.now(), random.Random(seed)
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=now, actor=ACTOR)
    for year in {YEAR, now.year}:
        start_year(year, version, deadline=date(now.year + 2, 1, 1), at=now, actor=ACTOR)
    keyring, vault = Path(str(settings.KANPU_KEYRING)), Path(str(settings.KANPU_VAULT_KEYS))
    make_keys(keyring, vault_path=vault, seal_until=now + timedelta(days=30), at=now, actor=ACTOR)
    for name in AUDITORS:
        appoint_officer(
            name, add=[Role.AUDITOR], office="Tax office", password=f"{drawn.random()}", at=now, actor=ACTOR
        )
    refs = sorted(one.ref for one in register_residents([date(YEAR, 1, 1)] * residents, at=now, actor=ACTOR))
    issue_cards(folder / "cards.csv", valid_from=None, at=now, actor=ACTOR)
    make_payable(refs, drawn, most_transfers=max(residents // 4, 1))
    rows = read_personalisation(folder / "cards.csv")
    chips = [(row.resident_ref, row.card_id.hex(), row.card_key.hex()) for row in rows]
    shop, api_key = create_merchant("Shop", at=now, actor=ACTOR)
    poisoner, poison_key = create_merchant("Poisoner", at=now, actor=ACTOR)
    for code in POISONED:
        enrol_terminal(poisoner, code, at=now, actor=ACTOR)
    cast = Cast(refs, chips, api_key, poison_key)
    for number in range(shops):
        cast.terminals.append([])
        for till in range(tills):
            key = None if till == tills - 1 else Ed25519PrivateKey.generate()
            code = f"shop-{number}-{till}"
            enrol_terminal(
                shop, code, public_key=key.public_key().public_bytes_raw() if key else None, at=now, actor=ACTOR
            )
            sealing = key.private_bytes_raw().hex() if key else ""
            cast.terminals[number].append({"code": code, "number": number * tills + till, "key": sealing})
    return cast
