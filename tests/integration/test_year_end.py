"""The year-end run: freeze, assess, verify, on real entries; what does not agree stops it."""

import hashlib
import json
import shutil
import threading
import time
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import duckdb
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, connections, transaction
from django.utils import timezone
from kanpu_pos import Client

from apps.accruals.models import ArchivePart, Entry, Total
from apps.accruals.operations.archiving import ArchiveConflict, archive_year
from apps.accruals.operations.counting import count_all
from apps.accruals.operations.posting import hold_years
from apps.accruals.operations.years import start_year
from apps.audit.models import Event
from apps.purchases.models import Batch
from apps.refunds.models import Refund, Run
from apps.refunds.operations.approving import approve_run, undo_step
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import OutboxNotEmpty, freeze
from apps.refunds.operations.steps import WrongState
from apps.refunds.operations.verifying import ArchiveDamaged, AssessmentsDiffer, verify_run
from apps.schemes.models import DatedRate, SchemeVersion
from apps.schemes.operations import DeadlineInvalid, YearAlreadyStarted
from apps.schemes.queries import YearNotStarted
from tests.world import TERMINAL, TEST_TERMINAL, World, auditor

pytestmark = pytest.mark.django_db(transaction=True)


def sell(web: str, world: World, *records: bytes) -> None:
    with Client(web, world.api_key, timeout_s=30) as client:
        client.report(TERMINAL, records)
    count_all()


def command(step: str, *more: str) -> dict[str, Any]:
    out = StringIO()
    call_command("year_end", "2017", step, *more, "--json", stdout=out)
    result: dict[str, Any] = json.loads(out.getvalue())
    return result


def approve() -> None:
    """Two auditors sign the newest run."""
    for name in ("ann", "ben"):
        auditor(name)
        approve_run(2017, by=name, actor="test")


def refunds(run: int) -> list[tuple[int, int, int]]:
    rows = Refund.objects.filter(run=run).order_by("resident_ref")
    return list(rows.values_list("entitled_minor", "earlier_minor", "due_minor"))


def test_a_year_from_purchases_to_agreed_refunds(world: World, web: str) -> None:
    one, two = world.residents
    sell(
        web, world,
        world.sale(one, reduced=105, at="2017-01-31T23:59:59+09:00"), world.sale(one, reduced=105, standard=900),
        world.sale(one, reduced=105), world.sale(two, reduced=1_000_000),
    )  # fmt: skip
    assert command("freeze")["state"] == "frozen"
    assert command("assess")["state"] == "assessed"
    verified = command("verify")
    assert verified["state"] == "verified"
    assert (verified["residents"], verified["refund_minor"], verified["at_cap"]) == (2, 4005, 1)
    assert (verified["verified_entries"], verified["verified_refund_minor"]) == (4, 4005)
    assert (verified["differing"], len(verified["digest"]), verified["tree_size"]) == (0, 64, 2)
    assert command("status") == verified
    assert refunds(1) == [(5, 0, 5), (4000, 0, 4000)]
    assert Refund.objects.get(resident_ref=one).spend_minor == [315, 900]
    assert [int(number) for number in Refund.objects.get(resident_ref=two).cuts] == [0, 1, 1_000_000, 220_000]
    actions = list(Event.objects.filter(action__startswith="run.").values_list("action", flat=True))
    assert actions == ["run.freeze", "run.assess", "run.verify"]


def test_the_archive_holds_references_and_amounts_and_neither_tokens_nor_cards(
    world: World, web: str, archive: Path
) -> None:
    sell(
        web,
        world,
        world.sale(reduced=100, standard=20),
        world.sale(reduced=7, at="2017-12-31T23:59:59+09:00"),
    )
    run = freeze(2017, actor="test")
    part = ArchivePart.objects.get(run=run.number)
    assert [(f["month"], f["entries"], f["amount_minor"]) for f in part.files] == [(4, 1, 120), (12, 1, 7)]
    columns = duckdb.connect().execute(f"DESCRIBE SELECT * FROM '{archive / part.files[0]['path']}'").fetchall()
    assert [column for column, *_ in columns] == [
        "resident_ref", "terminal_id", "seq", "sale_terminal_id", "sale_seq", "run", "part", "month", "sold_at",
        "tiers", "amounts_minor",
    ]  # fmt: skip


