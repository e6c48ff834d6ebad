"""Offices: who opens whom, what is on record before anything is shown, and who is told nothing."""

import json
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.utils import timezone
from psycopg.types.range import DateRange

from apps.audit.models import AccessRecord, Alarm, Event
from apps.audit.officers import Role
from apps.audit.operations.openings import MISSES_A_DAY
from apps.residents.models import (
    Card,
    CardOrder,
    Membership,
    RegisterEvent,
    Resident,
)
from apps.residents.operations import register_residents
from apps.residents.operations.card_life import order_card
from tests.offices import (
    BORN,
    CODE,
    HANAKO,
    HOME,
    NUMBER,
    OFFICE,
    OTHER_NUMBER,
    PAGES,
    SECRETS,
    identify,
    letter,
    officer,
    open_resident,
    sent,
    signed_in,
    text,
)
from tests.pages import queries_of, shown
from tests.world import World

# --- opening ---


def test_a_clerk_opens_a_resident_by_exact_number_and_birth_date_and_sees_every_form_of_the_name(ref: UUID) -> None:
    client = signed_in(Role.CLERK)
    opened = open_resident(client, case="2026-15")
    assert opened["Location"] == f"/office/resident/{ref}/person"
    page = shown(client, opened["Location"])
    for name in (HANAKO.name, HANAKO.name_kana, HANAKO.name_latin, HANAKO.name_alias, HANAKO.former_name):
        assert name in page
    assert HOME.address in page
    assert "Feb. 29, 1984" in page
    assert "The card" in page
    assert "case 2026-15" in page
    assert NUMBER not in page
    assert CODE not in page
    found = AccessRecord.objects.order_by("pk").values_list("what", "actor", "role", "office", "purpose", "case")
    assert list(found) == [
        ("vault:person", "user:ann", "registry_clerk", OFFICE, "card", "2026-15"),
        ("vault:person,address", "user:ann", "registry_clerk", OFFICE, "card", "2026-15"),
    ]


@pytest.mark.parametrize("typed", ["9832-0567-3214", "９８３２０５６７３２１４", " 983205673214 "])
def test_a_number_may_be_grouped_or_full_width(ref: UUID, typed: str) -> None:
    assert open_resident(signed_in(Role.CLERK), number=typed).status_code == 302


def test_a_resident_is_opened_by_the_code_as_well_and_with_a_purpose_of_ones_own(ref: UUID) -> None:
    client = signed_in(Role.CLERK)
    response = open_resident(client, number="", code=CODE, purpose="other", text="The family court asks")
    assert response.status_code == 302
    assert AccessRecord.objects.get().purpose == "The family court asks"


def test_who_opens_says_for_what_and_gives_one_of_number_and_code(ref: UUID) -> None:
    client = signed_in(Role.CLERK)
    assert "This field is required." in text(open_resident(client, purpose=""))
    assert "Say which purpose." in text(open_resident(client, purpose="other"))
    assert "one of them" in text(open_resident(client, code=CODE))
    assert "one of them" in text(open_resident(client, number=""))
    assert "This is no individual number" in text(open_resident(client, number="983205673215"))
    assert "A resident code has 11 digits." in text(open_resident(client, number="", code="123"))
    assert "This day has not come yet." in text(open_resident(client, birth_date=date(2200, 1, 1)))
    assert not AccessRecord.objects.exists()
    assert not Event.objects.filter(action="resident.seek").exists()  # what is wrong by its form is no guess


def test_a_miss_tells_only_that_nothing_matches(ref: UUID) -> None:
    client = signed_in(Role.CLERK)
    nobody = text(open_resident(client, number=OTHER_NUMBER))
    wrong_day = text(open_resident(client, birth_date=BORN + timedelta(days=1)))
    assert "Nobody is registered under these particulars." in nobody
    for page in (nobody, wrong_day):
        for secret in (*SECRETS, OTHER_NUMBER):
            assert secret not in page
    assert _but_what_was_typed(nobody) == _but_what_was_typed(wrong_day)
    assert AccessRecord.objects.get().resident_ref == ref  # the resident sees that somebody tried
    assert "opened" not in client.session


def _but_what_was_typed(page: str) -> list[str]:
    """The page without the day that was typed and the form's own token."""
    return [line for line in page.splitlines() if "csrfmiddlewaretoken" not in line and "birth_date" not in line]


def test_nothing_that_a_resident_is_found_by_stays_in_the_session(ref: UUID) -> None:
    client = signed_in(Role.CLERK)
    open_resident(client)
    client.get(f"/office/resident/{ref}/person")
    kept = json.dumps(Session.objects.get().get_decoded())
    assert str(ref) in kept
    for secret in (*SECRETS, "1984"):
        assert secret not in kept


