"""Alarms in the console: who opens them, what is shown for a purpose only, dismissal with undo, cases, rules."""

import re
from datetime import date
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone

from apps.accruals.operations.years import start_year
from apps.audit.models import AccessRecord, Alarm
from apps.audit.officers import Role
from apps.audit.operations import Cause, raise_alarms
from apps.inspections.models import AlarmReview, AlarmRule, Case
from apps.inspections.queries.alarm_rules import rule_in_force
from apps.residents.models import Resident
from apps.schemes.operations import SHIPPED, load_scheme
from tests.alarms import YEAR, Ledger, at, looked, run_of
from tests.offices import signed_in, text
from tests.pages import queries_of

pytestmark = pytest.mark.django_db(transaction=True)
PURPOSE = {"purpose": "other", "text": "Looks like a stack of cards"}


@pytest.fixture
def ledger(db: None) -> Ledger:
    now = timezone.now()
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=now, actor="test")
    start_year(YEAR, version, deadline=date(now.year + 2, 1, 1), at=now, actor="test")
    return Ledger()


@pytest.fixture
def stack(ledger: Ledger) -> tuple[Alarm, list[UUID]]:
    """Ten cards in a row."""
    people = [uuid4() for _ in range(10)]
    run_of(ledger, people, ledger.till("corner-shop"), at("2017-04-03 18:00"), 5)
    looked("cards_in_a_row")
    return Alarm.objects.get(), people


@pytest.fixture
def split(ledger: Ledger) -> tuple[Alarm, UUID]:
    """One card's split purchases."""
    ann = uuid4()
    for minute in range(4):
        ledger.sale(ann, ledger.till("corner-shop"), at(f"2017-04-03 09:0{minute}"), 9_900)
    looked("split_purchases")
    return Alarm.objects.get(), ann


@pytest.fixture
def auditor() -> Client:
    return signed_in(Role.AUDITOR)


def page_of(client: Client, alarm: Alarm) -> str:
    return text(client.get(f"/console/alarms/{alarm.pk}"))


def test_records_are_shown_for_a_purpose_and_each_residents_read_is_on_record(
    stack: tuple[Alarm, list[UUID]], auditor: Client
) -> None:
    alarm, people = stack
    page = page_of(auditor, alarm)
    assert "Many cards at one till in a row" in page
    assert "Till corner-shop" in page
    assert re.search(r"Different cards found</dt><dd>10", page)
    assert "The records are of 10 residents." in page
    assert not any(str(ref) in page for ref in people)
    assert not AccessRecord.objects.exists()
    shown = text(auditor.post(f"/console/alarms/{alarm.pk}", PURPOSE, follow=True))
    assert all(str(ref) in shown for ref in people)
    read = AccessRecord.objects.filter(what=f"alarm {alarm.pk}", purpose=PURPOSE["text"])
    assert set(read.values_list("resident_ref", flat=True)) == set(people)


def test_what_was_measured_of_a_resident_is_shown_for_a_purpose_only(
    split: tuple[Alarm, UUID], auditor: Client
) -> None:
    alarm, ann = split
    everywhere = page_of(auditor, alarm) + text(auditor.get("/console/alarms"))
    assert "39,600" not in everywhere
    assert str(ann) not in everywhere
    shown = text(auditor.post(f"/console/alarms/{alarm.pk}", PURPOSE, follow=True))
    assert "¥39,600" in shown


def test_records_of_a_protected_resident_are_for_named_officers(split: tuple[Alarm, UUID], auditor: Client) -> None:
    alarm, ann = split
    Resident.objects.create(ref=ann, resident_from=date(2010, 1, 1), is_protected=True)
    shown = text(auditor.post(f"/console/alarms/{alarm.pk}", PURPOSE, follow=True))
    assert "corner-shop 1" not in shown
    assert "4 records of protected residents are for named officers." in shown
    named = signed_in(Role.AUDITOR, Role.PROTECTED_OFFICER, name="bea")
    assert "corner-shop 1" in text(named.post(f"/console/alarms/{alarm.pk}", PURPOSE, follow=True))


@pytest.mark.parametrize("role", [Role.CLERK, Role.HELPDESK, Role.OPERATOR])
def test_alarms_and_rules_are_auditors_alone(stack: tuple[Alarm, list[UUID]], role: Role) -> None:
    client = signed_in(role)
    alarm, _ = stack
    for path in ("", "/rules", "/rules/cards_in_a_row", f"/{alarm.pk}"):
        assert client.get(f"/console/alarms{path}").status_code == 404
    for path in ("/dismiss", "/undo", f"/{alarm.pk}/look", f"/{alarm.pk}/case", "/rules/cards_in_a_row"):
        assert client.post(f"/console/alarms{path}").status_code == 404


