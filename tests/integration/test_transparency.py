"""What everybody may know: figures that are kept as things happen, and the table that the pages open by."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection, connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.audit.access import Access
from apps.audit.models import AccessCount
from apps.audit.officers import MAY_OPEN, Role, Thing
from apps.audit.operations import record_accesses
from apps.portal.models import Counter
from apps.portal.transparency_words import THINGS
from apps.refunds.models import Run
from apps.refunds.operations.lapsing import lapse_refunds
from apps.refunds.operations.netting import record_payments
from tests.addresses import ADDRESSES
from tests.pages import shown
from tests.till import RawTill
from tests.world import World
from tests.year_end import count, to_approved

pytestmark = pytest.mark.django_db(transaction=True)
PAGES = {  # of each thing, in the table of addresses, which test_every_url walks as every role
    Thing.PERSON: "office-person", Thing.CARDS: "office-cards", Thing.LETTERS: "office-letters",
    Thing.HOUSEHOLD: "office-household", Thing.CHOICES: "office-choices", Thing.PURCHASES: "office-purchases",
    Thing.REFUNDS: "refunds", Thing.DECISIONS: "decisions", Thing.ACCESSES: "accesses", Thing.ALARMS: "alarms",
    Thing.COUNTS: "office-counts",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    cache.clear()


def machine(client: Client, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/transparency.json{query}").json()
    return found


def look(world: World, times: int, *, office: str = "Setagaya", purpose: str = "card", days_ago: int = 0) -> None:
    for _ in range(times):
        at = timezone.now() - timedelta(days=days_ago)
        record_accesses(Access("user:ann", Role.CLERK, office, purpose), world.residents[:1], what="x", at=at)


def test_who_may_see_what_is_the_table_that_the_pages_open_by(client: Client, db: None) -> None:
    assert set(THINGS) == set(MAY_OPEN) == set(Thing)
    for thing, page in PAGES.items():
        assert ADDRESSES[page].may & {Role.CLERK, Role.HELPDESK, Role.AUDITOR, Role.OPERATOR} == MAY_OPEN[thing], thing
    assert (
        ADDRESSES["questions"].may | (ADDRESSES["office-questions"].may - {Role.PROTECTED_OFFICER})
        == MAY_OPEN[Thing.QUESTIONS]
    )
    assert machine(client)["may_open"]["cards"] == ["registry_clerk", "helpdesk"]
    page = shown(client, "/transparency")
    assert "Cards and their state, never their numbers Registry clerk · Telephone helpdesk" in page


def test_accesses_are_counted_by_office_purpose_and_month_and_few_are_not_told(client: Client, world: World) -> None:
    look(world, 7)
    look(world, 4, office="Shibuya")
    look(world, 5, purpose="a purpose that was typed")
    record_accesses(Access("resident", "resident", "", "own page"), world.residents, what="x", at=timezone.now())
    record_accesses(Access("e-mail", "system", "", "e-mail"), world.residents * 3, what="x", at=timezone.now())
    assert [(r["office"], r["purpose"], r["accesses"]) for r in machine(client)["accesses"]] == [
        ("", "e-mail", 6), ("Setagaya", "card", 7), ("Setagaya", "other", 5), ("Shibuya", "card", None),
    ]  # fmt: skip
    page = shown(client, "/transparency")
    assert "Shibuya under 5 The card" in page
    assert "Setagaya 7 The card" in page
    assert "typed" not in page
    assert "So many are delayed now, in all offices: 0" in page


def test_a_month_can_be_chosen(client: Client, world: World) -> None:
    look(world, 6, days_ago=70)
    earlier = timezone.localdate(timezone.now() - timedelta(days=70))
    assert machine(client)["accesses"] == []
    assert machine(client, f"?month={earlier:%Y-%m}")["accesses"][0]["accesses"] == 6
    for nonsense in ("2026-13", "x", "0000-01", "２０２６-01"):
        assert machine(client, f"?month={nonsense}")["month"] == f"{timezone.localdate():%Y-%m}"


def test_months_that_nobody_counted_in_do_not_fill_the_table_of_guesses(client: Client, world: World) -> None:
    look(world, 1)
    for query in ("", f"?month={timezone.localdate():%Y-%m}", "?month=0001-01", "?month=9999-12"):
        assert client.get(f"/transparency{query}").status_code == 200
    assert Counter.objects.count() == 1


def test_counting_accesses_at_the_same_time_loses_none(world: World) -> None:

    def work(_: int) -> None:
        look(world, 5)
        connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert AccessCount.objects.get().accesses == 20


def test_refunds_are_those_of_approved_runs_and_what_became_of_them(
    client: Client, till: RawTill, world: World, settings: Any, tmp_path: Path
) -> None:
    one, two = world.residents
    sale = till.sale(one, reduced=55_000)
    count(till, sale, till.sale(two, reduced=5_500))
    assert machine(client)["years"] == []
    run = to_approved()
    record_payments(run, [(one, 700), (two, 100)], at=timezone.now(), actor="test")
    count(till, till.give_back(sale, reduced=22_000))
    to_approved()
    count(till, till.sale(one, reduced=16_500))
    third = to_approved()
    costs = tmp_path / "costs.json"
    costs.write_text('{"2017": 301}')
    settings.KANPU_COSTS = costs
    cache.clear()
    (year,) = machine(client)["years"]
    assert (year["runs"], year["residents"], year["records"]) == (3, 2, third.verified_entries)
    assert (year["due_minor"], year["paid_minor"], year["netted_minor"]) == (1_000 - 400 + 300 + 100, 800, 300)
    assert (year["cost_minor"], year["cost_each_minor"]) == (301, 151)
    assert "Cost a resident ¥151" in shown(client, "/transparency")
    assert [published["run"] for published in machine(client)["published"]] == [3, 2, 1]
    assert third.root in shown(client, "/transparency")


def test_what_is_not_stated_is_said_not_to_be(client: Client, till: RawTill, settings: Any, tmp_path: Path) -> None:
    count(till, till.sale(reduced=55_000))
    to_approved()
    settings.KANPU_COSTS = tmp_path / "not-there.json"
    assert "Cost a resident not stated" in shown(client, "/transparency")


def test_the_page_takes_the_same_queries_whatever_there_is_and_none_while_it_is_kept(
    client: Client, till: RawTill, world: World
) -> None:
    def queries() -> int:
        """Those that look for figures: what was kept for all processes is a query of its own."""
        with CaptureQueriesContext(connection) as captured:
            assert client.get("/transparency").status_code == 200
        return sum(" FROM " in query["sql"] and "portal_counter" not in query["sql"] for query in captured)

    count(till, till.sale(reduced=55_000))
    to_approved()
    client.get("/transparency")
    cache.clear()
    few = queries()
    assert few <= 6
    assert queries() == 0
    AccessCount.objects.bulk_create(
        AccessCount(month=timezone.localdate().replace(day=1), office=f"Office {n}", purpose="card", accesses=n)
        for n in range(300)
    )
    cache.clear()
    assert queries() == few
    assert "101 more rows" in shown(client, "/transparency") or "100 more rows" in shown(client, "/transparency")


def test_no_figure_is_counted_over_entries_or_records(client: Client, till: RawTill) -> None:
    count(till, till.sale(reduced=55_000))
    to_approved()
    cache.clear()
    with CaptureQueriesContext(connection) as captured:
        client.get("/transparency")
    asked = " ".join(query["sql"] for query in captured)
    for table in ("accruals_", "purchases_", "refunds_refund", "refunds_settlement", "accessrecord", "residents_"):
        assert table not in asked


def test_the_page_is_everybodys_in_both_languages_and_names_what_cannot_be_seen(client: Client, db: None) -> None:
    assert "What you bought. A till reports amounts by tax tier, never goods" in shown(client, "/transparency")
    japanese = shown(client, "/transparency", language="ja")
    assert "このシステムに見えないもの" in japanese
    assert client.get("/transparency.json")["Cache-Control"] == "public, max-age=300"
    assert json.loads(client.get("/transparency.json").content)["cannot_see"]


def test_sums_of_settlements_follow_what_lapses(till: RawTill, world: World) -> None:

    count(till, till.sale(reduced=55_000))
    to_approved()
    lapse_refunds(today=date(2099, 1, 1), actor="test")
    assert Run.objects.get().lapsed_minor == 1_000
