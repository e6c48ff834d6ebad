"""What a database that is backed up and restored has in it, and what of it must be the same afterwards."""

import json
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from apps.accruals.operations.counting import count_all
from apps.audit.operations.sequencing import sequence, write_checkpoint
from apps.audit.outside import make_key
from tests.till import RawTill, send
from tests.world import World, build_world

SALES = 40
SUMS = {
    "purchases": "SELECT count(*), sum(amount_minor), max(seq) FROM purchases_purchase",
    "entries": "SELECT count(*), sum(amounts_minor[1]) FROM accruals_entry",
    "totals": "SELECT sum(m), count(*) FROM accruals_total, unnest(amounts_minor) AS m",
    "waiting": "SELECT count(*) FROM purchases_batch WHERE counted_at IS NULL",
    "events": "SELECT count(*) FROM audit_event",
    "log": "SELECT size FROM audit_loghead",
    "years": "SELECT json_agg(year ORDER BY year) FROM schemes_taxyear",
}


def begin(folder: Path) -> None:
    """A world in an empty database, with purchases that are counted and some that wait."""
    world = build_world(folder)
    make_key(Path(settings.KANPU_AUDIT_KEY))
    _sell(world, 0)
    count_all()
    _sell(world, 1)
    _log()
    more = [world.sale(reduced=1080, seq=SALES + 1 + number).decode() for number in range(SALES)]
    (folder / "sales.json").write_text(json.dumps({"api_key": world.api_key, "sales": more}))


def go_on() -> None:
    """More of everything after the backup."""
    count_all()
    _log()


def _sell(world: World, terminal: int) -> None:
    till = RawTill(world, ("shop-1", "rival-1")[terminal])
    for number in range(SALES):
        till.sale(world.residents[number % 2], reduced=1080 + number)
    assert send(till) == []


def _log() -> None:
    sequence()
    write_checkpoint(Path(settings.KANPU_AUDIT_LOG), Path(settings.KANPU_AUDIT_KEY), at=timezone.now())


def sums() -> dict[str, Any]:
    """What must be the same."""
    found = {}
    with connection.cursor() as cursor:
        for name, statement in SUMS.items():
            cursor.execute(statement)
            found[name] = [str(value) for value in cursor.fetchone()]
        cursor.execute("SELECT clock_timestamp()")
        found["at"] = [cursor.fetchone()[0].isoformat()]
    return found


def tell_sums() -> None:
    """Print them as JSON."""
    json.dump(sums(), sys.stdout)
