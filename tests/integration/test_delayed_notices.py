"""For a criminal inquiry two officers delay a notice: the resident reads of the access later, and it is counted."""

import io
import json
from datetime import timedelta
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from apps.audit.access import Access
from apps.audit.models import AccessRecord, Event, NoticeDelay
from apps.audit.officers import Role
from apps.audit.operations import record_accesses
from apps.audit.operations.delays import (
    DelayClosed,
    DelayTooLong,
    SecondOfficer,
    approve_delay,
    ask_delay,
    ask_extension,
)
from apps.audit.operations.openings import note_opening
from apps.portal.models import Account
from apps.residents.models import Message
from apps.residents.operations.break_glass import ask_to_break_glass, break_glass
from apps.residents.operations.erasing import erase_resident
from apps.residents.operations.looked import tell_of_ended_delays
from tests.identities import enter
from tests.offices import OFFICE, sent, signed_in, text
from tests.pages import shown
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
CASE = "K-2026-7"
ANN = Access("user:ann", Role.AUDITOR, OFFICE, "fraud", CASE)
MONTH = timedelta(days=30)


@pytest.fixture
def ref(world: World, client: Client) -> UUID:
    """Hanako, signed in."""
    ref = world.residents[0]
    enter(ref)
    Account.objects.create(user=User.objects.create_user("hanako"), resident_ref=ref)
    client.force_login(User.objects.get(username="hanako"))
    return ref


def delayed(ref: UUID, *, days: int = 30) -> NoticeDelay:
    """In force."""
    now = timezone.now()
    delay = ask_delay(ref, access=ANN, reason="criminal_inquiry", until=now + timedelta(days=days), at=now)
    return approve_delay(delay.pk, at=now, actor="user:ben")


def look(ref: UUID, access: Access = ANN) -> AccessRecord:
    now = timezone.now()
    note_opening(access, ref, at=now)
    record_accesses(access, [ref], what="refund 2017", at=now)
    return AccessRecord.objects.latest("pk")


def over(delay: NoticeDelay) -> None:
    """As if it had been asked for two months ago, and its last day were just over."""
    now = timezone.now()
    ago, end = now - 2 * MONTH, now - timedelta(minutes=2)
    NoticeDelay.objects.filter(pk=delay.pk).update(asked_at=ago, approved_at=ago, until=end)


def kinds(ref: UUID) -> list[str]:
    return list(Message.objects.filter(resident_ref=ref).order_by("pk").values_list("kind", flat=True))


def my_data(client: Client) -> dict[str, Any]:
    response: Any = client.post("/my-data/download")
    archive = ZipFile(io.BytesIO(b"".join(response.streaming_content)))
    names = ("accesses", "events", "notice_delays", "break_glass", "contents")
    return {name: json.loads(archive.read(f"{name}.json")) for name in names}


def test_while_it_is_delayed_the_resident_finds_the_access_nowhere(client: Client, ref: UUID) -> None:
    delayed(ref)
    record = look(ref)
    glass = ask_to_break_glass(ref, access=ANN, minutes=30, at=timezone.now())
    break_glass(glass.pk, role=Role.AUDITOR, at=timezone.now(), actor="user:ben")
    assert kinds(ref) == []
    assert OFFICE not in shown(client, "/accesses")
    for answer in (client.get(f"/accesses/{record.pk}/ask"), client.post(f"/accesses/{record.pk}/ask", {"words": "?"})):
        assert answer.status_code == 404
    found = my_data(client)
    assert not [row for row in found["accesses"] if row["purpose"] == "fraud"]
    assert not [row for row in found["events"] if row["action"] == "resident.open" or "glass" in row["action"]]
    assert found["notice_delays"] == found["break_glass"] == []
    assert CASE not in json.dumps(found)