def test_parts_written_during_the_year_are_each_written_once_and_read_together(world: World, web: str) -> None:
    sell(web, world, world.sale(reduced=5500))
    assert archive_year(2017, now=timezone.now()) == 1
    first = ArchivePart.objects.get(part=1)
    sell(web, world, world.sale(reduced=5500))
    freeze(2017, actor="test")
    assess_run(2017, actor="test")
    assert verify_run(2017, actor="test").entitled_minor == 200
    assert ArchivePart.objects.get(part=1).files == first.files
    assert [part.run for part in ArchivePart.objects.order_by("part")] == [1, 1]


def test_a_part_written_anew_has_the_same_bytes(world: World, web: str, archive: Path) -> None:
    sell(web, world, *(world.sale(world.residents[n % 2], reduced=n) for n in range(1, 40)))
    freeze(2017, actor="test")
    part = ArchivePart.objects.get()
    before = part.files
    shutil.rmtree(archive)
    ArchivePart.objects.update(written_at=None, files=[])
    archive_year(2017, now=timezone.now())
    assert ArchivePart.objects.get(part=1).files == before


def test_what_comes_after_the_freeze_is_the_next_runs_difference(world: World, web: str) -> None:
    one = world.residents[0]
    sell(web, world, world.sale(one, reduced=110_000))
    freeze(2017, actor="test")
    sell(web, world, world.sale(one, reduced=55_000), world.sale(one, reduced=55_000))
    assess_run(2017, actor="test")
    verify_run(2017, actor="test")
    assert refunds(1) == [(2000, 0, 2000)]
    approve()
    freeze(2017, actor="test")
    assess_run(2017, actor="test")
    run = verify_run(2017, actor="test")
    assert refunds(2) == [(4000, 2000, 2000)]
    assert (run.number, run.verified_entries) == (2, 3)


def test_test_purchases_are_in_no_run(world: World, web: str) -> None:
    with Client(web, world.test_key, timeout_s=30) as client:
        sale = world.sale(world.test_resident, reduced=5500, terminal=TEST_TERMINAL, mode="test")
        client.report(TEST_TERMINAL, [sale])
    count_all()
    freeze(2017, actor="test")
    assess_run(2017, actor="test")
    run = verify_run(2017, actor="test")
    assert (run.residents, run.entitled_minor, run.verified_entries) == (0, 0, 0)


def test_a_planted_fault_in_one_total_stops_the_run_and_is_named(world: World, web: str) -> None:
    one, two = world.residents
    sell(web, world, world.sale(one, reduced=5500), world.sale(two, reduced=5500))
    freeze(2017, actor="test")
    Total.objects.filter(resident_ref=two).update(amounts_minor=[0, 0, 0, 5555, *[0] * 8])
    assess_run(2017, actor="test")
    with pytest.raises(AssessmentsDiffer, match=str(two)):
        verify_run(2017, actor="test")
    run = Run.objects.get()
    assert run.state == "assessed"
    assert run.differences == [
        {
            "resident_ref": str(two),
            "from_totals": 101,
            "from_archive": 100,
            "spend_from_totals": "reduced=5555",
            "spend_from_archive": "reduced=5500",
        }
    ]


