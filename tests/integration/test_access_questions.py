"""Residents ask why somebody looked; who did not look answers, for the office or as an auditor."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone

from apps.audit.access import Access
from apps.audit.models import AccessRecord
from apps.audit.officers import Role
from apps.audit.operations import record_accesses
from apps.portal.models import Account
from apps.residents.models import AccessQuestion, Message
from apps.residents.operations.erasing import erase_resident
from apps.residents.operations.questions import AnswererLooked, answer_why
from tests.identities import enter
from tests.offices import OFFICE, signed_in, text
from tests.pages import queries_of, shown
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
EN = {"accept-language": "en"}
ASKED = "Why on a Sunday?"
ANSWER = "A letter to you had come back, and your address was compared."


@pytest.fixture
def hanako(world: World, client: Client) -> UUID:
    """The first resident, signed in; the second could be."""
    for number, ref in enumerate(world.residents):
        enter(ref)
        user = User.objects.create_user(("hanako", "taro")[number])
        Account.objects.create(user=user, resident_ref=ref)
    client.force_login(User.objects.get(username="hanako"))
    return world.residents[0]


def looked(ref: UUID, *, who: str = "ann", role: str = Role.CLERK, office: str = OFFICE) -> AccessRecord:
    record_accesses(Access(f"user:{who}", role, office, "card"), [ref], what="page:cards", at=timezone.now())
    return AccessRecord.objects.latest("pk")


def ask(client: Client, record: AccessRecord, words: str = ASKED) -> AccessQuestion:
    client.post(f"/accesses/{record.pk}/ask", {"words": words})
    return AccessQuestion.objects.get(record=record)


def test_a_question_goes_to_the_office_and_its_answer_back(client: Client, hanako: UUID) -> None:
    record = looked(hanako)
    assert "Ask why" in shown(client, "/accesses")
    assert "The office answers within 30 days" in shown(client, f"/accesses/{record.pk}/ask")
    question = ask(client, record)
    assert question.reply_by_date == timezone.localdate() + timedelta(days=30)
    page = shown(client, "/accesses")
    assert "You asked on" in page
    assert "Ask why" not in page
    assert "asked about this before" in text(client.post(f"/accesses/{record.pk}/ask", {}, follow=True, headers=EN))
    assert AccessQuestion.objects.count() == 1

    bea = signed_in(Role.CLERK, name="bea")
    assert f"Question {question.pk}" in text(bea.get("/office/questions"))
    page = text(bea.get(f"/office/questions/{question.pk}"))
    assert ASKED in page
    assert str(hanako) not in page
    assert "The answer is sent" in text(bea.post(f"/office/questions/{question.pk}", {"answer": ANSWER}, follow=True))
    page = shown(client, "/accesses")
    assert ANSWER in page
    assert "bea" not in page
    assert Message.objects.get(kind="question_answered").resident_ref == hanako
    again = bea.post(f"/office/questions/{question.pk}", {"answer": "Another"})
    assert "answered before" in text(again)
    assert AccessQuestion.objects.get().answer == ANSWER


def test_who_looked_does_not_answer(client: Client, hanako: UUID) -> None:
    question = ask(client, looked(hanako, who="ann"))
    ann = signed_in(Role.CLERK, name="ann")
    assert "you looked: somebody else answers" in text(ann.get("/office/questions"))
    page = text(ann.get(f"/office/questions/{question.pk}"))
    assert "<textarea" not in page
    assert "You looked yourself" in text(ann.post(f"/office/questions/{question.pk}", {"answer": ANSWER}))
    with pytest.raises(AnswererLooked):
        answer_why(question, ANSWER, at=timezone.now(), actor="user:ann")
    with pytest.raises(IntegrityError):
        AccessQuestion.objects.update(answered_at=timezone.now(), answered_by="user:ann", answer=ANSWER)


def test_offices_answer_for_their_own_and_auditors_for_all(client: Client, hanako: UUID) -> None:
    ours = ask(client, looked(hanako))
    theirs = ask(client, looked(hanako, who="zoe", office="Elsewhere"))
    audited = ask(client, looked(hanako, who="ulla", role=Role.AUDITOR))  # of the same office, and yet no clerk's
    bea, vera = signed_in(Role.CLERK, name="bea"), signed_in(Role.AUDITOR, name="vera")
    assert [text(bea.get("/office/questions")).count(f">Question {q.pk}<") for q in (ours, theirs, audited)] == [
        1,
        0,
        0,
    ]
    for question in (theirs, audited):
        assert bea.get(f"/office/questions/{question.pk}").status_code == 404
        assert bea.post(f"/office/questions/{question.pk}", {"answer": "x"}).status_code == 404
    page = text(vera.get("/console/questions"))
    assert all(f">Question {q.pk}<" in page for q in (ours, theirs, audited))
    vera.post(f"/console/questions/{audited.pk}", {"answer": ANSWER})
    assert AccessQuestion.objects.get(pk=audited.pk).answered_by == "user:vera"
    helpdesk = signed_in(Role.HELPDESK, name="hilda")
    assert helpdesk.get("/office/questions").status_code == helpdesk.get("/console/questions").status_code == 404


def test_questions_that_are_late_say_so_and_come_first(client: Client, hanako: UUID) -> None:
    late, open_one = ask(client, looked(hanako)), ask(client, looked(hanako))
    AccessQuestion.objects.filter(pk=open_one.pk).update(reply_by_date=timezone.localdate() + timedelta(days=9))
    AccessQuestion.objects.filter(pk=late.pk).update(reply_by_date=timezone.localdate() - timedelta(days=1))
    bea = signed_in(Role.CLERK, name="bea")
    page = text(bea.get("/office/questions"))
    assert "late: the answer was promised by" in page
    assert page.index(f"Question {late.pk}<") < page.index(f"Question {open_one.pk}<")
    assert "required" in text(bea.post(f"/office/questions/{late.pk}", {"answer": ""}))


def test_anothers_access_and_ones_own_cannot_be_asked_about(client: Client, hanako: UUID, world: World) -> None:
    theirs = looked(world.residents[1])
    shown(client, "/registration")
    own = AccessRecord.objects.get(role="resident", resident_ref=hanako)
    for record in (theirs, own):
        assert client.get(f"/accesses/{record.pk}/ask").status_code == 404
        assert client.post(f"/accesses/{record.pk}/ask", {"words": "x"}).status_code == 404
    assert client.get("/accesses/999999/ask").status_code == 404
    assert not AccessQuestion.objects.exists()


def test_what_was_asked_and_answered_goes_with_the_resident(client: Client, hanako: UUID) -> None:
    question = ask(client, looked(hanako), "I am Hanako Yoshida")
    answer_why(question, ANSWER, at=timezone.now(), actor="user:bea")
    erase_resident(hanako, reason="test", at=timezone.now(), actor="test")
    assert AccessQuestion.objects.values_list("words", "answer").get() == ("", "")


def test_pages_of_accesses_cost_the_same_with_questions(client: Client, hanako: UUID) -> None:
    looked(hanako)
    few = queries_of(client, "/accesses")
    for _ in range(20):
        ask(client, looked(hanako))
    assert queries_of(client, "/accesses") == few
    bea = signed_in(Role.CLERK, name="bea")
    many = queries_of(bea, "/office/questions")
    AccessQuestion.objects.exclude(pk=AccessQuestion.objects.latest("pk").pk).delete()
    assert queries_of(bea, "/office/questions") == many


def test_mails_of_the_system_are_said_in_one_line_and_the_promise_of_delay_in_words(
    client: Client, hanako: UUID
) -> None:
    for _ in range(3):
        system = Access("e-mail", "system", "", "e-mail")
        record_accesses(system, [hanako], what="vault:contact", at=timezone.now())
    page = shown(client, "/accesses")
    assert "Besides, the system opened your e-mail address 3 times" in page
    assert "a second officer can delay the notice" in page
    assert "Nobody has looked at your data" in page
