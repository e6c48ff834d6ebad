"""The auditors' pages of decisions: what is done with one, how they are listed, a letter that cannot be printed."""

import re
import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.refunds.models import Decision
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.deciding import annul, notify
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.verifying import verify_run
from tests.pages import ACTOR, YEAR, approve, as_user, auditor, buy, resident, sent, settle, shown, state_purpose

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return Client(headers={"accept-language": "en"})


def test_a_decision_is_sent_appealed_against_and_decided(client: Client, terminal: int) -> None:
    buy(uuid.uuid4(), terminal, {"reduced": 1_000_000})
    settle(freeze, assess_run, verify_run)
    approve()
    as_user(client, "ann")
    decision, today = Decision.objects.get(), timezone.localdate()
    state_purpose(client, decision.resident_ref)
    path = f"/console/decisions/{decision.pk}"
    assert "not told of this decision yet" in sent(client, f"{path}/appealed", on=today, reason="x")
    assert "This day has not come yet." in sent(client, f"{path}/sent", on=today + timedelta(days=1))
    assert "Enter a valid date." in sent(client, f"{path}/sent", on="yesterday")
    assert "Can be appealed against" in sent(client, f"{path}/sent", on=today)
    assert "no open appeal" not in sent(client, f"{path}/decided", result="amended", outcome="x")
    assert Decision.objects.get().state == Decision.State.NOTIFIED
    assert "The appeal is recorded." in sent(client, f"{path}/appealed", on=today, reason="My <b>reason</b>")
    assert "This field is required." in sent(client, f"{path}/decided", outcome="x")
    page = sent(client, f"{path}/decided", result="amended", outcome="It was a mistake.")
    assert "Appeal decided: amended" in page
    assert "My &lt;b&gt;reason&lt;/b&gt;" in page


def test_decisions_are_listed_by_stage_the_next_deadline_first(client: Client, terminal: int) -> None:
    as_user(client, auditor("ann"))
    assert "There is no such decision." in shown(client, "/console/decisions")
    assert client.get("/console/decisions?year=1999").status_code == 404
    today, now = timezone.localdate(), timezone.now()
    made = [
        annul(uuid.uuid4(), year=YEAR, run=1, amount_minor=100, reason="x", actor=ACTOR, now=now) for _ in range(60)
    ]
    notify([decision.pk for decision in made[:3]], on=today, actor=ACTOR)
    for decision, days in zip(made[:3], (-5, 30, 7), strict=True):
        Decision.objects.filter(pk=decision.pk).update(appeal_until=today + timedelta(days=days))
    page = shown(client, "/console/decisions")
    assert "To be sent (57) Can be appealed against (2) Time to appeal is over (1) Appealed against (0)" in page
    assert "Page 1 of 2" in page
    numbers = re.findall(r"2017-1-\d{6}", page)
    assert numbers[:3] == [made[2].number, made[1].number, made[0].number]
    assert len(numbers) == 50
    assert re.findall(r"2017-1-\d{6}", shown(client, "/console/decisions?stage=expired")) == [made[0].number]
    assert len(re.findall(r"2017-1-\d{6}", shown(client, "/console/decisions?page=2"))) == 10


def test_a_letter_that_cannot_be_printed_is_said(client: Client, terminal: int) -> None:
    ref = resident("hanako")
    decision = annul(ref, year=YEAR, run=1, amount_minor=5, reason="\N{GRINNING FACE}", actor=ACTOR, now=timezone.now())
    for name, path in ((auditor("ann"), f"/console/decisions/{decision.pk}/letter-ja.pdf"), ("hanako", "")):
        as_user(client, name)
        if path:
            state_purpose(client, ref)
        response = client.get(path or f"/decisions/{decision.pk}/letter.pdf", follow=True)
        assert "character that cannot be printed" in response.content.decode()