def test_it_appears_by_itself_when_the_delay_is_over_and_the_message_goes_out(client: Client, ref: UUID) -> None:
    delay = delayed(ref)
    look(ref)
    glass = ask_to_break_glass(ref, access=ANN, minutes=30, at=timezone.now())
    break_glass(glass.pk, role=Role.AUDITOR, at=timezone.now(), actor="user:ben")
    assert tell_of_ended_delays(now=timezone.now()) == 0
    before = timezone.now() + timedelta(seconds=1)
    NoticeDelay.objects.filter(pk=delay.pk).update(ended_at=before, ended_by="user:ben")
    later = before + timedelta(minutes=2)
    assert tell_of_ended_delays(now=later) == 1
    assert tell_of_ended_delays(now=later) == 0
    assert kinds(ref) == ["looked", "glass_broken"]


def test_the_page_needs_no_sweep(client: Client, ref: UUID) -> None:
    delay = delayed(ref)
    record = look(ref)
    over(delay)
    assert OFFICE in shown(client, "/accesses")
    assert client.get(f"/accesses/{record.pk}/ask").status_code == 200
    found = my_data(client)
    assert [row["case"] for row in found["accesses"] if row["purpose"] == "fraud"] == [CASE]
    assert len(found["notice_delays"]) == 1


def test_it_is_the_officers_own_accesses_under_the_case_and_after_the_approval_only(client: Client, ref: UUID) -> None:
    now = timezone.now()
    delay = ask_delay(ref, access=ANN, reason="criminal_inquiry", until=now + MONTH, at=now)
    look(ref)
    assert kinds(ref) == ["looked"]
    approve_delay(delay.pk, at=timezone.now(), actor="user:ben")
    for access in (
        Access("user:eve", Role.AUDITOR, OFFICE, "fraud", CASE),
        Access("user:ann", Role.AUDITOR, OFFICE, "check"),
    ):
        look(ref, access)
    assert kinds(ref) == ["looked"] * 3


def test_how_many_there_are_is_public_by_office(client: Client, ref: UUID) -> None:
    cache.clear()
    now = timezone.now()
    delay = ask_delay(ref, access=ANN, reason="criminal_inquiry", until=now + MONTH, at=now)
    assert client.get("/transparency.json").json()["delayed_notices"] == {}
    approve_delay(delay.pk, at=now, actor="user:ben")
    cache.clear()
    assert client.get("/transparency.json").json()["delayed_notices"] == {OFFICE: 1}
    assert "in all offices: 1" in shown(client, "/transparency").replace("  ", " ")
    over(delay)
    cache.clear()
    assert client.get("/transparency.json").json()["delayed_notices"] == {}


def test_two_auditors_delay_extend_once_and_one_ends_it_in_the_console(ref: UUID) -> None:
    ann, ben = signed_in(Role.AUDITOR), signed_in(Role.AUDITOR, name="ben")
    day = timezone.localdate() + timedelta(days=100)
    given = {"resident": str(ref), "case": CASE, "reason": "criminal_inquiry", "until": day.isoformat()}
    assert "do not look before" in sent(ann, "/console/delays", **given)
    path = f"/console/delays/{NoticeDelay.objects.get().pk}"
    assert "You asked for it yourself" in sent(ann, f"{path}/approve")
    assert "The delay holds from now on." in sent(ben, f"{path}/approve")
    longer = {"until": (day + timedelta(days=180)).isoformat()}
    assert "You have asked." in sent(ben, f"{path}/extend", **longer)
    assert "You asked for it yourself" in sent(ben, f"{path}/extend/approve")
    assert "The delay is extended." in sent(ann, f"{path}/extend/approve")
    assert "that was done before" in sent(ann, f"{path}/extend", **longer)
    assert NoticeDelay.objects.get().ends_at == NoticeDelay.objects.get().extended_until
    assert "the resident reads who looked" in sent(ann, f"{path}/end")
    assert NoticeDelay.objects.get().ends_at <= timezone.now()
    events = Event.objects.filter(action__startswith="delay.").order_by("pk")
    assert [e.action for e in events] == [
        "delay.ask", "delay.approve", "delay.ask_extension", "delay.extend", "delay.end",
    ]  # fmt: skip
    assert all(e.before_mac != e.after_mac and e.purpose == "criminal_inquiry" for e in events)
    assert not any(e.resident_ref for e in events)  # the resident's own file of data has their events


