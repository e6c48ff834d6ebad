"""Withdrawing a purchase, and pausing: what is erased is in no table and no file, and shops learn nothing of it."""

import json
import threading
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from apps.accruals.claims import claim_of
from apps.accruals.models import ArchivePart, CardCounter, Entry, Withheld
from apps.accruals.operations.archiving import archive_year, write_closed_parts
from apps.accruals.operations.claiming import ClaimTaken, claim_purchase
from apps.accruals.operations.counting import count_all
from apps.accruals.operations.withdrawing import PurchaseMissing, TooLateToWithdraw, withdraw
from apps.audit.models import Event
from apps.purchases.models import Outcome
from apps.refunds.operations.freezing import freeze
from apps.refunds.queries.replays import replay
from apps.residents.models import RecordingPause
from apps.residents.operations.recording import pause_recording, resume_recording
from tests.integration.test_reading_back import read
from tests.judging import august, in_thread, key, lose, on, rebuilt_alike, say
from tests.till import SECOND, RawTill, bases, fates, totals
from tests.world import TERMINAL, World
from tests.year_end import Died, count, dues, to_approved, to_verified

pytestmark = pytest.mark.django_db(transaction=True)


def take_back(resident: UUID, seq: int, terminal: str = TERMINAL) -> None:
    withdraw(resident, *key(seq, terminal), now=timezone.now(), actor="me")


def archived(archive: Path) -> list[tuple[int, int, list[int]]]:
    """(seq, sale's seq, amounts) of every entry in the archive's files, whether they are listed or not."""
    if not list(archive.rglob("*.parquet*")):
        return []
    rows = duckdb.connect().execute(
        f"SELECT seq, sale_seq, amounts_minor FROM read_parquet('{archive}/**/*.parquet*') ORDER BY ALL"
    )
    return rows.fetchall()


def restored() -> Any:
    out = StringIO()
    call_command("restore_archive", "2017", "--json", stdout=out)
    return json.loads(out.getvalue())["restored"]


