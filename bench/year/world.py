"""What must be there before the first purchase: scheme, year, keys, residents with cards, merchants with tills."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Final

from django.conf import settings
from django.utils import timezone

from apps.accruals.operations.years import start_year
from apps.merchants.enrolment import NewTerminal
from apps.merchants.operations import create_merchant
from apps.merchants.operations.terminals import Enrolling, enrol_terminals
from apps.residents.operations import issue_cards, make_keys, register_residents
from apps.schemes.operations import SHIPPED, load_scheme
from bench.year.loading import terminal_key
from bench.year.sample import REGIONS, YEAR, Sample, Till, tills

ACTOR: Final = "bench"
AT_ONCE: Final = 20_000  # residents registered in a transaction


def build(sample: Sample, folder: str, *, seen: Callable[[object], None]) -> dict[str, int]:
    """Make the world. `seen` gets how many residents are registered, then how many cards are issued."""
    now = timezone.now()
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=now, actor=ACTOR)
    start_year(YEAR, version, deadline=now.date() + timedelta(days=700), at=now, actor=ACTOR)
    make_keys(
        Path(str(settings.KANPU_KEYRING)), vault_path=Path(str(settings.KANPU_VAULT_KEYS)),
        seal_until=now + timedelta(days=30), at=now, actor=ACTOR,
    )  # fmt: skip
    for first in range(0, sample.residents, AT_ONCE):
        some = min(AT_ONCE, sample.residents - first)
        register_residents([date(YEAR, 1, 1)] * some, at=now, actor=ACTOR)
        seen((first + some, 2 * sample.residents))
    made = issue_cards(
        Path(folder) / "cards.csv", valid_from=None, at=now, actor=ACTOR,
        seen=lambda done, _: seen((sample.residents + done, 2 * sample.residents)),
    )  # fmt: skip
    terminals = sum(_enrol(sample, region) for region in range(REGIONS))
    return {"cards": made.first, "terminals": terminals}


def _enrol(sample: Sample, region: int) -> int:
    """A region's merchants with all their tills."""
    now, of_region = timezone.now(), tills(sample.of_region(region), region)
    for number in sorted({till.merchant for till in of_region}):
        merchant, _ = create_merchant(f"Merchant {region}-{number + 1}", at=now, actor=ACTOR)
        own = [_terminal(sample, till) for till in of_region if till.merchant == number]
        enrol_terminals(Enrolling(merchant, with_codes=False), own, at=now, actor=ACTOR)
    return len(of_region)


def _terminal(sample: Sample, till: Till) -> NewTerminal:
    key = terminal_key(sample.seed, till.code).public_key().public_bytes_raw() if till.sealed else None
    return NewTerminal(till.code, f"Store {till.shop + 1}", public_key=key)
