"""The resident's pages of the register: cards, registration, recording, accesses. Nobody sees another's."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.accruals.models import Entry
from apps.accruals.operations.counting import count_all
from apps.audit.access import Access
from apps.audit.models import AccessRecord, Event
from apps.audit.operations import record_accesses
from apps.portal.models import Account
from apps.residents.models import (
    Card,
    CardOrder,
    CardSuspension,
    JudgingDue,
    RecordingPause,
    RegisterEvent,
    Resident,
    VaultRecord,
)
from apps.residents.operations import Home, place_in_households, register_residents
from apps.residents.operations.office import Acting, pause
from apps.residents.operations.recording import pause_recording, resume_recording
from tests.identities import enter
from tests.pages import PASSWORD, auditor, queries_of, shown
from tests.till import RawTill
from tests.world import YEAR, World
from tests.year_end import count

pytestmark = pytest.mark.django_db(transaction=True)
PAGES = ("/cards", "/registration", "/choices", "/accesses")
NOW = {"when": "now"}


@pytest.fixture
def hanako(world: World, client: Client) -> UUID:
    """The first resident, signed in."""
    ref = world.residents[0]
    for number, resident in enumerate(world.residents):
        enter(resident, address=f"東京都千代田区千代田{number + 1}-1", alias="田中 花子")
        user = User.objects.create_user(("hanako", "taro")[number], password=PASSWORD)
        Account.objects.create(user=user, resident_ref=resident)
    client.force_login(User.objects.get(username="hanako"))
    return ref


def card_of(ref: UUID) -> Card:
    return Card.objects.get(resident=ref)


# --- cards ---


def test_a_lost_card_is_suspended_at_once_and_had_again(client: Client, hanako: UUID) -> None:
    assert "In use." in shown(client, "/cards")
    assert client.post("/cards/lost", NOW)["Location"] == "/cards"
    page = shown(client, "/cards")
    assert "Suspended: reported lost." in page
    assert "stay held until you confirm or deny" in page
    assert "Report your card lost" not in page
    suspension = CardSuspension.objects.get(card__resident=hanako)
    assert (suspension.channel, suspension.reported_by) == ("portal", "resident")
    assert JudgingDue.objects.get().resident_id == hanako
    assert "Your card is suspended" in shown(client, f"/year/{YEAR}")
    client.post(f"/cards/{card_of(hanako).pk}/resume")
    assert "In use." in shown(client, "/cards")
    assert "Your card is suspended" not in shown(client, f"/year/{YEAR}")
    assert (
        "was not suspended any more"
        in client.post(
            f"/cards/{card_of(hanako).pk}/resume", follow=True, headers={"accept-language": "en"}
        ).content.decode()
    )


def test_a_card_is_lost_since_an_earlier_time_of_japan_but_never_a_later_one(client: Client, hanako: UUID) -> None:
    client.post("/cards/lost", {"when": "earlier", "day": "2017-04-03", "time": "09:30"})
    since = CardSuspension.objects.get(card__resident=hanako).valid.lower
    assert since
    assert since.isoformat() == "2017-04-03T00:30:00+00:00"
    tomorrow = timezone.localdate() + timedelta(days=1)
    for given, words in (
        ({"when": "earlier", "day": tomorrow.isoformat()}, "yet to come"),
        ({"when": "earlier"}, "Give the day"),
        ({}, "required"),
    ):
        page = client.post("/cards/lost", given, headers={"accept-language": "en"}).content.decode()
        assert words in page
    assert CardSuspension.objects.filter(card__resident=hanako).count() == 1


def test_another_card_is_ordered_once_and_said_to_be_on_its_way(client: Client, hanako: UUID) -> None:
    for _ in range(2):
        client.post("/cards/order", {"reason": "damaged"})
    assert CardOrder.objects.get().reason == "damaged"
    assert "Another card is on its way" in shown(client, "/cards")
    assert client.post("/cards/order", {"reason": "expiry"}).status_code == 200  # no reason of residents
    assert CardOrder.objects.count() == 1


def test_each_state_of_a_card_is_said_in_words(client: Client, hanako: UUID) -> None:
    now = timezone.now()
    card = card_of(hanako)
    for changes, words in (
        ({"active_from": None}, "not handed over to you yet"),
        ({"replaced_from": now}, "another card took its place"),
        ({"valid_until": now}, "its time is over"),
    ):
        Card.objects.filter(pk=card.pk).update(**{"active_from": card.active_from, "replaced_from": None, **changes})
        assert words in shown(client, "/cards")
    Card.objects.filter(resident=hanako).delete()
    assert "You have no card yet" in shown(client, "/cards")
    assert (
        client.post("/cards/lost", NOW).status_code
        == client.post("/cards/order", {"reason": "lost"}).status_code
        == 404
    )


# --- registration ---


def test_a_resident_reads_the_own_registration_and_that_is_on_record(client: Client, hanako: UUID) -> None:
    home = uuid4()
    others = [resident.ref for resident in register_residents([date(2017, 1, 1)] * 2, at=timezone.now(), actor="t")]
    place_in_households(
        [
            Home(hanako, home, date(2017, 1, 1), date(2017, 8, 1), is_head=True),
            Home(others[0], home, date(2017, 1, 1), date(2017, 4, 1)),
            Home(others[1], home, date(2017, 9, 1)),
        ],
        at=timezone.now(), actor="t",
    )  # fmt: skip
    RegisterEvent.objects.create(
        resident_id=hanako, kind="move_in", effective_date=date(2017, 1, 1), recorded_at=timezone.now(), actor="x"
    )
    page = shown(client, "/registration")
    for words in (
        "𠮷田 髙子", "ヨシダ タカコ", "YOSHIDA TAKAKO", "田中 花子", "April 1, 1990", "東京都千代田区千代田1-1",
        "Moved in", "Resident since Jan. 1, 2017", "Jan. 1, 2017 to July 31, 2017 head of the household 2 persons",
    ):  # fmt: skip
        assert words in page
    record = AccessRecord.objects.get()
    assert (record.role, record.purpose, record.what) == ("resident", "own page", "vault:person,address")
    japanese = shown(client, "/registration", language="ja")
    assert "2017年1月1日" in japanese


def test_a_protected_residents_address_is_not_even_opened(client: Client, hanako: UUID) -> None:
    Resident.objects.filter(pk=hanako).update(is_protected=True)
    page = shown(client, "/registration")
    assert "hidden for your protection" in page
    assert "千代田区" not in page
    assert AccessRecord.objects.get().what == "vault:person"


def test_who_was_erased_is_told_so(client: Client, hanako: UUID) -> None:
    VaultRecord.objects.filter(pk=hanako).update(
        erased_at=timezone.now(), person=None, person_index=None, address=None, content_mac=None
    )
    assert "were erased" in shown(client, "/registration")
    VaultRecord.objects.filter(pk=hanako).delete()
    assert "are not entered yet" in shown(client, "/registration")


# --- recording ---


def test_recording_is_paused_and_resumed_from_now_on(client: Client, hanako: UUID) -> None:
    assert "Your purchases are recorded" in shown(client, "/choices")
    for _ in range(2):
        client.post("/choices", {"recorded": "no"})
    paused = RecordingPause.objects.get()
    assert paused.valid.lower
    assert abs(timezone.now() - paused.valid.lower) < timedelta(minutes=1)
    assert paused.valid.upper is None
    assert "Recording is paused" in shown(client, "/choices")
    for _ in range(2):
        client.post("/choices", {"recorded": "yes"})
    assert RecordingPause.objects.get().valid.upper
    assert "Your purchases are recorded" in shown(client, "/choices")
    assert Event.objects.filter(action__startswith="recording.").count() == 2
    client.post("/choices", {})
    assert RecordingPause.objects.filter(valid__upper_inf=True).count() == 0


def test_what_was_counted_just_before_the_pause_was_known_is_erased_wherever_it_is_asked_for(
    client: Client, hanako: UUID, till: RawTill
) -> None:
    by = Acting(hanako, "user:ann", "Setagaya", CardSuspension.Channel.WINDOW, timezone.now())
    asked: list[Callable[[], object]] = [lambda: client.post("/choices", {"recorded": "no"}), lambda: pause(by)]
    for seq, pauses in enumerate(asked, start=1):
        count(till, till.sale(at=(timezone.now() + timedelta(minutes=3)).isoformat(), reduced=5))
        assert Entry.objects.get().seq == seq
        pauses()
        count_all()
        assert not Entry.objects.exists()
        RecordingPause.objects.all().delete()


def test_pauses_follow_each_other(hanako: UUID) -> None:
    start = timezone.now()
    for minutes in range(0, 6, 2):
        pause_recording(hanako, at=start + timedelta(minutes=minutes), actor="t")
        resume_recording(hanako, at=start + timedelta(minutes=minutes + 1), actor="t")
    assert RecordingPause.objects.count() == 3


# --- accesses ---


def test_who_looked_is_listed_in_words_and_own_visits_are_folded_away(client: Client, hanako: UUID) -> None:
    shown(client, "/registration")
    clerk = Access("user:sato", "registry_clerk", "千代田区役所", "カードの紛失の相談", "R7-12")
    record_accesses(clerk, [hanako], what="vault:person,address", at=timezone.now())
    page = shown(client, "/accesses")
    assert "Registry clerk 千代田区役所 カードの紛失の相談 Case R7-12 names and birth date, address" in page
    assert "user:sato" not in page
    for what, words in (
        ("page:cards", "R7-12 cards"), ("refund 2017", "R7-12 refund 2017"), ("refused: protected", "R7-12 nothing"),
        ("something new", "R7-12 something new"),
    ):  # fmt: skip
        record_accesses(clerk, [hanako], what=what, at=timezone.now())
        assert words in shown(client, "/accesses")
    assert "You yourself: 1 time" in page


def test_accesses_are_paged_at_the_same_cost(client: Client, hanako: UUID) -> None:
    few = queries_of(client, "/accesses")
    access = Access("user:sato", "helpdesk", "office", "x")
    for minutes in range(120):
        at = timezone.now() + timedelta(minutes=minutes)
        record_accesses(access, [hanako], what=f"page {minutes}", at=at)
    assert queries_of(client, "/accesses") == few + 1  # the page itself
    page = shown(client, "/accesses?page=2")
    assert "page 69" in page
    assert "page 70 " not in page


# --- whose pages they are ---


def test_pages_are_for_residents_who_signed_in(client: Client, hanako: UUID) -> None:
    name = auditor()
    for path in PAGES:
        client.logout()
        assert client.get(path)["Location"] == f"/login?next={path}"
        shown(client, path, as_user=name, status=404)


def test_anothers_card_and_data_are_not_there(client: Client, hanako: UUID, world: World) -> None:
    other = world.residents[1]
    client.force_login(User.objects.get(username="taro"))
    client.post("/cards/lost", NOW)
    client.force_login(User.objects.get(username="hanako"))
    assert client.post(f"/cards/{card_of(other).pk}/resume").status_code == 404
    assert client.post("/cards/999999/resume").status_code == 404
    assert CardSuspension.objects.get(card__resident=other).lifted_at is None
    assert "Suspended" not in shown(client, "/cards")
    assert "千代田2-1" not in shown(client, "/registration")
    client.post("/choices", {"recorded": "no"})
    assert RecordingPause.objects.get().resident_id == hanako


def test_pages_are_never_cached_and_forms_need_their_token(client: Client, hanako: UUID) -> None:
    for path in (*PAGES, "/activate"):
        assert "no-store" in client.get(path)["Cache-Control"]
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="hanako"))
    for path in ("/cards/lost", "/cards/order", f"/cards/{card_of(hanako).pk}/resume", "/choices"):
        assert strict.post(path, {**NOW, "reason": "lost", "recorded": "no"}).status_code == 403
    for path in ("/cards/lost", "/cards/order"):
        assert client.get(path).status_code == 405


def test_pages_cost_a_fixed_number_of_queries(client: Client, hanako: UUID) -> None:
    def costs() -> list[int]:
        return [queries_of(client, path) for path in ("/cards", "/registration", "/choices")]

    place_in_households([Home(hanako, uuid4(), date(2017, 1, 1), date(2017, 2, 1))], at=timezone.now(), actor="t")
    before: Any = costs()
    now = timezone.now()
    for month in range(2, 12):
        start, end = date(2017, month, 1), date(2017, month + 1, 1)
        place_in_households([Home(hanako, uuid4(), start, end)], at=now, actor="t")
        pause_recording(hanako, at=now + timedelta(days=month), actor="t")
        resume_recording(hanako, at=now + timedelta(days=month, hours=1), actor="t")
        Card.objects.create(
            resident_id=hanako, card_index=bytes([month]) * 32, issuer_version=1, valid_from=now,
            valid_until=now + timedelta(days=9),
        )  # fmt: skip
    assert costs() == before
