"""Whoever is given a state can check by the trail that it was this one: before a change, and after it."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from apps.audit.macs import is_mac_of
from apps.audit.models import Event
from apps.audit.states import state_of
from apps.refunds.models import Decision, Run
from apps.refunds.operations.approving import approve_run
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.deciding import notify
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.verifying import verify_run
from apps.residents.models import CardSuspension
from apps.residents.operations.card_life import suspend_cards
from apps.residents.operations.recording import pause_recording, resume_recording
from tests.judging import on
from tests.till import RawTill
from tests.world import YEAR, World
from tests.year_end import count

pytestmark = pytest.mark.django_db(transaction=True)


def last(action: str) -> Event:
    return Event.objects.filter(action=action).latest("pk")


def mac(value: object) -> bytes:
    assert isinstance(value, bytes | memoryview)
    return bytes(value)


def test_each_step_of_a_run_says_what_the_run_was_and_is(till: RawTill, world: World) -> None:
    count(till, till.sale(world.residents[0], at=on(1), reduced=55_000))
    freeze(YEAR, actor="test")
    assess_run(YEAR, actor="test")
    verify_run(YEAR, actor="test")
    before = state_of(Run.objects.get())
    approve_run(YEAR, by="ann", actor="user:ann")
    event, after = last("run.sign"), state_of(Run.objects.get())
    assert event.before_mac is not None
    assert is_mac_of(mac(event.after_mac), after)
    assert not is_mac_of(mac(event.after_mac), before)
    # The signer locked the row as it was; a figure of it that was another would show.
    assert is_mac_of(mac(event.before_mac), before)
    assert not is_mac_of(mac(event.before_mac), before | {"due_minor": 1})
    for action in ("run.freeze", "run.assess", "run.verify"):
        assert last(action).before_mac != last(action).after_mac


def test_decisions_that_are_told_together_say_it_one_by_one(world: World) -> None:
    for ref in world.residents:
        Decision.objects.create(
            resident_ref=ref, tax_year=YEAR, run=1, kind="annulled", amount_minor=1, decided_at=timezone.now()
        )
    before = {decision.pk: state_of(decision) for decision in Decision.objects.all()}
    notify(list(before), on=timezone.localdate(), actor="user:ann")
    for decision in Decision.objects.all():
        event = Event.objects.get(action="decision.notify", subject=f"decision:{decision}")
        assert is_mac_of(mac(event.before_mac), before[decision.pk])
        assert is_mac_of(mac(event.after_mac), state_of(decision))


def test_a_card_and_a_pause_say_since_when(world: World) -> None:
    ref: UUID = world.residents[0]
    now = timezone.now()
    lost = now - timedelta(hours=2)
    channel = CardSuspension.Channel.PORTAL
    suspension, *_ = suspend_cards(ref, lost_since=lost, channel=channel, at=now, actor="resident")
    event = last("card.suspend")
    assert is_mac_of(mac(event.before_mac), {"suspended_since": {}})
    assert is_mac_of(mac(event.after_mac), {"suspended_since": {str(suspension.card_id): suspension.valid.lower}})
    pause_recording(ref, at=now, actor="resident")
    resume_recording(ref, at=now + timedelta(hours=1), actor="resident")
    event = last("recording.resume")
    assert is_mac_of(mac(event.before_mac), {"paused_since": now})
    assert is_mac_of(mac(event.after_mac), {"paused_since": None})