def test_a_planted_fault_in_the_archive_stops_the_run(world: World, web: str, archive: Path) -> None:
    sell(web, world, world.sale(reduced=5500))
    freeze(2017, actor="test")
    assess_run(2017, actor="test")
    path = next(archive.rglob("*.parquet"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArchiveDamaged, match="not the file that was written"):
        verify_run(2017, actor="test")
    path.unlink()
    with pytest.raises(ArchiveDamaged, match="cannot be read"):
        verify_run(2017, actor="test")


def test_a_planted_fault_in_one_entry_of_the_archive_is_named_though_its_hash_fits(
    world: World, web: str, archive: Path
) -> None:
    one, two = world.residents
    sell(web, world, world.sale(one, reduced=5500), world.sale(two, reduced=5500))
    freeze(2017, actor="test")
    assess_run(2017, actor="test")
    part = ArchivePart.objects.get()
    path = archive / part.files[0]["path"]
    with duckdb.connect() as duck:
        duck.execute(f"CREATE TABLE e AS FROM '{path}'")
        duck.execute("UPDATE e SET amounts_minor = [5445] WHERE resident_ref = ?", [str(two)])
        duck.execute(f"COPY e TO '{path}' (FORMAT parquet)")
    part.files[0]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    part.save()
    with pytest.raises(AssessmentsDiffer, match="1 residents differ"):
        verify_run(2017, actor="test")
    (named,) = Run.objects.get().differences
    assert (named["resident_ref"], named["from_totals"], named["from_archive"]) == (str(two), 100, 99)
    with pytest.raises(WrongState):
        approve_run(2017, by=auditor("ann").username, actor="test")


def test_steps_out_of_order_are_refused(world: World, web: str) -> None:
    with pytest.raises(CommandError, match="run_missing"):
        command("assess")
    with pytest.raises(YearNotStarted):
        freeze(1999, actor="test")
    sell(web, world, world.sale(reduced=5500))
    freeze(2017, actor="test")
    with pytest.raises(WrongState):
        verify_run(2017, actor="test")
    with pytest.raises(WrongState):
        freeze(2017, actor="test")
    assert Run.objects.count() == 1


def test_a_freeze_does_not_leave_accepted_purchases_behind(world: World, web: str) -> None:
    with Client(web, world.api_key, timeout_s=30) as client:
        client.report(TERMINAL, [world.sale(reduced=5500)])
    with pytest.raises(OutboxNotEmpty, match="1 purchases wait"):
        freeze(2017, actor="test", drain_timeout_s=0.5)


def test_assessing_again_gives_the_same_digest(world: World, web: str) -> None:
    sell(web, world, *(world.sale(world.residents[n % 2], reduced=100 * n) for n in range(1, 30)))
    freeze(2017, actor="test")
    assess_run(2017, actor="test")
    first = verify_run(2017, actor="test").digest
    undo_step(2017, actor="test")
    undo_step(2017, actor="test")
    assert Refund.objects.count() == 0
    assess_run(2017, actor="test")
    assert verify_run(2017, actor="test").digest == first
    assert Refund.objects.count() == 2


def test_the_database_itself_refuses_what_must_not_be(world: World, web: str) -> None:
    sell(web, world, world.sale(reduced=5500))
    entry = Entry.objects.get()
    rate = DatedRate.objects.filter(tier="reduced").get()
    forbidden = [
        ("INSERT INTO accruals_entry SELECT * FROM accruals_entry WHERE seq = %s", [entry.seq]),
        ("INSERT INTO purchases_purchase SELECT * FROM purchases_purchase WHERE seq = %s", [entry.seq]),
        ("INSERT INTO schemes_datedrate (scheme_version_id, tier, valid, rate)"
         " SELECT scheme_version_id, tier, valid, 0.05 FROM schemes_datedrate WHERE id = %s", [rate.pk]),
    ]  # fmt: skip
    for statement, values in forbidden:
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, values)
    for statement in (
        "UPDATE schemes_schemeversion SET code = 'other'",
        "DELETE FROM schemes_datedrate",
        "UPDATE audit_event SET actor = 'nobody'",
        "DELETE FROM audit_event",
    ):
        with pytest.raises(Exception, match="Cannot"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert SchemeVersion.objects.count() == 1


def test_a_false_spend_stops_the_run_though_the_refund_is_the_same(world: World, web: str) -> None:
    sell(web, world, world.sale(reduced=1_000_000, standard=100))
    freeze(2017, actor="test")
    Total.objects.filter(tier="reduced").update(amounts_minor=[0, 0, 0, 300_000, *[0] * 8])
    assess_run(2017, actor="test")
    with pytest.raises(AssessmentsDiffer, match="reduced=300000"):
        verify_run(2017, actor="test")


def test_a_freeze_does_not_wait_for_what_comes_after_it_began(world: World, web: str) -> None:
    sell(web, world, world.sale(reduced=5500))
    with Client(web, world.api_key, timeout_s=30) as client:
        client.report(TERMINAL, [world.sale(reduced=1)])
    Batch.objects.filter(counted_at=None).update(received_at=timezone.now() + timedelta(minutes=1))
    assert freeze(2017, actor="test", drain_timeout_s=0.5).number == 1


def test_who_closes_a_part_is_not_starved_by_workers_that_keep_counting(world: World) -> None:
    stop = threading.Event()

    def share() -> None:
        try:
            while not stop.is_set():
                with transaction.atomic(), connection.cursor() as cursor:
                    hold_years(cursor.cursor, {2017})
                    time.sleep(0.3)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=share) for _ in range(3)]
    for thread in threads:
        thread.start()
        time.sleep(0.1)
    started = time.monotonic()
    archive_year(2017, now=timezone.now())
    waited_s = time.monotonic() - started
    stop.set()
    for thread in threads:
        thread.join()
    assert waited_s < 3


