"""What is done for a resident at a window, by letter or by telephone, on record."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.utils import timezone

from apps.audit.models import AccessRecord, Event
from apps.audit.officers import Role
from apps.residents.models import (
    Card,
    CardSuspension,
    HandOver,
    RecordingPause,
)
from apps.residents.notice_codes import notice_number
from tests.offices import (
    BORN,
    HANAKO,
    OFFICE,
    SECRETS,
    letter,
    open_resident,
    sent,
    signed_in,
    suspension_of,
    text,
)
from tests.pages import shown
from tests.world import World


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
