"""Seeing one resident beyond one's role: asked with a reason, approved by another officer, short, read only, told."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from apps.audit.models import AccessRecord, BreakGlass, Event
from apps.audit.officers import Role
from apps.audit.operations.delays import SecondOfficer
from apps.residents.models import CardSuspension, Message, Resident
from apps.residents.operations.break_glass import break_glass
from tests.offices import HANAKO, OFFICE, identify, officer, open_resident, sent, signed_in, text
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
REASON = "She stands at the window and nobody named is here."


@pytest.fixture
def ref(world: World) -> UUID:
    """Hanako, protected."""
    identify(world.residents[0])
    Resident.objects.filter(pk=world.residents[0]).update(is_protected=True)
    return world.residents[0]


def ask(client: Client, ref: UUID, **more: Any) -> str:
    given = {"resident": str(ref), "reason": REASON, "case": "R7-12", "minutes": 30}
    return sent(client, "/console/break-glass", **given | more)


def approve(client: Client, glass: BreakGlass) -> str:
    return sent(client, f"/console/break-glass/{glass.pk}/approve")


def broken(ref: UUID, *roles: Role, by: str = "vera") -> tuple[Client, BreakGlass]:
    """A clerk's browser, let by an auditor."""
    client = signed_in(*(roles or (Role.CLERK,)))
    ask(client, ref)
    glass = BreakGlass.objects.get()
    assert "It is open" in approve(signed_in(Role.AUDITOR, name=by), glass)
    return client, glass


def test_a_clerk_reads_a_protected_resident_once_a_second_officer_let_them(ref: UUID) -> None:
    client = signed_in(Role.CLERK)
    open_resident(client)
    refused = client.get(f"/office/resident/{ref}/person")
    assert refused.status_code == 403
    assert f"/console/break-glass?resident={ref}" in text(refused)
    assert "It opens once another officer approves it." in ask(client, ref)
    glass = BreakGlass.objects.get()
    assert client.get(f"/office/resident/{ref}/person").status_code == 403
    assert not Message.objects.filter(kind="glass_broken").exists()
    assert "Open until" in approve(signed_in(Role.AUDITOR, name="vera"), glass)
    assert HANAKO.name in sent(client, f"/console/break-glass/{glass.pk}/open")
    record = AccessRecord.objects.filter(actor="user:ann", what__startswith="vault").latest("pk")
    assert (record.purpose, record.case) == (REASON, "R7-12")
    message = Message.objects.get(kind="glass_broken", resident_ref=ref)
    assert message.detail == {"office": OFFICE, "role": "registry_clerk"}


def test_with_broken_glass_nothing_is_changed(ref: UUID) -> None:
    client, glass = broken(ref)
    sent(client, f"/console/break-glass/{glass.pk}/open")
    answer = client.post(f"/office/resident/{ref}/cards/suspend", {"channel": "window"})
    assert answer.status_code == 403
    assert "you read only" in text(answer)
    assert CardSuspension.objects.filter(reported_by="user:ann").count() == 0


def test_it_is_over_when_its_time_is_and_when_somebody_closes_it(ref: UUID) -> None:
    client, glass = broken(ref)
    path = f"/office/resident/{ref}/person"
    sent(client, f"/console/break-glass/{glass.pk}/open")
    assert client.get(path).status_code == 200
    began = timezone.now() - timedelta(minutes=31)
    BreakGlass.objects.update(approved_at=began, ends_at=began + timedelta(minutes=30))
    assert client.get(path)["Location"] == "/office/open"
    assert "no longer" in sent(client, f"/console/break-glass/{glass.pk}/open")
    BreakGlass.objects.update(ends_at=timezone.now() + timedelta(minutes=9))
    sent(client, f"/console/break-glass/{glass.pk}/open")
    assert client.get(path).status_code == 200
    vera = signed_in(Role.AUDITOR, name="vera")
    assert "It is closed." in sent(vera, f"/console/break-glass/{glass.pk}/end")
    assert client.get(path)["Location"] == "/office/open"
    assert "closed early by" in text(client.get("/console/break-glass"))