def test_a_withdrawn_purchase_leaves_no_entry_and_its_returns_change_nothing_before_or_after(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, other = tills
    one = world.residents[0]
    count(till, sale := till.sale(at=on(3), reduced=1000), till.sale(at=on(4), reduced=50))
    count(other, other.give_back(sale, terminal=TERMINAL, reduced=400))
    take_back(one, 1)
    assert list(Entry.objects.values_list("seq", flat=True)) == [2]
    assert totals() == {(2017, 1, 8, "reduced"): (50, 1)}
    count(other, other.give_back(sale, terminal=TERMINAL, reduced=100))
    count(till, till.correct(sale, reduced=700, sold_at=on(9)))
    count(till, till.void(sale))
    assert totals() == {(2017, 1, 8, "reduced"): (50, 1)}
    assert list(Entry.objects.values_list("seq", flat=True)) == [2]
    assert rebuilt_alike()


def test_tills_read_the_same_as_if_it_had_not_been_withdrawn(
    world: World, web: str, tills: tuple[RawTill, RawTill]
) -> None:
    till, other = tills
    one = world.residents[0]
    count(till, sale := till.sale(at=on(3), reduced=1000), moved := till.sale(at=on(3), reduced=5))
    count(till, till.correct(moved, reduced=6, sold_at=on(4)))
    before, since = read(web, world.api_key), timezone.now()
    take_back(one, 1)
    take_back(one, 2)
    assert read(web, world.api_key) == before
    assert read(web, world.api_key, changed_after=since.isoformat()) == []
    count(till, till.give_back(sale, reduced=400), till.correct(moved, reduced=7, sold_at=on(5)))
    count(other, other.give_back(sale, terminal=TERMINAL, reduced=700))
    assert fates()[TERMINAL, 4] == fates()[TERMINAL, 5] == fates()[TERMINAL, 2] == "counted"
    assert fates()[SECOND, 1] == "rejected return_exceeds_sale reduced=600"
    count(till, till.void(sale))
    assert (fates()[TERMINAL, 1], fates()[TERMINAL, 6]) == ("voided", "counted")


def test_its_counter_stays_spent_and_no_table_tells_whose_it_was(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    one = world.residents[0]
    count(till, till.sale(at=on(3), reduced=1000))
    used = CardCounter.objects.get(resident_ref=one).used
    take_back(one, 1)
    assert CardCounter.objects.get(resident_ref=one).used == used
    assert tables_with(str(one), "accruals_total", "accruals_cardcounter") <= {
        "residents_resident", "residents_card", "audit_event", "accruals_total", "accruals_cardcounter",
    }  # fmt: skip
    event = Event.objects.get(action="purchase.withdraw")
    assert (event.subject, event.detail) == (f"resident:{one}", {})
    world.cards[one].counter -= 1
    count(till, till.sale(at=on(4), reduced=1))
    assert fates()[TERMINAL, 2] == "held card_cloned"


def tables_with(text: str, *more: str) -> set[str]:
    """The tables in which a text stands somewhere."""
    with connection.cursor() as cursor:
        found = {
            table for table in connection.introspection.table_names(cursor)
            if cursor.execute(f'SELECT FROM "{table}" AS t WHERE t::text LIKE %s LIMIT 1', [f"%{text}%"]) is None
            and cursor.fetchone() is not None
        }  # fmt: skip
    return found | set(more)


def test_only_the_residents_own_sales_are_withdrawn_and_once(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    one, two = world.residents
    count(till, sale := till.sale(at=on(3), reduced=1000), till.give_back(sale, reduced=1))
    for resident, seq in ((two, 1), (one, 2), (one, 3)):
        with pytest.raises(PurchaseMissing):
            take_back(resident, seq)
    take_back(one, 1)
    with pytest.raises(PurchaseMissing):
        take_back(one, 1)


def test_after_the_freeze_it_is_too_late_but_not_for_what_came_after_it(world: World, till: RawTill) -> None:
    one = world.residents[0]
    count(till, old := till.sale(at=on(3), reduced=11_000))
    to_approved()
    count(till, till.sale(at=on(4), reduced=22_000), till.give_back(old, reduced=1))
    with pytest.raises(TooLateToWithdraw):
        take_back(one, 1)
    take_back(one, 2)
    to_verified()
    assert dues(2)[one][2] <= 0
    assert replay(one, 2017, 1).identical
    assert replay(one, 2017, 2).identical


def test_a_held_purchase_can_be_withdrawn_and_is_never_asked_about_again(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    one = world.residents[0]
    count(till, till.sale(at=on(3), reduced=1000), till.sale(at=on(4), reduced=20))
    lose(one, on(2))
    say(one, 2, mine=True)
    take_back(one, 1)
    take_back(one, 2)
    assert not Withheld.objects.exists()
    assert not Entry.objects.exists()
    with pytest.raises(PurchaseMissing):
        say(one, 1, mine=True)
    lose(one, on(1))
    assert (totals(), fates()) == ({}, {(TERMINAL, 1): "held card_suspended", (TERMINAL, 2): "counted"})


def test_a_claimed_purchase_that_was_withdrawn_cannot_be_claimed_again(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    one, two = world.residents
    code = "0123456789ABCDEFGHJKMNPQR0"
    count(till, till.sale(at=on(21), reduced=300, claim=claim_of(code)))
    claim_purchase(one, code, now=timezone.now(), actor="me")
    take_back(one, 1)
    assert (totals(), Outcome.objects.get().status) == ({}, "counted")
    with pytest.raises(ClaimTaken):
        claim_purchase(two, code, now=timezone.now(), actor="you")
    assert not Event.objects.filter(detail__icontains=str(one)).exists()


def test_under_a_scheme_of_single_purchases_what_it_brought_is_given_up(
    world: World, by_purchase: None, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    count(till, sale := till.sale(at=on(3), reduced=500), till.sale(at=on(4), reduced=200))
    count(till, till.give_back(sale, reduced=200))
    take_back(world.residents[0], 1)
    assert (bases(), totals()[2017, 1, 8, ""]) == ({(1, 8, "reduced"): 20}, (200, 1))
    assert rebuilt_alike()


def test_what_a_return_changes_of_other_tiers_in_a_later_run_stays_when_another_purchase_is_withdrawn(
    world: World, by_purchase: None, till: RawTill
) -> None:
    """Of a purchase at its cap, the return of one tier gives the other tier more of the cap."""
    november = "2017-11-03T10:00:00+09:00"
    count(till, sale := till.sale(at=november, reduced=300, standard=900))
    to_approved()
    count(till, till.give_back(sale, reduced=200), till.sale(at=november, reduced=500))
    before = bases()
    assert before[2, 11, "standard"] == 20
    take_back(world.residents[0], 3)
    assert bases()[2, 11, "standard"] == 20
    assert rebuilt_alike()


def test_it_leaves_the_archive_too_whose_manifest_restoring_and_second_assessment_stay_right(
    world: World, till: RawTill, archive: Path
) -> None:
    one, two = world.residents
    count(till, sale := till.sale(one, at=on(3), reduced=11_000), till.sale(two, at=on(3), reduced=22_000))
    count(till, till.sale(one, at=on(3, month=5), reduced=7))
    archive_year(2017, now=timezone.now())
    count(till, till.give_back(sale, reduced=1_000))
    archive_year(2017, now=timezone.now())
    untouched = (archive / "2017/run-01/month-08-part-0001.parquet").read_bytes()
    aside = archive / "2017/run-01/month-08-part-0001.parquet.damaged-20260101T000000"
    aside.write_bytes(untouched)
    take_back(one, 1)
    take_back(one, 3)
    assert write_closed_parts(2017, now=timezone.now()) == 2
    assert archived(archive) == [(2, 2, [22_000])]
    assert [path.name for path in sorted(archive.rglob("*.parquet*"))] == ["month-08-part-0001.parquet"]
    assert restored() == []
    (archive / "2017/run-01/month-08-part-0001.parquet").unlink()
    assert len(restored()) == 1
    events = Event.objects.filter(action="archive.rewrite").order_by("pk")
    assert [(event.detail["part"], event.detail["erased"]) for event in events] == [(1, 2), (2, 1)]
    assert str(one) not in str([event.detail for event in events])
    run = to_verified()
    assert (run.differing, run.verified_entries) == (0, 1)


def test_a_freeze_writes_anew_what_was_withdrawn_from(world: World, till: RawTill, archive: Path) -> None:
    count(till, till.sale(at=on(3), reduced=11_000), till.sale(at=on(4), reduced=5))
    archive_year(2017, now=timezone.now())
    take_back(world.residents[0], 1)
    freeze(2017, actor="test")
    assert archived(archive) == [(2, 2, [5])]


def test_rewriting_that_dies_between_the_files_and_the_manifest_is_done_again(
    world: World, till: RawTill, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count(till, till.sale(at=on(3), reduced=11_000), till.sale(at=on(4), reduced=5), till.sale(at=on(5), reduced=6))
    archive_year(2017, now=timezone.now())
    take_back(world.residents[0], 1)

    def die(*_: object) -> None:
        raise Died

    with monkeypatch.context() as dying:
        dying.setattr("apps.accruals.operations.archiving._record_rewriting", die)
        with pytest.raises(Died):
            write_closed_parts(2017, now=timezone.now())
    take_back(world.residents[0], 2)
    assert restored() == []
    assert archived(archive) == [(3, 3, [6])]
    assert Event.objects.get(action="archive.rewrite").detail["erased"] == 2
    assert to_verified().differing == 0


def test_a_part_that_is_being_written_while_a_purchase_is_withdrawn_is_written_anew(
    world: World, till: RawTill, archive: Path
) -> None:
    count(till, till.sale(at=on(3), reduced=11_000), till.sale(at=on(4), reduced=5))
    archive_year(2017, now=timezone.now())
    with transaction.atomic():
        ArchivePart.objects.select_for_update().get()  # as its writer has it
        withdrawing = threading.Thread(target=in_thread(lambda: take_back(world.residents[0], 1)))
        withdrawing.start()
        withdrawing.join(0.5)
        assert withdrawing.is_alive()
    withdrawing.join()
    write_closed_parts(2017, now=timezone.now())
    assert archived(archive) == [(2, 2, [5])]


def test_what_is_bought_during_a_pause_counts_for_nothing_and_names_nobody(
    world: World, tills: tuple[RawTill, RawTill]
) -> None:
    till, _ = tills
    one = world.residents[0]
    pause_recording(one, at=datetime.fromisoformat(on(3)), actor="me")
    count(till, till.sale(at=on(2), reduced=1), till.sale(at=on(4), reduced=20))
    resume_recording(one, at=datetime.fromisoformat(on(5)), actor="me")
    count(till, till.sale(at=on(6), reduced=300))
    lose(one, on(1))
    assert (august(), fates()[TERMINAL, 2]) == (0, "rejected card_not_valid")
    assert sorted(Withheld.objects.values_list("seq", flat=True)) == [1, 3]


def test_what_was_counted_before_a_pause_was_known_is_erased(world: World, tills: tuple[RawTill, RawTill]) -> None:
    till, _ = tills
    count(till, till.sale(at=on(4), reduced=20), till.sale(at=on(2), reduced=1))
    pause_recording(world.residents[0], at=datetime.fromisoformat(on(3)), actor="me")
    count_all()
    assert (august(), list(Entry.objects.values_list("seq", flat=True))) == (1, [2])
    assert not Withheld.objects.exists()
    assert rebuilt_alike()


def test_recording_is_paused_once_and_goes_on_from_now(world: World) -> None:
    one = world.residents[0]
    resume_recording(one, at=timezone.now(), actor="me")
    assert not RecordingPause.objects.exists()
    pause = pause_recording(one, at=timezone.now(), actor="me")
    assert pause_recording(one, at=timezone.now(), actor="me") == pause
    resume_recording(one, at=timezone.now(), actor="me")
    pause.refresh_from_db()
    assert pause.valid.upper <= timezone.now()
    actions = Event.objects.filter(subject=f"resident:{one}").order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["recording.pause", "recording.resume"]


def test_a_sale_that_its_shop_moves_into_a_pause_is_erased_or_after_a_freeze_taken_back(
    world: World, till: RawTill
) -> None:
    one = world.residents[0]
    count(till, old := till.sale(at=on(1), reduced=11_000))
    to_approved()
    count(till, new := till.sale(at=on(1), reduced=20))
    pause_recording(one, at=datetime.fromisoformat(on(3)), actor="me")
    count(till, till.correct(old, reduced=11_000, sold_at=on(4)), till.correct(new, reduced=20, sold_at=on(4)))
    assert august() == 11_000
    assert totals() == {(2017, 1, 8, "reduced"): (11_000, 1), (2017, 2, 8, "reduced"): (-11_000, -1)}
    assert not Entry.objects.filter(seq=2).exists()
    assert not Withheld.objects.exists()
    assert replay(one, 2017, 1).identical
