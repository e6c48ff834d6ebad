"""At a year's retention date its purchases are erased, with shops and times; totals, refunds and proofs stay."""

import json
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils import timezone, translation

from apps.accruals.models import ArchivePart, Entry, Withheld
from apps.accruals.operations.answering import answer
from apps.accruals.operations.archiving import archive_year
from apps.accruals.operations.counting import count_all
from apps.accruals.operations.withdrawing import PurchaseMissing, withdraw
from apps.accruals.operations.years import start_year
from apps.accruals.queries import held_of_resident
from apps.accruals.tasks import archive as archive_task
from apps.audit.models import Event
from apps.console.problems import in_words
from apps.portal.models import Account
from apps.portal.queries.years import year_page
from apps.purchases.models import Claim, Followup, Outcome, Purchase, Rejection
from apps.refunds.models import Refund
from apps.refunds.operations.erasing import RetentionNotOver, YearNotSettled, erase_due, erase_year
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.recounting import recount
from apps.refunds.queries.replays import replay
from apps.refunds.queries.statements import statement_of
from apps.schemes.document import canonical, digest
from apps.schemes.models import TaxYear
from apps.schemes.operations import shipped_schemes
from apps.schemes.queries import YearErased
from apps.schemes.retention import retention_date
from tests.integration.test_reading_back import read
from tests.judging import key, lose, on, say
from tests.till import RawTill, send, totals
from tests.world import TERMINAL, World, suspend
from tests.year_end import Died, checked, count, to_approved, to_verified

pytestmark = pytest.mark.django_db(transaction=True)
THE_DAY = date(2026, 1, 1)


@pytest.fixture
def old(world: World, till: RawTill, archive: Path) -> RawTill:
    """A year with every kind of record, approved long ago."""
    one = world.residents[0]
    wrong = till.sale(at=on(4), foood=5)
    sale = till.sale(at=on(3), reduced=110_000)
    lose(one, on(20))
    send(till, sale, wrong, till.correct(wrong, reduced=5), till.give_back(sale, reduced=1_000))
    send(
        till,
        till.sale(at=on(21), reduced=7),
        till.sale(at=on(22), reduced=8),
        till.sale(at=on(2), reduced=1, claim="A" * 43),
    )
    till.records.append({"seq": 8, "at": "some day"})
    send(till, till.records[-1])
    till.sale(world.residents[1], at=f"{timezone.now().year}-01-02T10:00:00+09:00", reduced=3)
    count(till, till.records[-1])
    say(one, 5, mine=False)
    to_approved()
    archive_year(2017, now=timezone.now())
    TaxYear.objects.filter(year=2017).update(deadline_at=datetime(2018, 3, 15, 15, tzinfo=UTC))
    return till


