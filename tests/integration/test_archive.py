"""The archive: each entry with the purchase it belongs to, and files that are lost or damaged written anew."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.accruals.models import ArchivePart, Entry
from apps.accruals.operations.archiving import archive_year
from apps.accruals.operations.counting import count_all
from apps.audit.models import Event
from apps.merchants.models import Terminal
from tests.till import SECOND, RawTill, send
from tests.world import TERMINAL, World

pytestmark = pytest.mark.django_db(transaction=True)
AUGUST = "2017/run-01/month-08-part-0001.parquet"
NOVEMBER = "2017/run-01/month-11-part-0001.parquet"


def restore() -> list[dict[str, Any]]:
    out = StringIO()
    call_command("restore_archive", "2017", "--json", stdout=out)
    restored: list[dict[str, Any]] = json.loads(out.getvalue())["restored"]
    return restored


@pytest.fixture
def written(world: World, tills: tuple[RawTill, RawTill], archive: Path) -> Path:
    """An archive with two months of one part, and a second part."""
    till, other = tills
    sale = till.sale(reduced=1000)
    till.sale(reduced=500, at="2017-11-03T09:30:00+09:00")
    other.give_back(sale, terminal=TERMINAL, reduced=400)
    send(till)
    send(other)
    count_all()
    archive_year(2017, now=timezone.now())
    send(till, till.sale(reduced=7))
    count_all()
    archive_year(2017, now=timezone.now())
    return archive


def test_every_entry_names_the_purchase_it_belongs_to(written: Path) -> None:
    ids = dict(Terminal.objects.values_list("code", "pk"))
    rows = duckdb.connect().execute(
        f"SELECT terminal_id, seq, sale_terminal_id, sale_seq FROM '{written / AUGUST}' ORDER BY 1, 2"
    )
    expected = [(ids[TERMINAL], 1, ids[TERMINAL], 1), (ids[SECOND], 1, ids[TERMINAL], 1)]
    assert sorted(rows.fetchall()) == sorted(expected)


def test_what_is_whole_is_left_alone(written: Path) -> None:
    assert restore() == []
    assert not Event.objects.filter(action="archive.restore").exists()


def test_lost_and_damaged_files_come_back_to_the_byte_and_the_damaged_one_is_kept(written: Path) -> None:
    before = {path: path.read_bytes() for path in written.rglob("*.parquet")}
    (written / AUGUST).write_bytes(b"scratched")
    (written / NOVEMBER).unlink()
    august, november = restore()
    assert (august["path"], august["was"]) == (AUGUST, "damaged")
    assert november == {"path": NOVEMBER, "was": "missing", "moved_to": None}
    assert {path: path.read_bytes() for path in written.rglob("*.parquet")} == before
    assert (written / august["moved_to"]).read_bytes() == b"scratched"
    assert (written / AUGUST).stat().st_mode & 0o077 == 0
    assert Event.objects.get(action="archive.restore").detail["files"] == [august, november]
    assert restore() == []


def test_entries_that_make_other_bytes_restore_nothing_of_that_part_and_leave_the_evidence(written: Path) -> None:
    (written / AUGUST).write_bytes(b"scratched")
    (written / NOVEMBER).unlink()
    (written / "2017/run-01/month-08-part-0002.parquet").unlink()
    Entry.objects.filter(amounts_minor=[1000]).update(amounts_minor=[1001])
    with pytest.raises(CommandError, match=r"archive_not_restored") as failure:
        restore()
    assert AUGUST in str(failure.value)
    assert "Restored: 2017/run-01/month-08-part-0002.parquet." in str(failure.value)
    assert (written / AUGUST).read_bytes() == b"scratched"
    assert not (written / NOVEMBER).exists()
    assert ArchivePart.objects.get(part=1).files[0]["path"] == AUGUST