def test_it_opens_one_resident_for_one_officer(ref: UUID, world: World) -> None:
    _, glass = broken(ref)
    other = signed_in(Role.CLERK, name="bob")
    assert other.post(f"/console/break-glass/{glass.pk}/open").status_code == 404
    open_resident(other)
    assert other.get(f"/office/resident/{ref}/person").status_code == 403
    ann = signed_in(Role.CLERK)
    assert ann.get(f"/office/resident/{world.residents[1]}/person")["Location"] == "/office/open"


def test_an_auditor_learns_no_name_by_it(ref: UUID) -> None:
    client, glass = broken(ref, Role.AUDITOR)
    assert client.post(f"/console/break-glass/{glass.pk}/open")["Location"] == "/console/refunds"
    assert client.get(f"/office/resident/{ref}/person").status_code == 404


def test_who_asked_does_not_approve_nor_does_another_clerk(ref: UUID) -> None:
    client = signed_in(Role.CLERK, Role.PROTECTED_OFFICER)
    ask(client, ref)
    glass = BreakGlass.objects.get()
    assert "You asked for it yourself" in approve(client, glass)
    assert signed_in(Role.CLERK, name="bob").post(f"/console/break-glass/{glass.pk}/approve").status_code == 404
    with pytest.raises(SecondOfficer):
        break_glass(glass.pk, role=Role.CLERK, at=timezone.now(), actor="user:bob")
    named = signed_in(Role.CLERK, Role.PROTECTED_OFFICER, name="mia")
    assert "It is open" in approve(named, glass)


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"approved_by": "user:ann"}, "glass_by_two"),
        ({"approver_role": "registry_clerk"}, "glass_approver_may"),
        ({"ends_at": timedelta(hours=4, seconds=1)}, "glass_ends"),
        ({"minutes": 241}, "glass_of_minutes"),
        ({"reason": ""}, "glass_has_a_reason"),
    ],
)
def test_the_database_wants_two_officers_a_reason_and_four_hours_at_most(
    ref: UUID, wrong: dict[str, Any], name: str
) -> None:
    _, glass = broken(ref)
    now: datetime = timezone.now()
    wrong = {key: now + value if isinstance(value, timedelta) else value for key, value in wrong.items()}
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        BreakGlass.objects.filter(pk=glass.pk).update(
            **{"approved_at": now, "ends_at": now + timedelta(hours=1)} | wrong
        )


def test_every_step_is_in_the_trail_with_what_was_and_is(ref: UUID) -> None:
    _, glass = broken(ref)
    sent(signed_in(Role.AUDITOR, name="vera"), f"/console/break-glass/{glass.pk}/end")
    events = Event.objects.filter(action__startswith="glass.").order_by("pk")
    assert [(e.action, e.actor) for e in events] == [
        ("glass.ask", "user:ann"), ("glass.break", "user:vera"), ("glass.end", "user:vera"),
    ]  # fmt: skip
    assert all(e.before_mac != e.after_mac and e.purpose == REASON and e.resident_ref == ref for e in events)


def test_wrong_wishes_are_said_beside_the_field(ref: UUID) -> None:
    client = signed_in(Role.CLERK)
    assert "Check it, digit by digit." in ask(client, UUID(int=7))
    assert "less than or equal to 240" in ask(client, ref, minutes=241)
    ask(client, ref)
    assert "You asked for this resident already" in ask(client, ref)
    assert BreakGlass.objects.count() == 1


def test_who_does_not_open_residents_has_no_such_page(ref: UUID) -> None:
    officer("olga", Role.OPERATOR)
    assert signed_in(Role.OPERATOR, name="olga").get("/console/break-glass").status_code == 404