def test_alarms_are_listed_by_rule_year_and_state(stack: tuple[Alarm, list[UUID]], auditor: Client) -> None:
    raise_alarms([Cause("chain_fork", "till-1:9", {"seq": 9})], at=timezone.now())
    alarm, _ = stack
    fork = Alarm.objects.get(kind="chain_fork")
    auditor.post(f"/console/alarms/{alarm.pk}/look")

    def listed(query: str) -> set[int]:
        page = text(auditor.get(f"/console/alarms?{query}"))
        return {int(number) for number in re.findall(r'<a href="/console/alarms/(\d+)">', page)}

    assert listed("") == {alarm.pk, fork.pk}
    assert listed("kind=chain_fork") == {fork.pk}
    assert listed(f"year={YEAR}") == {alarm.pk}
    assert listed(f"year={timezone.localdate().year}") == {fork.pk}
    assert listed("state=new") == {fork.pk}
    assert listed("state=looked_at") == {alarm.pk}
    assert "till-1:9" in page_of(auditor, fork)


def test_alarms_are_dismissed_together_with_a_reason_and_that_is_undone(ledger: Ledger, auditor: Client) -> None:
    raise_alarms([Cause("chain_fork", f"till-1:{n}", {"seq": n}) for n in range(3)], at=timezone.now())
    first, second, third = Alarm.objects.order_by("pk")
    auditor.post(f"/console/alarms/{third.pk}/case")
    chosen = {"alarm": [first.pk, second.pk, third.pk], "next": "/console/alarms?kind=chain_fork"}
    assert "Say why the alarms are dismissed." in text(auditor.post("/console/alarms/dismiss", chosen, follow=True))
    page = text(auditor.post("/console/alarms/dismiss", chosen | {"reason": "A till was repaired"}, follow=True))
    assert set(AlarmReview.objects.filter(state="dismissed").values_list("alarm", flat=True)) == {first.pk, second.pk}
    batch = re.search(r'name="batch" value="([^"]+)"', page)
    assert batch
    assert "A till was repaired" in page_of(auditor, first)
    auditor.post("/console/alarms/undo", {"batch": batch[1], "next": "https://evil.example/"})
    assert not AlarmReview.objects.filter(state="dismissed").exists()
    assert "Somebody dealt with" in text(auditor.post("/console/alarms/undo", {"batch": batch[1]}, follow=True))


def test_a_case_is_opened_from_an_alarm_once(stack: tuple[Alarm, list[UUID]], auditor: Client) -> None:
    alarm, _ = stack
    for _number in range(2):
        auditor.post(f"/console/alarms/{alarm.pk}/case")
    case = Case.objects.get()
    assert (case.source, case.source_id, case.title) == ("alarm", alarm.pk, "Many cards at one till in a row")
    assert case.subject.startswith("terminal:")
    assert AlarmReview.objects.get().case == case


def test_a_threshold_is_changed_with_a_reason_and_its_versions_are_told(
    stack: tuple[Alarm, list[UUID]], auditor: Client
) -> None:
    path = "/console/alarms/rules/cards_in_a_row"
    form = {"cards": 12, "gap_s": 35, "is_on": "on", "version": 1}
    assert "This field is required" in text(auditor.post(path, form))
    page = text(auditor.post(path, form | {"reason": "The market is busy"}, follow=True))
    assert rule_in_force("cards_in_a_row").rule.thresholds == {"cards": 12, "gap_s": 35}
    assert "The market is busy" in page
    assert "The rule was changed by somebody else" in text(auditor.post(path, form | {"reason": "again", "cards": 9}))
    assert AlarmRule.objects.filter(code="cards_in_a_row").count() == 2
    assert "version 1" in page_of(auditor, stack[0])
    assert "raised at once" in text(auditor.get("/console/alarms/rules"))
    assert "cannot be switched off" in text(auditor.get("/console/alarms/rules/chain_gap"))
    assert auditor.get("/console/alarms/rules/nothing").status_code == 404


def test_the_list_takes_as_many_queries_for_many_alarms_as_for_few(ledger: Ledger, auditor: Client) -> None:
    def of_list() -> int:
        return queries_of(auditor, "/console/alarms")

    def stacks(days: range) -> None:
        for day in days:
            till = ledger.till(f"till-{day}")
            run_of(ledger, [uuid4() for _ in range(8)], till, at(f"2017-04-{day:02} 18:00"), 5)
        looked("cards_in_a_row")

    stacks(range(1, 3))
    few = of_list()
    stacks(range(3, 12))
    assert of_list() == few <= 14
