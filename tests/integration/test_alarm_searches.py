"""An auditor has workers look for alarms now: one look at a time, how far it is, what it raised."""

import re
from datetime import date
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, OperationalError
from django.test import Client
from django.utils import timezone

from apps.accruals.operations.years import start_year
from apps.audit.models import Alarm, Event
from apps.audit.officers import Role
from apps.inspections.models import AlarmSearch
from apps.inspections.operations import alarm_searches
from apps.inspections.operations.alarm_searches import (
    AlarmSearchRunning,
    request_alarm_search,
    run_alarm_searches,
)
from apps.inspections.operations.alarms import find_in_kept_years
from apps.schemes.operations import SHIPPED, load_scheme
from tests.alarms import YEAR, Ledger, at, run_of
from tests.offices import signed_in, text

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stack(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten cards in a row, at which nobody has looked."""
    now = timezone.now()
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=now, actor="test")
    start_year(YEAR, version, deadline=date(now.year + 2, 1, 1), at=now, actor="test")
    ledger = Ledger()
    run_of(ledger, [uuid4() for _ in range(10)], ledger.till("corner-shop"), at("2017-04-03 18:00"), 5)
    monkeypatch.setattr(alarm_searches.bell, "ring", lambda: None)


@pytest.fixture
def auditor() -> Client:
    return signed_in(Role.AUDITOR)


def alarms(client: Client) -> str:
    return text(client.get("/console/alarms"))


def test_an_auditor_has_workers_look_and_sees_when_they_did_and_what_came_of_it(stack: None, auditor: Client) -> None:
    assert "The rules have not looked yet" in alarms(auditor)
    waiting = text(auditor.post("/console/alarms/search", follow=True))
    assert "Waiting for a worker to begin" in waiting
    assert 'http-equiv="refresh"' in waiting
    assert "Look now" not in waiting
    assert run_alarm_searches() == 1
    after = alarms(auditor)
    assert Alarm.objects.get().kind == "cards_in_a_row"
    assert "1 alarm came of what ann asked for last." in after
    assert re.search(r"The rules looked last at .*; they look once a day.", after)
    assert "Look now" in after
    assert 'http-equiv="refresh"' not in after
    search = AlarmSearch.objects.get()
    assert Event.objects.get(action="alarms.search").subject == f"alarm_search:{search.pk}"
    assert search.done == search.total > 5


def test_one_look_is_asked_for_at_a_time(stack: None, auditor: Client) -> None:
    request_alarm_search(at=timezone.now(), actor="user:ben")
    assert "Workers look for alarms already" in text(auditor.post("/console/alarms/search", follow=True))
    with pytest.raises(AlarmSearchRunning):
        request_alarm_search(at=timezone.now(), actor="user:ben")
    with pytest.raises(IntegrityError):  # whatever asks
        AlarmSearch.objects.create(requested_by="user:ben", requested_at=timezone.now())


def test_what_a_dead_worker_left_is_begun_again_and_raises_nothing_twice(
    stack: None, auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(**given: Any) -> int:
        find_in_kept_years(**given)
        raise OperationalError

    request_alarm_search(at=timezone.now(), actor="user:ann")
    with monkeypatch.context() as patched:
        patched.setattr(alarm_searches, "find_in_kept_years", dies)
        with pytest.raises(OperationalError):
            run_alarm_searches()
    assert re.search(r"\d+ of \d+ looks, one by each rule at each year", alarms(auditor))
    assert run_alarm_searches() == 1
    assert Alarm.objects.count() == 1
    assert run_alarm_searches() == 0


def test_a_look_that_stopped_says_so_and_can_be_asked_for_again(
    stack: None, auditor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(**_given: object) -> int:
        raise ZeroDivisionError

    request_alarm_search(at=timezone.now(), actor="user:ann")
    with monkeypatch.context() as patched:
        patched.setattr(alarm_searches, "find_in_kept_years", fails)
        assert run_alarm_searches() == 1
    page = alarms(auditor)
    assert "Looking for alarms stopped. Tell your operators" in page
    assert "Look now" in page
    auditor.post("/console/alarms/search")
    assert run_alarm_searches() == 1
    assert "stopped" not in alarms(auditor)


@pytest.mark.parametrize("role", [Role.CLERK, Role.HELPDESK, Role.OPERATOR])
def test_nobody_but_auditors_asks(stack: None, role: Role) -> None:
    assert signed_in(role, name="other").post("/console/alarms/search").status_code == 404
    assert not AlarmSearch.objects.exists()
