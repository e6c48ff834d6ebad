"""What alarms say of a card, a place and a day goes with the purchases that they are about."""

from datetime import date
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone

from apps.accruals.operations.erasing import erase_purchases
from apps.accruals.operations.forgetting import forget_disputes_about
from apps.accruals.operations.years import start_year
from apps.audit.models import Alarm
from apps.audit.officers import Role
from apps.inspections.models import AlarmFinding, AlarmRecord, Case
from apps.inspections.operations.alarm_reviews import dismiss, take_into_case
from apps.kernel.progress import nothing_seen
from apps.purchases.following import Key
from apps.schemes.operations import SHIPPED, load_scheme
from tests.alarms import YEAR, Ledger, at, looked, run_of
from tests.offices import signed_in, text

pytestmark = pytest.mark.django_db(transaction=True)
NEW_ALARM, DISMISSED, IN_CASE = "new", "dismissed", "in_case"


@pytest.fixture
def ledger(db: None) -> Ledger:
    now = timezone.now()
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=now, actor="test")
    start_year(YEAR, version, deadline=date(now.year + 2, 1, 1), at=now, actor="test")
    return Ledger()


def split(ledger: Ledger, day: int) -> Alarm:
    """The alarm of a card's four purchases at one till, just below a round amount."""
    for minute in range(4):
        ledger.sale(UUID(int=day), ledger.till("a"), at(f"2017-04-0{day} 09:0{minute}"), 9_900)
    looked("split_purchases")
    return Alarm.objects.latest("pk")


def reviewed(alarm: Alarm, how: str) -> None:
    if how == DISMISSED:
        dismiss([alarm.pk], reason="a party", at=timezone.now(), actor="user:ann")
    elif how == IN_CASE:
        take_into_case(alarm, title="Split", at=timezone.now(), actor="user:ann")


def test_alarms_of_a_year_go_with_its_purchases_and_those_in_a_case_say_only_their_rule(ledger: Ledger) -> None:
    for day, how in enumerate((NEW_ALARM, DISMISSED, IN_CASE), start=1):
        reviewed(split(ledger, day), how)
    assert all(":2017-04-0" in key for key in Alarm.objects.values_list("key", flat=True))
    erase_purchases(YEAR, now=timezone.now(), actor="test", seen=nothing_seen)
    left = Alarm.objects.get()
    assert (left.kind, left.key, left.detail) == ("split_purchases", f"forgotten:{left.pk}", {})
    assert AlarmFinding.objects.get().measured == {}
    assert not AlarmRecord.objects.exists()
    auditor: Client = signed_in(Role.AUDITOR)
    assert "Purchases split below a limit" in text(auditor.get(f"/console/alarms/{left.pk}"))
    assert auditor.get(f"/console/cases/{Case.objects.get().pk}").status_code == 200


def test_an_alarm_goes_with_the_last_of_its_purchases_that_is_withdrawn(ledger: Ledger) -> None:
    alarm, other = split(ledger, 1), split(ledger, 2)
    records = list(AlarmRecord.objects.filter(alarm=alarm).order_by("position"))
    for place, record in enumerate(records):
        assert AlarmRecord.objects.filter(alarm=alarm).count() == len(records) - place
        assert Alarm.objects.filter(pk=alarm.pk).exists()
        forget_disputes_about(Key(record.terminal_id, record.seq))
    assert list(Alarm.objects.all()) == [other]


def test_an_alarm_about_others_too_stays_and_names_the_withdrawn_purchase_no_more(ledger: Ledger) -> None:
    run_of(ledger, [uuid4() for _ in range(10)], ledger.till("a"), at("2017-04-03 18:00"), 5)
    looked("cards_in_a_row")
    record = AlarmRecord.objects.earliest("position")
    forget_disputes_about(Key(record.terminal_id, record.seq))
    assert AlarmRecord.objects.count() == 9
    assert Alarm.objects.get().kind == "cards_in_a_row"