def test_a_guesser_is_stopped_after_ten_misses_in_a_day_with_an_alarm(ref: UUID) -> None:
    client = signed_in(Role.HELPDESK)
    assert open_resident(client).status_code == 302  # who is found is no miss
    for _ in range(MISSES_A_DAY):
        assert "Nobody is registered" in text(open_resident(client, birth_date=date(1980, 1, 1)))
    assert not Alarm.objects.exists()
    for _ in range(2):
        assert "Too many particulars belonged to nobody." in text(open_resident(client))
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.detail["actor"], alarm.detail["office"]) == ("register_guessing", "user:ann", OFFICE)
    assert open_resident(signed_in(Role.HELPDESK, name="ben")).status_code == 302
    with connection.cursor() as cursor:  # a day later
        cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER USER")
        cursor.execute("UPDATE audit_event SET at = at - interval '25 hours' WHERE actor = 'user:ann'")
        cursor.execute("ALTER TABLE audit_event ENABLE TRIGGER USER")
    assert open_resident(client).status_code == 302


def test_a_resident_stays_open_for_a_quarter_of_an_hour_and_can_be_closed_before(ref: UUID) -> None:
    client = signed_in(Role.CLERK)
    cards = f"/office/resident/{ref}/cards"
    assert "Open the resident first" in sent_to(client, cards)
    open_resident(client)
    assert client.get(cards).status_code == 200
    assert "The resident is closed." in sent(client, f"/office/resident/{ref}/close")
    assert client.get(cards)["Location"] == "/office/open"
    open_resident(client)
    session = client.session
    session["opened"][str(ref)][-1] = timezone.now().isoformat()
    session.save()
    assert client.get(cards)["Location"] == "/office/open"
    assert AccessRecord.objects.filter(what="page:cards").count() == 1


def sent_to(client: Client, path: str) -> str:
    return text(client.get(path, follow=True))


def test_what_one_opened_another_has_not(ref: UUID) -> None:
    open_resident(signed_in(Role.CLERK))
    assert signed_in(Role.CLERK, name="ben").get(f"/office/resident/{ref}/person")["Location"] == "/office/open"


def test_what_the_helpdesk_opened_stays_shut_after_a_change_of_roles(ref: UUID) -> None:
    client = signed_in(Role.HELPDESK)
    open_resident(client)
    officer("ann", Role.CLERK)
    assert client.get(f"/office/resident/{ref}/person")["Location"] == "/office/open"


# --- on record before it is shown ---


def test_each_page_of_a_resident_is_on_record(ref: UUID) -> None:
    client = signed_in(Role.CLERK)
    open_resident(client)
    card = Card.objects.get(resident=ref)
    for page in (*PAGES, f"cards/{card.pk}/hand-over"):
        assert client.get(f"/office/resident/{ref}/{page}").status_code == 200
    assert list(AccessRecord.objects.order_by("pk").values_list("what", flat=True)) == [
        "vault:person", "vault:person,address", "page:cards", "page:letters", "page:purchases",
        "page:household", "page:choices", "page:account", "page:acting", "vault:person",
    ]  # fmt: skip