def test_an_extension_that_nobody_approved_prolongs_nothing(ref: UUID) -> None:
    delay = delayed(ref, days=10)
    ask_extension(delay.pk, until=delay.until + MONTH, at=timezone.now(), actor="user:ann")
    assert NoticeDelay.objects.get().ends_at == delay.until


def test_six_months_are_the_most(ref: UUID) -> None:
    now = timezone.now()
    for until in (now, now + timedelta(days=184)):
        with pytest.raises(DelayTooLong):
            ask_delay(ref, access=ANN, reason="criminal_inquiry", until=until, at=now)
    delay = delayed(ref)
    for until in (delay.until, delay.until + timedelta(days=184)):
        with pytest.raises(DelayTooLong):
            ask_extension(delay.pk, until=until, at=now, actor="user:ann")
    with pytest.raises(DelayClosed):
        approve_delay(delay.pk, at=now, actor="user:eve")


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"approved_by": "user:ann"}, "delay_by_two"),
        ({"approved_by": ""}, "delay_by_two"),
        ({"reason": "curiosity"}, "delay_has_a_reason"),
        ({"case": ""}, "delay_has_a_reason"),
        ({"until": timedelta(days=185)}, "delay_of_six_months"),
        ({"extended_until": timedelta(days=300)}, "extension_of_six_months"),
        ({"extended_until": timedelta(days=40)}, "extension_of_six_months"),
    ],
)
def test_the_database_wants_two_officers_a_reason_and_six_months_at_most(
    ref: UUID, wrong: dict[str, Any], name: str
) -> None:
    delayed(ref)
    now = timezone.now()
    wrong = {key: now + value if isinstance(value, timedelta) else value for key, value in wrong.items()}
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        NoticeDelay.objects.update(**wrong)


def test_who_asks_does_not_approve(ref: UUID) -> None:
    now = timezone.now()
    delay = ask_delay(ref, access=ANN, reason="criminal_inquiry", until=now + MONTH, at=now)
    with pytest.raises(SecondOfficer):
        approve_delay(delay.pk, at=now, actor="user:ann")


def test_who_was_erased_meanwhile_is_told_nothing(ref: UUID) -> None:
    delay = delayed(ref)
    look(ref)
    erase_resident(ref, reason="moved", at=timezone.now(), actor="test")
    over(delay)
    assert tell_of_ended_delays(now=timezone.now()) == 1
    assert "looked" not in kinds(ref)


def test_only_auditors_delay(ref: UUID) -> None:
    assert signed_in(Role.CLERK, name="bob").get("/console/delays").status_code == 404
    assert "No notice is delayed." in text(signed_in(Role.AUDITOR).get("/console/delays"))


def test_a_second_delay_of_the_same_case_holds_back_nothing_of_the_first(client: Client, ref: UUID) -> None:
    first = delayed(ref)
    look(ref)
    glass = ask_to_break_glass(ref, access=ANN, minutes=30, at=timezone.now())
    break_glass(glass.pk, role=Role.AUDITOR, at=timezone.now(), actor="user:ben")
    NoticeDelay.objects.filter(pk=first.pk).update(ended_at=timezone.now(), ended_by="user:ben")
    assert tell_of_ended_delays(now=timezone.now() + timedelta(minutes=2)) == 1
    assert kinds(ref) == ["looked", "glass_broken"]
    delayed(ref)
    assert OFFICE in shown(client, "/accesses")
    assert len(my_data(client)["break_glass"]) == 1
    look(ref)
    assert kinds(ref) == ["looked", "glass_broken", "data_taken"]
