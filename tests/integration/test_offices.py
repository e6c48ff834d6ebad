"""Offices: who opens whom, what is on record before anything is shown, and who is told nothing."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from psycopg.types.range import DateRange

from apps.audit.models import AccessRecord, Alarm, Event
from apps.audit.officers import Role, standing_of
from apps.audit.operations.openings import MISSES_A_DAY, OPENED_A_DAY
from apps.residents.models import (
    Card,
    CardOrder,
    CardSuspension,
    HandOver,
    Membership,
    Notice,
    RecordingPause,
    RegisterEvent,
    Resident,
)
from apps.residents.notice_codes import notice_number
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
    PASSWORD,
    SECRETS,
    identify,
    officer,
    open_resident,
)
from tests.pages import queries_of, shown, state_purpose
from tests.till import RawTill
from tests.world import TERMINAL, YEAR, World
from tests.year_end import count, to_verified

Page = Callable[..., str]


@pytest.fixture
def ref(world: World) -> UUID:
    """Hanako, with a card that waits to be handed over."""
    identify(world.residents[0])
    Card.objects.filter(resident=world.residents[0]).update(active_from=None)
    return world.residents[0]


def signed_in(*roles: Role, name: str = "ann") -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(officer(name, *roles))
    return client


def text(response: Any) -> str:
    page: str = response.content.decode()
    return page.replace("&#x27;", "'")


def sent(client: Client, path: str, **form: Any) -> str:
    """The page that a form leads to."""
    return text(client.post(path, form, follow=True))


def letter(ref: UUID, **more: Any) -> Notice:
    now = timezone.now()
    defaults = {"code_hash": b"c" * 32, "file": "x.pdf", "created_at": now, "printed_at": now}
    return Notice.objects.create(resident_id=ref, expires_at=now + timedelta(days=60), **(defaults | more))


def suspension_of(ref: UUID) -> CardSuspension:
    return CardSuspension.objects.get(card__resident=ref)


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

PAGES = ("person", "cards", "letters", "purchases", "household", "choices")


def test_each_page_of_a_resident_is_on_record(ref: UUID) -> None:
    client = signed_in(Role.CLERK)
    open_resident(client)
    card = Card.objects.get(resident=ref)
    for page in (*PAGES, f"cards/{card.pk}/hand-over"):
        assert client.get(f"/office/resident/{ref}/{page}").status_code == 200
    assert list(AccessRecord.objects.order_by("pk").values_list("what", flat=True)) == [
        "vault:person", "vault:person,address", "page:cards", "page:letters", "page:purchases",
        "page:household", "page:choices", "vault:person",
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
    for path in ("person", "purchases", "household", "choices"):
        assert client.get(f"/office/resident/{ref}/{path}").status_code == 404
    resume = f"cards/{Card.objects.get(resident=ref).pk}/resume"
    for act in ("cards/suspend", "cards/order", "choices/pause", "purchases/answer", resume):
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


# --- what is done at a window ---


def test_a_card_is_handed_over_after_documents_were_checked_and_the_clerk_is_on_record(ref: UUID) -> None:
    client = signed_in(Role.CLERK)
    open_resident(client)
    card = Card.objects.get(resident=ref)
    path = f"/office/resident/{ref}/cards/{card.pk}/hand-over"
    assert HANAKO.name in shown(client, path)
    for too_few in ({}, {"others": ["pension"]}, {"photo": ["library_card"]}):
        assert client.post(path, too_few).status_code == 200
    assert "Check one document with a photo, or two others." in text(client.post(path, {"others": ["pension"]}))
    assert not HandOver.objects.exists()
    assert "The card is handed over" in sent(client, path, others=["pension", "student_card"])
    handed = HandOver.objects.get()
    assert (handed.actor, handed.office, handed.documents) == ("user:ann", OFFICE, ["pension", "student_card"])
    card.refresh_from_db()
    assert card.active_from is not None
    assert "no such card" in sent(client, path, photo=["passport"]).replace("There is no", "no")
    assert HandOver.objects.count() == 1


def test_nothing_is_done_to_a_card_or_a_letter_of_somebody_else(ref: UUID, world: World) -> None:
    other = world.residents[1]
    theirs, their_letter = Card.objects.get(resident=other), letter(other)
    Card.objects.filter(pk=theirs.pk).update(active_from=None)
    client = signed_in(Role.CLERK)
    open_resident(client)
    cards = f"/office/resident/{ref}/cards/{theirs.pk}"
    assert "no such card" in sent(client, f"{cards}/hand-over", photo=["passport"])
    CardSuspension.objects.create(
        card=theirs, valid=(timezone.now(), None), channel="phone", reported_at=timezone.now(), reported_by="x"
    )
    assert "no such card" in sent(client, f"{cards}/resume")
    assert "No letter was printed" in sent(client, f"/office/resident/{ref}/letters/{their_letter.pk}/returned")
    their_letter.refresh_from_db()
    assert their_letter.returned_at is None
    assert suspension_of(other).lifted_at is None
    assert not HandOver.objects.exists()


def test_a_card_is_suspended_resumed_and_ordered_at_a_window_or_by_letter_on_record(ref: UUID) -> None:
    Card.objects.filter(resident=ref).update(active_from=datetime(2025, 12, 1, tzinfo=UTC))
    client, cards = signed_in(Role.CLERK), f"/office/resident/{ref}/cards"
    open_resident(client)
    tomorrow = (timezone.localtime() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    assert "This time has not come yet." in sent(client, f"{cards}/suspend", lost_since=tomorrow, channel="window")
    assert "Select a valid choice" in sent(client, f"{cards}/suspend", lost_since="2026-01-05T09:30", channel="phone")
    assert not CardSuspension.objects.filter(card__resident=ref).exists()
    page = sent(client, f"{cards}/suspend", lost_since="2026-01-05T09:30", channel="letter")
    assert "The card is suspended." in page
    assert "by letter" in page
    suspension = suspension_of(ref)
    assert (suspension.channel, suspension.reported_by) == ("letter", "user:ann")
    assert suspension.valid.lower.isoformat() == "2026-01-05T00:30:00+00:00"
    assert "Another card is ordered." in sent(client, f"{cards}/order", reason="lost", channel="window")
    assert "The card is good again." in sent(client, f"{cards}/{suspension.card_id}/resume")
    assert "The card is not suspended." in sent(client, f"{cards}/{suspension.card_id}/resume")
    acts = Event.objects.filter(action="office.act").order_by("pk").values_list("actor", "detail", flat=False)
    assert [(actor, *detail.values()) for actor, detail in acts] == [
        ("user:ann", "card.suspend", OFFICE, "letter"),
        ("user:ann", "card.order", OFFICE, "window"),
        ("user:ann", "card.resume", OFFICE, "window"),
    ]


def test_recording_is_paused_and_resumed_for_a_resident_on_record(ref: UUID) -> None:
    client, choices = signed_in(Role.CLERK), f"/office/resident/{ref}/choices"
    open_resident(client)
    assert "Purchases are not recorded since" in sent(client, f"{choices}/pause", channel="letter")
    assert RecordingPause.objects.get().valid.upper is None
    assert "Purchases are recorded again." in sent(client, f"{choices}/unpause", channel="window")
    assert RecordingPause.objects.get().valid.upper is not None
    acts = Event.objects.filter(action="office.act").values_list("detail__act", "detail__channel")
    assert set(acts) == {("recording.pause", "letter"), ("recording.resume", "window")}


def test_a_letter_that_came_back_is_recorded_by_its_number_and_its_code_is_void(ref: UUID) -> None:
    came_back, unprinted = letter(ref), letter(ref, code_hash=b"d" * 32, printed_at=None, spent_at=timezone.now())
    client = signed_in(Role.OPERATOR)
    mistyped = came_back.number[:-1] + str((int(came_back.number[-1]) + 1) % 10)
    for number in (notice_number(came_back.pk + 1000), unprinted.number, came_back.pk, mistyped, "9" * 40, "x"):
        assert "No letter was printed under this number." in sent(client, "/office/returned", number=number)
    asked = sent(client, "/office/returned", number=came_back.number)
    assert "It was printed on" in asked
    assert f"Letter {came_back.number} came back?" in asked
    assert str(ref) not in asked
    came_back.refresh_from_db()
    assert came_back.returned_at is None
    assert "Its code is void." in sent(client, "/office/returned", number=came_back.number, confirmed=1)
    came_back.refresh_from_db()
    assert came_back.returned_by == "user:ann"
    assert came_back.spent_at == came_back.returned_at
    assert "It is on record already" in sent(client, "/office/returned", number=came_back.number, confirmed=1)
    assert Event.objects.get(action="notice.return").detail == {"notice": came_back.pk, "office": OFFICE}


def test_a_lost_card_is_suspended_by_telephone_and_nothing_is_shown(ref: UUID) -> None:
    Card.objects.filter(resident=ref).update(active_from=timezone.now() - timedelta(days=30))
    client = signed_in(Role.HELPDESK)
    assert timezone.localtime().strftime("%Y-%m-%dT%H") in text(client.get("/office/lost"))
    call = {"name": "よしだ はなこ", "birth_date": BORN.isoformat(), "lost_since": "2026-01-05T09:30"}
    missed = sent(client, "/office/lost", **call, address="100-0001")
    assert "No card was suspended." in missed
    page = sent(client, "/office/lost", **call, address="154-0017")
    assert "A card was suspended." in page
    suspension = suspension_of(ref)
    assert (suspension.channel, suspension.reported_by) == ("phone", "user:ann")
    for secret in (*SECRETS, str(ref)):
        assert secret not in page
        assert secret not in missed
    assert {record.purpose for record in AccessRecord.objects.all()} == {"lost_card"}
    assert "This time has not come yet." in sent(
        client, "/office/lost", **(call | {"lost_since": "2200-01-01T00:00"}), address="154-0017"
    )


# --- the register's file ---

HEADER = "個人番号,氏名,氏名カナ,生年月日,住民となった日,世帯番号,世帯主,郵便番号,住所"
GOOD_ROW = f"{OTHER_NUMBER},髙橋 太郎,タカハシ タロウ,1980-01-02,2020-04-01,H1,1,154-0017,東京都世田谷区世田谷4-21-27"
BAD_ROWS = (GOOD_ROW.replace(OTHER_NUMBER, "123456789012"), GOOD_ROW.replace("1980-01-02", "yesterday"), "1,2")


def upload(client: Client, content: str, *, how: str = "try", encoding: str = "utf-8", **more: str) -> str:
    file = SimpleUploadedFile("register.csv", content.encode(encoding))
    form = {"file": file, "how": how, "as_of": "2026-01-05", **more}
    return " ".join(text(client.post("/office/import", form)).split())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932"])
def test_a_clerk_tries_a_file_before_it_is_taken_and_is_told_which_rows_are_wrong(world: World, encoding: str) -> None:
    client, before = signed_in(Role.CLERK), Resident.objects.count()
    table = "\r\n".join([HEADER, BAD_ROWS[0], GOOD_ROW, *BAD_ROWS[1:]])
    tried = upload(client, table, encoding=encoding)
    assert "The file was checked; nothing was changed." in tried
    assert "1 row is right. 3 rows are wrong." in tried
    assert 'line 2</th><td role="cell" class="corner"><code>individual_number</code>' in tried
    assert "The check digit is wrong" in tried
    assert 'line 4</th><td role="cell" class="corner"><code>birth_date</code>' in tried
    assert "line 5" in tried
    for told in ("123456789012", OTHER_NUMBER, "髙橋", "yesterday", "世田谷区"):
        assert told not in tried
    assert Resident.objects.count() == before
    assert not Event.objects.filter(action="register.import").exists()
    attempt = Event.objects.get(action="register.try")
    assert (attempt.actor, attempt.detail) == ("user:ann", {"right": 1, "wrong": 3})
    assert "The file was taken into the register." in upload(client, table, how="take", encoding=encoding)
    assert "1 row is right." in upload(client, table, how="take", encoding=encoding)
    assert Resident.objects.count() == before + 1
    event = Event.objects.filter(action="register.import").order_by("pk").first()
    assert event is not None
    assert (event.actor, event.detail["added"]) == ("user:ann", 1)
    assert open_resident(client, number=OTHER_NUMBER, birth_date=date(1980, 1, 2)).status_code == 302


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", f"{HEADER},氏名\n", "\ud800"])
def test_a_file_that_is_no_table_is_refused_in_words(world: World, content: str) -> None:
    client = signed_in(Role.CLERK)
    file = SimpleUploadedFile("register.csv", content.encode("utf-8", "surrogatepass") or b"\n")
    page = text(client.post("/office/import", {"file": file, "how": "take", "as_of": "2026-01-05"}))
    assert "This is no table of residents" in page


def test_a_file_is_held_in_memory_only_and_at_most_five_megabytes_are(world: World, settings: Any) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = "/nowhere"  # Django would write files of over 2.5 MB there
    client = signed_in(Role.CLERK)
    table = "\n".join([HEADER, GOOD_ROW])
    assert "1 row is right." in upload(client, table + "\n" * 2_700_000)
    assert "Choose a file of at most 5 MB." in upload(client, table + "\n" * 6_000_000)
    assert "A municipality's code has 6 digits." in upload(client, table, municipality="12")


def test_a_forged_form_imports_nothing(world: World) -> None:
    officer("ann", Role.CLERK)
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="ann"))
    before = Resident.objects.count()
    file = SimpleUploadedFile("register.csv", "\n".join([HEADER, GOOD_ROW]).encode())
    forged = client.post("/office/import", {"file": file, "how": "take", "as_of": "2026-01-05"})
    assert forged.status_code == 403
    assert Resident.objects.count() == before


# --- flags ---


def test_who_opens_unusually_many_residents_in_a_day_raises_one_alarm(world: World) -> None:
    client, actor = signed_in(Role.CLERK), "user:ann"
    many = register_residents([date(2017, 1, 1)] * (OPENED_A_DAY + 2), at=timezone.now(), actor="test")
    refs = [resident.ref for resident in many]
    for ref in [refs[0], *refs[:OPENED_A_DAY]]:
        identify(ref)
        open_resident(client)
    assert not Alarm.objects.exists()
    for ref in refs[OPENED_A_DAY:]:
        identify(ref)
        open_resident(client)
    alarm = Alarm.objects.get()
    assert alarm.kind == "clerk_browses"
    assert alarm.key == f"{actor}:{timezone.localdate()}"
    assert alarm.detail == {
        "residents": OPENED_A_DAY + 1, "hours": 24, "actor": actor, "role": "registry_clerk", "office": OFFICE,
    }  # fmt: skip
    auditor = signed_in(Role.AUDITOR, name="eve")
    page = shown(auditor, "/console/alarms")
    assert "Somebody of staff opened unusually many residents" in page
    for ref in refs:
        assert str(ref) not in page


def test_auditors_see_who_looked_at_how_many_and_what_one_of_them_looked_at(ref: UUID) -> None:
    clerk, auditor = signed_in(Role.CLERK), signed_in(Role.AUDITOR, name="eve")
    assert "Nobody looked at a resident's data on this day." in text(auditor.get("/console/accesses"))
    open_resident(clerk, case="2026-15")
    for page in PAGES:
        clerk.get(f"/office/resident/{ref}/{page}")
    day = shown(auditor, "/console/accesses")
    assert f"ann registry clerk 1 {OFFICE} 7 times" in day
    assert str(ref) not in day
    page = shown(auditor, "/console/accesses?actor=user:ann")
    assert page.count(str(ref)) == 7
    assert "The card case 2026-15 vault:person" in page
    yesterday = (timezone.localdate() - timedelta(days=1)).isoformat()
    assert "Nobody looked" in text(auditor.get(f"/console/accesses?day={yesterday}"))
    for odd in ("?day=x", "?day=2026-02-31", "?day=9999-12-31"):
        assert "ann" in text(auditor.get(f"/console/accesses{odd}"))


def test_auditors_see_staff_only_in_the_list_of_who_looked(ref: UUID) -> None:
    AccessRecord.objects.create(
        at=timezone.now(), actor="resident", role="resident", office="", resident_ref=ref, what="vault:person",
        purpose="own page",
    )  # fmt: skip
    auditor = signed_in(Role.AUDITOR)
    assert "Nobody looked" in text(auditor.get("/console/accesses"))
    assert "Nobody looked" in text(auditor.get("/console/accesses?actor=resident"))


def test_shops_and_times_of_a_protected_resident_are_replayed_to_named_officers_only(till: RawTill) -> None:
    ref = till.world.residents[0]
    count(till, till.sale(reduced=110_000), till.sale(reduced=1_080))
    to_verified()
    auditor = signed_in(Role.AUDITOR, name="eve")
    state_purpose(auditor, ref)
    page = f"/console/refunds?resident={ref}&year={YEAR}&replay=1"
    assert f"{TERMINAL} 1 " in shown(auditor, page)
    Resident.objects.filter(pk=ref).update(is_protected=True)
    blanked = shown(auditor, page)
    assert "2 purchases. This resident is protected" in blanked
    assert "Identical." in blanked
    for place in (TERMINAL, "Aug. 3"):
        assert place not in blanked
    officer("eve", Role.PROTECTED_OFFICER)
    assert f"{TERMINAL} 1 " in shown(auditor, page)


# --- officers ---


def created(*arguments: str, **options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command("create_officer", *arguments, "--json", stdout=out, **options)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


@pytest.mark.django_db
def test_an_officer_is_created_with_a_first_password_and_changed_by_the_same_command() -> None:
    made = created("ann", "--role", "helpdesk", "--office", OFFICE, "--email", "ann@example.jp")
    assert made["roles"] == ["helpdesk"]
    user = User.objects.get(username="ann")
    assert user.check_password(made["first_password"])
    assert not user.is_staff
    changed = created("ann", "--role", "registry_clerk", "--role", "protected_officer", "--remove-role", "helpdesk")
    assert changed == {"username": "ann", "office": OFFICE, "roles": ["protected_officer", "registry_clerk"]}
    assert standing_of(user).roles == {Role.CLERK, Role.PROTECTED_OFFICER}
    assert User.objects.get().email == "ann@example.jp"
    assert [event.detail["roles"] for event in Event.objects.order_by("pk")] == [
        ["helpdesk"], ["protected_officer", "registry_clerk"],
    ]  # fmt: skip
    assert made["first_password"] not in json.dumps([event.detail for event in Event.objects.all()])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("roles", "said"),
    [
        (["auditor", "registry_clerk"], "roles_apart"),
        (["operator", "helpdesk"], "roles_apart"),
        (["protected_officer"], "roles_apart"),
    ],
)
def test_who_knows_references_does_not_learn_who_residents_are(roles: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        created("ann", *(part for role in roles for part in ("--role", role)), "--office", OFFICE)
    assert not User.objects.exists()


@pytest.mark.django_db
def test_an_officer_has_an_office_and_a_password_that_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="office_missing"):
        created("ann", "--role", "helpdesk")
    for weak in ("short\n", "\n", "password1234\n"):
        monkeypatch.setattr("sys.stdin", StringIO(weak))
        with pytest.raises(CommandError, match="password_refused"):
            created("ann", "--role", "helpdesk", "--office", OFFICE, "--password-stdin")
    monkeypatch.setattr("sys.stdin", StringIO(f"{PASSWORD}\n"))
    made = created("ann", "--role", "helpdesk", "--office", OFFICE, "--password-stdin")
    assert "first_password" not in made
    assert User.objects.get().check_password(PASSWORD)


@pytest.mark.django_db
def test_who_signs_in_as_a_resident_is_not_made_an_officer_by_having_the_user_name_first() -> None:
    user = User.objects.create_user("ann", password="what-the-resident-chose")
    with pytest.raises(CommandError, match="not_of_staff"):
        created("ann", "--role", "registry_clerk", "--office", OFFICE)
    assert not standing_of(user).roles
    User.objects.create_superuser("root", password=PASSWORD)
    assert created("root", "--role", "operator", "--office", OFFICE)["roles"] == ["operator"]


@pytest.mark.django_db
def test_the_first_password_is_changed_before_anything_else() -> None:
    made = created("ann", "--role", "helpdesk", "--office", OFFICE)
    client = Client(headers={"accept-language": "en"})
    signed = client.post("/login", {"username": "ann", "password": made["first_password"]}, follow=True)
    assert "You have signed in with the password that was given out." in text(signed)
    assert client.get("/office/lost")["Location"] == "/office/password"
    new = {"old_password": made["first_password"], "new_password1": PASSWORD, "new_password2": PASSWORD}
    assert "Your password is changed." in sent(client, "/office/password", **new)
    assert client.get("/office/lost").status_code == 200
    assert User.objects.get().check_password(PASSWORD)
    assert Event.objects.filter(action="officer.change_password", actor="user:ann").count() == 1


@pytest.mark.django_db
def test_who_was_put_off_is_no_officer_any_more() -> None:
    client = signed_in(Role.CLERK)
    assert client.get("/office/").status_code == 200
    created("ann", "--remove-role", "registry_clerk")
    assert client.get("/office/").status_code == 404


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
    assert costs[0] == {"person": 10, "cards": 10, "letters": 8, "purchases": 16, "household": 10, "choices": 8}
    card = Card.objects.get(resident=few)
    assert queries_of(clerk, f"/office/resident/{few}/cards/{card.pk}/hand-over") == 12
    for path in ("", "open", "lost", "returned", "import", "password"):
        assert queries_of(clerk, f"/office/{path}") == 3, path
    assert queries_of(auditor, f"/console/purpose/{few}") == 3
    assert queries_of(operator, "/office/counts") == 9
    assert queries_of(auditor, "/console/accesses") == 4
    assert queries_of(auditor, f"/console/accesses?actor=user:{Role.CLERK}") == 5