@pytest.fixture
def no_records(ref: UUID) -> Any:
    """No access can be written down any more."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_accessrecord ADD CONSTRAINT refused CHECK (id < 0) NOT VALID")
    yield
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_accessrecord DROP CONSTRAINT refused")


@pytest.mark.parametrize("page", [*PAGES, "cards/{card}/hand-over"])
def test_what_cannot_be_put_on_record_is_not_shown(ref: UUID, page: str, request: pytest.FixtureRequest) -> None:
    client = signed_in(Role.CLERK)
    client.raise_request_exception = False
    open_resident(client)
    request.getfixturevalue("no_records")
    response = client.get(f"/office/resident/{ref}/{page.format(card=Card.objects.get(resident=ref).pk)}")
    assert response.status_code == 500
    for secret in SECRETS:
        assert secret not in text(response)


def test_nobody_is_found_while_accesses_cannot_be_put_on_record(ref: UUID, no_records: None) -> None:
    client = signed_in(Role.CLERK)
    client.raise_request_exception = False
    assert open_resident(client).status_code == 500
    assert "opened" not in client.session


# --- the least that each role needs ---


def test_the_helpdesk_sees_how_cards_and_letters_stand_and_nothing_else(ref: UUID) -> None:
    client = signed_in(Role.HELPDESK)
    letter(ref)
    order_card(ref, reason=CardOrder.Reason.DAMAGED, at=timezone.now(), actor="test")
    assert open_resident(client)["Location"] == f"/office/resident/{ref}/cards"
    page = shown(client, f"/office/resident/{ref}/cards") + shown(client, f"/office/resident/{ref}/letters")
    assert "Issued, not handed over" in page
    assert "Another card was ordered" in page
    assert "Its code can be used until" in page
    for secret in (*SECRETS, "Hand it over", "came back"):
        assert secret not in page
    for path in ("person", "purchases", "household", "choices", "proxies"):
        assert client.get(f"/office/resident/{ref}/{path}").status_code == 404
    resume = f"cards/{Card.objects.get(resident=ref).pk}/resume"
    acts = ("cards/suspend", "cards/order", "choices/pause", "purchases/answer", "proxies/name", "consent", resume)
    for act in acts:
        assert client.post(f"/office/resident/{ref}/{act}", {"channel": "window"}).status_code == 404


def test_a_protected_resident_is_opened_by_named_officers_only_and_who_tried_is_on_record(ref: UUID) -> None:
    Resident.objects.filter(pk=ref).update(is_protected=True)
    client = signed_in(Role.CLERK)
    page = client.get(open_resident(client)["Location"])
    assert page.status_code == 403
    assert "A named officer is needed" in text(page)
    card = Card.objects.get(resident=ref)
    for path in (*PAGES, f"cards/{card.pk}/hand-over"):
        refused = text(client.get(f"/office/resident/{ref}/{path}"))
        assert "A named officer is needed" in refused
        for secret in SECRETS:
            assert secret not in refused
    assert "A named officer is needed" in sent(client, f"/office/resident/{ref}/cards/order", reason="lost")
    assert set(AccessRecord.objects.values_list("what", flat=True)) == {"vault:person", "refused: protected"}
    officer("ann", Role.PROTECTED_OFFICER)
    assert HOME.address in shown(client, f"/office/resident/{ref}/person")


def test_of_a_household_only_the_own_stay_and_how_many_others_there_are_is_shown(ref: UUID, world: World) -> None:
    household, start = world.residents[1], date(2020, 4, 1)
    others = register_residents([date(2017, 1, 1)] * 2, at=timezone.now(), actor="test")
    for resident in (ref, *(other.ref for other in others)):
        Membership.objects.create(
            resident_id=resident, household_ref=household, valid=DateRange(start, None), is_head=resident == ref
        )
    RegisterEvent.objects.create(
        resident_id=ref, kind="marriage", effective_date=start, recorded_at=timezone.now(), actor="test"
    )
    client = signed_in(Role.CLERK)
    open_resident(client)
    page = shown(client, f"/office/resident/{ref}/household")
    assert "From April 1, 2020 on head of the household · 2 other members" in page
    assert "April 1, 2020 marriage" in page
    for other in (*others, household):
        assert str(other) not in page


# --- what pages cost ---


def test_pages_of_offices_cost_the_same_for_any_number_of_rows(ref: UUID, world: World) -> None:
    clerk, operator, auditor = (signed_in(role, name=role) for role in (Role.CLERK, Role.OPERATOR, Role.AUDITOR))
    few, many = ref, world.residents[1]
    now = timezone.now()
    for number in range(20):
        letter(many, code_hash=bytes([number]) * 32, spent_at=now)
        start = date(2018, 1 + number % 12, 1 + number)
        RegisterEvent.objects.create(resident_id=many, kind="name", effective_date=start, recorded_at=now, actor="x")
    costs = []
    for who in (few, many):
        identify(who)
        open_resident(clerk)
        costs.append({page: queries_of(clerk, f"/office/resident/{who}/{page}") for page in PAGES})
    assert costs[0] == costs[1]
    assert costs[0] == {
        "person": 13, "cards": 13, "letters": 11, "purchases": 20, "household": 13, "choices": 11, "account": 11,
        "proxies": 16,
    }  # fmt: skip
    card = Card.objects.get(resident=few)
    assert queries_of(clerk, f"/office/resident/{few}/cards/{card.pk}/hand-over") == 15
    for path in ("", "open", "lost", "returned", "import", "password"):
        assert queries_of(clerk, f"/office/{path}") == 3, path
    assert queries_of(auditor, f"/console/purpose/{few}") == 3
    assert queries_of(operator, "/office/counts") == 9
    assert queries_of(auditor, "/console/accesses") == 4
    assert queries_of(auditor, f"/console/accesses?actor=user:{Role.CLERK}") == 5
