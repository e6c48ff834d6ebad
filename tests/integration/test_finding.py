"""Auditors find purchases, tills, merchants and residents by filters; whom they are shown sees it."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.audit.models import AccessRecord, Event
from apps.audit.officers import Role
from apps.inspections.models import Case, SavedSearch
from apps.inspections.queries import finding_entries
from apps.inspections.queries.finding_entries import find_entries
from apps.inspections.queries.finding_others import find_residents, find_terminals
from apps.inspections.searching import (
    PurchaseSearch,
    ResidentSearch,
    SearchWrong,
    TerminalSearch,
    from_json,
)
from apps.merchants.models import Terminal
from apps.portal.models import Account
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.verifying import verify_run
from apps.residents.models import Resident
from tests.finding import YEAR, ann, bought, day
from tests.offices import signed_in, text
from tests.pages import settle
from tests.till import RawTill, send
from tests.world import OTHER_TERMINAL, TERMINAL, World

pytestmark = pytest.mark.django_db(transaction=True)


__all__ = ["ann", "bought"]  # fixtures


def sums(**filters: Any) -> list[int]:
    return [row.sum_minor for row in find_entries(PurchaseSearch(year=YEAR, **filters)).rows]


def test_filters_combine_and_the_newest_comes_first(bought: World) -> None:
    hanako, taro = bought.residents
    assert sums() == [5_000, 90_000, 3_070, 2_000, 1_000, -400] or sums() == [5_000, 90_000, 3_070, 2_000, -400, 1_000]
    assert sums(resident=taro, least_minor=3_000) == [5_000, 90_000]
    assert sums(kind="return") == [-400]
    assert sums(tier="standard") == [3_070, 2_000]
    assert sums(tier="standard", merchant="riv") == [3_070]
    assert sums(region="27") == [5_000]
    assert sums(region="27", merchant="Rival") == []
    assert sums(terminal=TERMINAL, first_seq=2, last_seq=2) == [2_000]
    assert sums(since=at(4, 1), before=at(5, 1), resident=hanako) == [3_070]
    assert sums(run=2) == []
    assert sums(least_minor=2_000, most_minor=5_000) == [5_000, 3_070, 2_000]


def at(month: int, number: int) -> datetime:
    return datetime.fromisoformat(day(month, number))


@pytest.mark.parametrize("cost", [0, 10**9])
def test_pages_follow_each_other_and_leave_nothing_out(
    bought: World, monkeypatch: pytest.MonkeyPatch, cost: int
) -> None:
    """Whether all that fits is read at once, or a stretch of time after the other."""
    monkeypatch.setattr(finding_entries, "DIRECT_COST", cost)
    monkeypatch.setattr(finding_entries, "FIRST_STRETCH_ROWS", 1)
    whole = find_entries(PurchaseSearch(year=YEAR))
    assert (len(whole.rows), whole.next, whole.number) == (6, None, 6)
    place, rows = None, list[Any]()
    while True:
        page = find_entries(PurchaseSearch(year=YEAR), place, most=1)
        rows += page.rows
        if page.next is None:
            break
        place = finding_entries.place_of_text(finding_entries.place_text(page.next))
    assert tuple(rows) == whole.rows


def test_what_few_tills_sent_is_found_by_the_key_alone(bought: World, monkeypatch: pytest.MonkeyPatch) -> None:
    searches: list[dict[str, Any]] = [
        {"merchant": "Shop"},
        {"terminal": OTHER_TERMINAL, "tier": "standard"},
        {"terminal": TERMINAL, "since": at(3, 2), "last_seq": 2},
        {"terminal": TERMINAL, "least_minor": 1_500},
    ]
    otherwise = [sums(**filters) for filters in searches]
    monkeypatch.setattr(finding_entries, "CHEAP_COST", -1)
    monkeypatch.setattr(finding_entries, "DIRECT_COST", -1)
    monkeypatch.setattr(finding_entries, "_by_stretches", None)  # the key alone answers
    assert [sums(**filters) for filters in searches] == otherwise
    shop = PurchaseSearch(year=YEAR, merchant="Shop")
    first = find_entries(shop, most=2)
    second = find_entries(shop, first.next, most=2)
    assert [row.sum_minor for row in (*first.rows, *second.rows)] == otherwise[0]
    assert otherwise[1:] == [[3_070], [2_000], [2_000]]


def test_when_time_is_up_the_next_page_goes_on_from_there(bought: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding_entries, "DIRECT_COST", 0)
    monkeypatch.setattr(finding_entries, "BUDGET_MS", 0)
    page, pages = find_entries(PurchaseSearch(year=YEAR, tier="standard")), 1
    assert page.looked_back_to
    assert page.number is None
    monkeypatch.setattr(finding_entries, "BUDGET_MS", 1_000)
    page = find_entries(PurchaseSearch(year=YEAR, tier="standard"), page.next)
    assert [row.sum_minor for row in page.rows] == [3_070, 2_000]
    assert pages == 1


def test_a_purpose_is_asked_once_and_whoever_is_shown_sees_it(bought: World, client: Client) -> None:
    ann = signed_in(Role.AUDITOR)
    asked = ann.get("/console/find/purchases", {"year": f"{YEAR}", "merchant": "Rival"})
    assert asked.status_code == 302
    assert not AccessRecord.objects.filter(what__startswith="search").exists()
    found = ann.post(asked["Location"], {"purpose": "fraud", "case": "R8-17"}, follow=True)
    assert "90,000" in text(found)
    assert "R8-17" in text(found)
    assert AccessRecord.objects.filter(what="search purchases 2017", purpose="fraud", case="R8-17").count() == 2
    event = Event.objects.get(action="search.run")
    assert event.detail == {"filters": {"year": YEAR, "merchant": "Rival"}, "case": "R8-17"}
    user = User.objects.create_user("hanako")
    Account.objects.create(user=user, resident_ref=bought.residents[0])
    client.force_login(user)
    page = text(client.get("/accesses", headers={"accept-language": "en"}))
    assert "a search among many residents" in page
    assert "A suspicion of fraud" in page


def test_only_who_is_shown_is_on_record(ann: Client, bought: World) -> None:
    ann.get("/console/find/purchases", {"year": f"{YEAR}", "region": "27"})
    refs = set(AccessRecord.objects.filter(what="search purchases 2017").values_list("resident_ref", flat=True))
    assert refs == {bought.residents[1]}


def test_where_protected_residents_shop_is_not_shown(ann: Client, bought: World) -> None:
    hanako, _ = bought.residents
    Resident.objects.filter(pk=hanako).update(is_protected=True)
    page = text(ann.get("/console/find/purchases", {"year": f"{YEAR}", "merchant": "Rival"}))
    assert str(hanako) not in page
    assert "3,070" not in page
    assert "1 entry of this page is of a protected resident" in page
    page = text(
        ann.get("/console/find/purchases", {"year": f"{YEAR}", "terminal": OTHER_TERMINAL, "resident": str(hanako)})
    )
    assert "for named officers only" in page
    assert "of a protected resident and is not shown" not in page
    rival = Terminal.objects.get(code=OTHER_TERMINAL)
    page = text(ann.get(f"/console/purchases/{rival.pk}/1"))
    assert str(hanako) not in page
    assert "of a protected resident" in page
    named = signed_in(Role.AUDITOR, Role.PROTECTED_OFFICER, name="eve")
    named.post("/console/find/purpose", {"purpose": "fraud"})
    assert str(hanako) in text(named.get("/console/find/purchases", {"year": f"{YEAR}", "merchant": "Rival"}))


def test_wrong_filters_are_said_beside_their_fields(ann: Client) -> None:
    page = text(
        ann.get("/console/find/purchases", {"year": f"{YEAR}", "least_minor": "5", "most_minor": "4", "resident": "x"})
    )
    assert "This is less than where it begins." in page
    assert 'aria-describedby="id_most_minor_error"' in page
    assert "A reference has 32 hexadecimal digits" in page
    assert "Nothing has all of this" in text(
        ann.get("/console/find/purchases", {"year": f"{YEAR}", "least_minor": f"{10**9}"})
    )


def test_tills_and_merchants_are_found_without_a_purpose(bought: World) -> None:
    ann = signed_in(Role.AUDITOR)
    assert [t.code for t in find_terminals(TerminalSearch(region="27", state="in_use")).rows] == ["osaka-1"]
    assert [t.code for t in find_terminals(TerminalSearch(merchant="shop", gaps=False, sealed=False)).rows] == [
        "osaka-1",
        TERMINAL,
    ]
    now = timezone.now()
    assert find_terminals(TerminalSearch(seen_before=now - timedelta(days=1))).rows == ()
    assert len(find_terminals(TerminalSearch(seen_since=now - timedelta(days=1))).rows) == 3
    assert "osaka-1" in text(ann.get("/console/find/terminals", {"code": "osa"}))
    page = text(ann.get("/console/find/merchants", {"name": "riv", "state": "in_use"}))
    assert "Rival" in page
    assert "Tests" not in page


def test_a_number_that_is_missing_is_a_gap(bought: World) -> None:
    till = RawTill(bought, "osaka-1")
    till.records.append({"seq": 5})
    till.sale(at=day(7, 1), reduced=10)
    till.records.pop(0)
    send(till)
    assert [t.code for t in find_terminals(TerminalSearch(gaps=True)).rows] == ["osaka-1"]


def test_residents_are_found_by_their_refunds(ann: Client, bought: World) -> None:
    settle(freeze, assess_run, verify_run)
    found = find_residents(ResidentSearch(year=YEAR)).rows
    assert [row.resident_ref for row in found] == bought.residents
    least, most = sorted(row.entitled_minor for row in found)
    (high,) = find_residents(ResidentSearch(year=YEAR, least_minor=most)).rows
    assert high.entitled_minor == most > least
    assert find_residents(ResidentSearch(year=YEAR, municipality="99")).rows == ()
    first = find_residents(ResidentSearch(year=YEAR), most=1)
    assert find_residents(ResidentSearch(year=YEAR), first.next, most=1).rows == (found[1],)
    page = text(ann.get("/console/find/residents", {"year": f"{YEAR}", "reference": str(high.resident_ref)}))
    assert f"{most:,}" in page
    assert AccessRecord.objects.get(what="search residents 2017").resident_ref == high.resident_ref


def test_from_a_refund_down_to_the_purchase_as_it_was_received(ann: Client, bought: World) -> None:
    hanako = bought.residents[0]
    page = text(ann.get(f"/console/totals/{hanako}/{YEAR}"))
    assert "jp-2015" in page
    entries = f"year={YEAR}&amp;resident={hanako}&amp;tier=reduced&amp;run=1"
    assert entries in page
    page = text(ann.get("/console/find/purchases?" + entries.replace("&amp;", "&")))
    shop = Terminal.objects.get(code=TERMINAL)
    assert f"/console/purchases/{shop.pk}/1" in page
    page = text(ann.get(f"/console/purchases/{shop.pk}/1"))
    for said in (
        "a card, whose token only workers open",
        "the terminal is not sealed",
        "−¥400",
        str(hanako),
        "counted ",
    ):
        assert said in page, said
    assert AccessRecord.objects.filter(what=f"purchase {shop.pk}/1", resident_ref=hanako).count() == 1
    assert ann.get(f"/console/purchases/{shop.pk}/999").status_code == 404


def test_a_case_is_opened_from_what_was_found(ann: Client) -> None:
    shop = Terminal.objects.get(code=TERMINAL)
    path = f"/console/purchases/{shop.pk}/1"
    form = {"subject": f"purchase:{shop.pk}/1", "next": path}
    page = text(ann.post("/console/find/case", form, follow=True))
    case = Case.objects.get()
    assert f"Case {case.pk} is open." in page
    assert ann.post("/console/find/case", {"subject": "anything"}).status_code == 400
    assert Case.objects.count() == 1


def test_searches_are_kept_shared_renamed_and_deleted(ann: Client) -> None:
    query = f"year={YEAR}&merchant=Rival&least_minor=5"
    ann.post(f"/console/find/purchases/save?{query}", {"name": "rivals"})
    saved = SavedSearch.objects.get()
    assert saved.filters == {"year": YEAR, "merchant": "Rival", "least_minor": 5}
    again = ann.post(f"/console/find/purchases/save?{query}", {"name": "rivals"})
    assert again.status_code == 400
    assert "You have a search of this name" in text(again)
    ben = signed_in(Role.AUDITOR, name="ben")
    assert ben.get(f"/console/find/saved/{saved.pk}").status_code == 404
    ann.post(f"/console/find/saved/{saved.pk}", {"name": "big rivals", "is_shared": "on"})
    assert "big rivals" in text(ben.get("/console/find/purchases"))
    assert query.split("&")[1] in ben.get(f"/console/find/saved/{saved.pk}?go")["Location"]
    assert ben.post(f"/console/find/saved/{saved.pk}", {"name": "mine now"}).status_code == 404
    assert ben.post(f"/console/find/saved/{saved.pk}/delete").status_code == 404
    assert ann.post(f"/console/find/saved/{saved.pk}/delete").status_code == 302
    assert not SavedSearch.objects.exists()


def test_a_kept_search_with_unknown_filters_is_refused_with_words(ann: Client) -> None:
    with pytest.raises(SearchWrong):
        from_json("purchases", {"year": 2017, "colour": "red"})
    now = timezone.now()
    broken = SavedSearch.objects.create(
        owner="user:ann", name="old", kind="purchases", filters={"year": "x"}, saved_at=now
    )
    assert "has filters that there are not any more" in text(ann.get(f"/console/find/saved/{broken.pk}"))