def test_a_year_can_be_started_while_others_read_and_write(world: World, web: str) -> None:
    sell(web, world, world.sale(reduced=5500))
    started = threading.Event()

    def start() -> None:
        try:
            start_year(2030, SchemeVersion.objects.get(), deadline=None, at=timezone.now(), actor="test")
            started.set()
        finally:
            connections.close_all()

    with transaction.atomic():
        assert Total.objects.exists()
        thread = threading.Thread(target=start)
        thread.start()
        assert started.wait(10)
    thread.join()
    with connection.cursor() as cursor:
        for year in (2030, 2031):
            cursor.execute(f"DROP TABLE purchases_purchase_{year}, accruals_entry_{year}, accruals_total_{year}")


def test_a_year_runs_under_one_scheme_until_one_deadline(world: World) -> None:
    version = SchemeVersion.objects.get()
    at = timezone.now()
    start_year(2017, version, deadline=None, at=at, actor="test")
    with pytest.raises(YearAlreadyStarted, match="runs under"):
        start_year(2017, version, deadline=date(2018, 3, 15), at=at, actor="test")
    with pytest.raises(DeadlineInvalid, match="before the end"):
        start_year(2019, version, deadline=date(2019, 12, 30), at=at, actor="test")


def test_an_archived_file_is_never_written_over(world: World, web: str, archive: Path) -> None:
    sell(web, world, world.sale(reduced=5500))
    in_the_way = archive / "2017/run-01/month-04-part-0001.parquet"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.write_bytes(b"evidence")
    with pytest.raises(ArchiveConflict, match="never written over"):
        archive_year(2017, now=timezone.now())
    assert in_the_way.read_bytes() == b"evidence"
    in_the_way.unlink()
    archive_year(2017, now=timezone.now())
    assert in_the_way.stat().st_mode & 0o077 == 0


def test_a_damaged_archive_is_recorded_though_the_step_fails(world: World, web: str, archive: Path) -> None:
    sell(web, world, world.sale(reduced=5500))
    freeze(2017, actor="test")
    assess_run(2017, actor="test")
    verify_run(2017, actor="test")
    next(archive.rglob("*.parquet")).unlink()
    with pytest.raises(ArchiveDamaged):
        verify_run(2017, actor="test")
    assert Event.objects.filter(action="run.archive_damaged").count() == 1