def erase(**options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command("erase_year", "2017", "--json", stdout=out, **options)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_before_the_date_nothing_is_erased_and_from_it_on_it_is(old: RawTill) -> None:
    with pytest.raises(RetentionNotOver, match="2026-01-01"):
        erase_year(2017, today=THE_DAY - timedelta(days=1), actor="test")
    assert erase_due(today=THE_DAY - timedelta(days=1), actor="test") == 0
    assert erase_due(today=THE_DAY, actor="test") == 6


def test_shops_and_times_are_gone_from_tables_and_files_and_totals_refunds_and_proofs_stay(
    world: World, old: RawTill, archive: Path, tmp_path: Path
) -> None:
    one = world.residents[0]
    before = totals(), list(Refund.objects.values()), statement_of(one, 2017, 1)
    assert erase(dry_run=True) == {
        "year": 2017,
        "dry_run": True,
        "purchases": 6,
        "entries": 3,
        "withheld": 2,
        "files": 1,
    }
    assert Entry.objects.filter(tax_year=2017).count() == 3
    found = erase()
    assert (found["purchases"], found["entries"], found["dry_run"]) == (6, 3, False)
    for rows in (Entry.objects.filter(tax_year=2017), Purchase.objects.filter(tax_year=2017), Withheld.objects.all(),
                 Followup.objects.all(), Claim.objects.all(), Outcome.objects.all()):  # fmt: skip
        assert not rows.exists(), rows.model
    assert list(Rejection.objects.values_list("seq", flat=True)) == [8]  # it says no time: the year it came in
    assert not list(archive.rglob("month-*"))
    assert (totals(), list(Refund.objects.values()), statement_of(one, 2017, 1)) == before
    assert checked(statement_of(one, 2017, 1), tmp_path) == 0
    assert Entry.objects.get().tax_year == timezone.now().year
    actions = Event.objects.filter(action__startswith="year.erase").order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["year.erase", "year.erased"]
    assert "seq" not in str(Event.objects.filter(action__startswith="year.erase").values_list("detail", flat=True))
    assert erase()["purchases"] == 0


def test_what_goes_by_single_purchases_says_that_they_were_erased(world: World, old: RawTill) -> None:
    one = world.residents[0]
    erase()
    version = TaxYear.objects.get(year=2017).scheme_version
    with pytest.raises(YearErased):
        replay(one, 2017)
    with pytest.raises(YearErased):
        recount(2017, version=version, actor="test", seen=lambda _: None)
    with pytest.raises(YearErased):
        freeze(2017, actor="test")
    with pytest.raises(CommandError, match="year_erased"):
        call_command("replay_refund", str(one), "2017")
    with pytest.raises(CommandError, match="year_erased"):
        call_command("restore_archive", "2017")
    with pytest.raises(CommandError, match="year_erased"):
        call_command("simulate_scheme", "it-2021", "--year", "2017")
    call_command("simulate_scheme", "jp-zero-food", "--year", "2017", stdout=StringIO())
    with pytest.raises(PurchaseMissing):
        withdraw(one, *key(2), now=timezone.now(), actor="me")
    with pytest.raises(PurchaseMissing):
        answer(one, [key(5)], confirm=True, now=timezone.now(), actor="me")
    assert held_of_resident(one, first=0, most=9) == []


def test_life_goes_on_after_it(world: World, old: RawTill, archive: Path) -> None:
    erase()
    start_year(2017, TaxYear.objects.get(year=2017).scheme_version, deadline=None, at=timezone.now(), actor="test")
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('accruals_entry_2017')")
        assert cursor.fetchone() == (None,)
    this_year = f"{timezone.now().year}-01-03T10:00:00+09:00"
    assert send(old, dict(old.records[1])) == [(2, "seq_conflict")]
    count(old, old.give_back({"seq": 2}, at=this_year, reduced=1))  # of a sale that nobody has any more
    lose(world.residents[0], on(1))
    sale = old.sale(world.residents[1], at=this_year, reduced=30)
    count(old, sale, old.give_back(sale, at=this_year, reduced=10))
    assert totals(world.residents[1])[timezone.now().year, 1, 1, "reduced"] == (23, 2)
    archive_task()
    assert not ArchivePart.objects.filter(tax_year=2017, erased_at=None).exists()


def test_a_year_that_is_not_settled_is_kept(world: World, till: RawTill) -> None:
    count(till, till.sale(at=on(3), reduced=11_000))
    TaxYear.objects.filter(year=2017).update(deadline_at=datetime(2018, 3, 15, 15, tzinfo=UTC))
    with pytest.raises(YearNotSettled):
        erase_year(2017, today=THE_DAY, actor="test")
    to_verified()
    with pytest.raises(YearNotSettled):
        erase_year(2017, today=THE_DAY, actor="test")
    assert erase_due(today=THE_DAY, actor="test") == 0


def test_a_year_with_purchases_that_wait_is_kept(world: World, old: RawTill) -> None:
    TaxYear.objects.filter(year=2017).update(deadline_at=datetime(2099, 1, 1, tzinfo=UTC))
    send(old, old.sale(at=on(3), reduced=1))
    TaxYear.objects.filter(year=2017).update(deadline_at=datetime(2018, 3, 15, 15, tzinfo=UTC))
    with pytest.raises(YearNotSettled):
        erase_year(2017, today=THE_DAY, actor="test")
    count_all()
    erase_year(2017, today=THE_DAY, actor="test")


@pytest.mark.parametrize("dies_in", ["_erase_lane", "_erase_files", "_drop", "record_event"])
def test_erasing_that_died_goes_on_where_it_stopped(
    world: World, old: RawTill, archive: Path, monkeypatch: pytest.MonkeyPatch, dies_in: str
) -> None:
    from apps.accruals.operations import erasing  # noqa: PLC0415 - to be patched

    real, calls = getattr(erasing, dies_in), []

    def dying(*arguments: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 2 or dies_in == "_erase_files":
            raise Died
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(erasing, dies_in, dying)
        with pytest.raises(Died):
            erase()
    if dies_in != "record_event":
        assert TaxYear.objects.get(year=2017).erased_at
    erase()
    assert not Entry.objects.filter(tax_year=2017).exists()
    assert not Purchase.objects.filter(tax_year=2017).exists()
    assert not Followup.objects.exists()
    assert not list(archive.rglob("month-*"))


def test_a_sale_that_was_moved_to_a_year_that_is_kept_is_kept_with_it(world: World, till: RawTill) -> None:
    one, year = world.residents[0], timezone.now().year
    moved_to = f"{year}-01-02T10:00:00+09:00"
    moved, held = till.sale(at=on(3), reduced=11_000), till.sale(world.residents[1], at=on(3), reduced=22_000)
    count(till, moved, held, till.sale(at=on(3), reduced=1))
    suspend(world.residents[1], datetime(year, 1, 1, tzinfo=UTC))
    count(till, till.correct(moved, reduced=11_000, sold_at=moved_to), till.correct(held, reduced=5, sold_at=moved_to))
    to_approved()
    TaxYear.objects.filter(year=2017).update(deadline_at=datetime(2018, 3, 15, 15, tzinfo=UTC))
    erase_year(2017, today=THE_DAY, actor="test")
    assert sorted(Purchase.objects.filter(kind="sale").values_list("seq", "tax_year")) == [(1, year), (2, year)]
    count(till, till.give_back(moved, at=moved_to, reduced=1_000))
    assert totals(one)[year, 1, 1, "reduced"] == (10_000, 1)
    assert [row.seq for row in held_of_resident(world.residents[1], first=0, most=9)] == [2]


def test_tills_find_no_record_of_the_year_any_more(world: World, web: str, old: RawTill) -> None:
    erase()
    assert [row["seq"] for row in read(web, world.api_key)] == [8, 9]


@pytest.mark.parametrize(("language", "said"), [("en", "were erased on"), ("ja", "に消去しました。")])
def test_the_pages_of_an_erased_year_say_so(world: World, web: str, old: RawTill, language: str, said: str) -> None:
    erase()
    user = User.objects.create_user("haru")
    Account.objects.create(user=user, resident_ref=world.residents[0])
    found = year_page(world.residents[0], 2017)
    assert (found.erased_at is not None, found.latest, found.spend.total_minor) == (True, (), 109_005)
    with translation.override(language):
        page = render_to_string("portal/year.html", {"found": found, "user": user}, RequestFactory().get("/"))
    assert said in page
    assert TERMINAL not in page
    with translation.override("en"):
        assert "erased at its retention date" in in_words(YearErased(""))


def test_a_scheme_says_how_long_purchases_are_kept_and_says_the_same_as_before_when_it_does_not() -> None:
    schemes = [scheme for _, scheme in shipped_schemes()]
    assert {scheme.retention_years for scheme in schemes} == {7}
    assert "retention_years" not in canonical(schemes[0]).decode()
    longer = msgspec.structs.replace(schemes[0], retention_years=10)
    assert digest(longer) != digest(schemes[0])
    assert retention_date(longer, datetime(2018, 3, 15, 15, tzinfo=UTC)) == date(2029, 1, 1)
    assert retention_date(schemes[0], datetime(2018, 12, 31, 15, tzinfo=UTC)) == date(2026, 1, 1)  # until 31 December
