"""Cases in the console and the reply in the portal: who sees what, for which purpose, and what pages cost."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.audit.models import AccessRecord, Alarm
from apps.audit.officers import Role
from apps.audit.operations import Cause, raise_alarms
from apps.inspections.models import Annulment, Case, Note
from apps.merchants.models import Terminal
from apps.portal.models import Account
from apps.refunds.models import Decision
from apps.residents.models import Resident
from tests.disputing import object_to
from tests.inspecting import ANN, approved, case_about, held_against, proposed, replied
from tests.judging import key
from tests.offices import sent, signed_in, text
from tests.pages import queries_of, shown, state_purpose
from tests.till import RawTill, totals
from tests.world import World
from tests.year_end import count

pytestmark = pytest.mark.django_db(transaction=True)
FOOD = 5_500


@pytest.fixture
def hanako(known: World, till: RawTill, client: Client) -> UUID:
    """The first resident, signed in, who bought twice; and the second, who is not and bought once."""
    for number, resident in enumerate(known.residents):
        user = User.objects.create_user(("hanako", "taro")[number])
        Account.objects.create(user=user, resident_ref=resident)
    client.force_login(User.objects.get(username="hanako"))
    count(till, till.sale(reduced=FOOD), till.sale(reduced=FOOD), till.sale(known.residents[1], reduced=FOOD))
    return known.residents[0]


def purchase_in(case: Case, seq: int = 1) -> str:
    return f"/console/cases/{case.pk}/purchases/{key(seq)[0]}/{seq}"


def about(seq: int = 1) -> str:
    return f"purchase:{key(seq)[0]}/{seq}"


def opened_by(name: str, case: Case, ref: UUID, *more: Role) -> Client:
    """An auditor who said that they look at the resident in this case."""
    browser = signed_in(Role.AUDITOR, *more, name=name)
    state_purpose(browser, ref, purpose="fraud", case=case.number)
    return browser


def test_an_alarm_becomes_a_case_with_what_it_is_about_as_evidence(hanako: UUID) -> None:
    terminal_id, seq = key(1)
    detail: dict[str, object] = {"terminal_id": terminal_id, "seq": seq}
    raise_alarms([Cause("card_cloned", f"{terminal_id}:{seq}", detail)], at=timezone.now())
    ann = signed_in(Role.AUDITOR)
    alarm = Alarm.objects.get()
    assert f'action="/console/alarms/{alarm.pk}/case"' in text(ann.get(f"/console/alarms/{alarm.pk}"))
    page = sent(ann, f"/console/alarms/{alarm.pk}/case")
    case = Case.objects.get()
    assert (case.source, case.source_id, case.subject, case.opened_by) == ("alarm", alarm.pk, about(), ANN)
    assert "A card's counter was used twice: a copy?" in page
    records = [f"alarm:{alarm.pk}", about(), f"terminal:{terminal_id}"]
    assert list(Note.objects.order_by("pk").values_list("record", flat=True)) == records
    sent(ann, f"/console/alarms/{alarm.pk}/case")  # again: the one that there is
    assert (Case.objects.count(), Note.objects.count()) == (1, 3)
    assert ann.post("/console/alarms/999/case").status_code == 404


def test_a_dispute_becomes_a_case_about_its_resident(hanako: UUID) -> None:
    dispute = object_to(hanako, 1)
    ann = signed_in(Role.AUDITOR)
    state_purpose(ann, hanako, purpose="dispute")
    assert f'action="/console/cases/from-dispute/{dispute.pk}"' in text(ann.get(f"/console/disputes/{dispute.pk}"))
    assert dispute.number in sent(ann, f"/console/cases/from-dispute/{dispute.pk}")
    assert Case.objects.get().subject == f"resident:{hanako}"
    assert list(Note.objects.order_by("pk").values_list("record", flat=True)) == [f"dispute:{dispute.pk}", about()]


def test_a_case_is_opened_by_hand_about_something_that_is_there(hanako: UUID) -> None:
    ann = signed_in(Role.AUDITOR)
    wrong = [
        ("terminal", "x"),
        ("terminal", "999999"),
        ("purchase", "7"),
        ("resident", "x"),
        ("resident", f"{uuid4()}"),
    ]
    for kind, reference in [*wrong, ("merchant", "9" * 10), ("run", "2017/1"), ("alarm", "1")]:
        page = text(ann.post("/console/cases/new", {"title": "T", "kind": kind, "reference": reference}))
        assert 'aria-describedby="id_reference_error"' in page, (kind, reference)
    assert not Case.objects.exists()
    terminal = Terminal.objects.get(pk=key(1)[0])
    form = {"title": "Many cards in a row", "kind": "purchase", "reference": f"{terminal.pk} - １"}
    assert "Many cards in a row" in sent(ann, "/console/cases/new", **form)
    assert Case.objects.get().subject == about()


def test_cases_are_listed_by_who_has_them_and_where_they_come_from(hanako: UUID) -> None:
    ann, ben = signed_in(Role.AUDITOR), signed_in(Role.AUDITOR, name="ben")
    assert "There is no such case." in text(ann.get("/console/cases"))
    case, path = case_about("terminal:1"), "/console/cases"
    here = f"{path}/{case.pk}"
    assert "Take the case" in text(ann.get(here))
    assert "The case is given to ann." in sent(ann, f"{here}/assign", to="ann")
    assert (case.number in text(ann.get(f"{path}?stage=mine")), case.number in text(ben.get(f"{path}?stage=mine"))) == (
        True, False,
    )  # fmt: skip
    assert case.number not in text(ann.get(f"{path}?stage=unassigned"))
    assert "The case is given to ben." in sent(ann, f"{here}/assign", to="ben")
    assert "members of the auditors' group" in sent(ann, f"{here}/assign", to="hanako")
    assert "The case is given back." in sent(ben, f"{here}/assign", to="")
    assert case.number in text(ann.get(f"{path}?stage=unassigned&kind=search"))
    assert case.number not in text(ann.get(f"{path}?kind=alarm"))
    assert "This field is required." in text(ann.post(f"{here}/close", {"outcome": "explained"}))
    assert "two annulled" in sent(ann, f"{here}/close", outcome="annulled", reasons="x")
    assert "The case is closed." in sent(ann, f"{here}/close", outcome="explained", reasons="A festival.")
    assert "A festival." in text(ben.get(here))
    assert case.number not in text(ann.get(path))
    assert case.number in text(ann.get(f"{path}?stage=closed"))
    assert "The case is closed. Open another" in sent(ann, f"{here}/comment", text="late")


def test_comments_and_evidence_say_who_and_when(hanako: UUID) -> None:
    ann = signed_in(Role.AUDITOR)
    here = f"/console/cases/{case_about('terminal:1').pk}"
    assert "The shop was asked." in sent(ann, f"{here}/comment", text="The shop was asked.")
    form = {"kind": "purchase", "reference": f"{key(1)[0]}/1", "text": "Sold at night"}
    page = sent(ann, f"{here}/evidence", **form)
    assert "Sold at night" in page
    assert ", ann</td>" in page
    assert 'aria-describedby="evidence_reference_error"' in text(
        ann.post(f"{here}/evidence", form | {"reference": "x"})
    )
    assert Note.objects.filter(added_by=ANN).count() == 2


def test_a_purchase_is_shown_for_this_cases_number_only_and_the_look_is_on_record_first(
    client: Client, hanako: UUID
) -> None:
    case = case_about(about())
    ann = signed_in(Role.AUDITOR)
    to = ann.get(purchase_in(case))["Location"]
    assert to.startswith(f"/console/purpose/{hanako}")
    assert f'value="{case.number}"' in text(ann.get(to))
    state_purpose(ann, hanako, purpose="fraud", case="C-999999")
    assert ann.get(purchase_in(case))["Location"] == to
    assert ann.post(f"{purchase_in(case)}/hear", {"charge": "x"})["Location"] == to
    assert not AccessRecord.objects.exists()
    state_purpose(ann, hanako, purpose="fraud", case=case.number)
    assert "Tell the resident" in text(ann.get(purchase_in(case)))
    record = AccessRecord.objects.get()
    assert (record.resident_ref, record.what, record.case, record.actor) == (
        hanako, f"case-purchase {case.number}", case.number, ANN,
    )  # fmt: skip
    assert f"purchase, in the case {case.number}" in shown(client, "/accesses")
    for seq in (2, 3, 99):  # the case names none of these
        assert ann.get(purchase_in(case, seq)).status_code == 404
    assert ann.get(f"/console/cases/{case.pk}/residents/{hanako}").status_code == 404
    assert ann.get(f"/console/cases/{case.pk}/purchases/{2**40}/1").status_code == 404


def test_all_purchases_of_a_resident_whom_a_case_is_about_are_listed(client: Client, hanako: UUID) -> None:
    case = case_about(f"resident:{hanako}")
    ann = opened_by("ann", case, hanako)
    page = text(ann.get(f"/console/cases/{case.pk}/residents/{hanako}"))
    assert page.count(f"/console/cases/{case.pk}/purchases/") == 2
    assert AccessRecord.objects.get().what == f"case-purchases {case.number}"
    assert ann.get(purchase_in(case, 2)).status_code == 200
    assert ann.get(purchase_in(case, 3)).status_code == 404  # another's


def test_a_protected_residents_purchases_are_for_named_officers(hanako: UUID) -> None:
    case = case_about(f"resident:{hanako}")
    annulment = proposed(replied(held_against(hanako, 1, case=case)))
    Resident.objects.filter(pk=hanako).update(is_protected=True)
    ben = opened_by("ben", case, hanako)
    shown_at = annulment.proposed_at.isoformat() if annulment.proposed_at else ""
    for path in (purchase_in(case), f"/console/cases/{case.pk}/residents/{hanako}"):
        assert "an officer for protected residents" in text(ben.get(path, follow=True))
    assert AccessRecord.objects.latest("pk").what == "refused: protected"
    for act in ("propose", "approve", "send-back", "drop"):
        page = sent(ben, f"/console/annulments/{annulment.pk}/{act}", shown=shown_at, reasons="x")
        assert "an officer for protected residents" in page, act
    assert Annulment.objects.get().state == "proposed"
    dan = opened_by("dan", case, hanako, Role.PROTECTED_OFFICER)
    sent(dan, f"/console/annulments/{annulment.pk}/approve", shown=shown_at)
    assert Annulment.objects.get().state == "approved"


def test_from_the_hearing_to_the_decision_through_the_pages(client: Client, hanako: UUID) -> None:
    case = case_about(about())
    ann, ben = opened_by("ann", case, hanako), opened_by("ben", case, hanako)
    here, today = purchase_in(case), timezone.localdate()
    early = {"charge": "No goods", "reply_until": (today + timedelta(days=13)).isoformat()}
    assert "at least two weeks" in text(ann.post(f"{here}/hear", early))
    form = early | {"reply_until": (today + timedelta(days=14)).isoformat()}
    assert "The resident is told" in sent(ann, f"{here}/hear", **form)
    annulment = Annulment.objects.get()
    mine, act = f"/hearings/{annulment.pk}", f"/console/annulments/{annulment.pk}"
    assert f'href="{mine}"' in client.get("/messages").content.decode()
    assert "The resident may still reply." in sent(ann, f"{act}/propose", reasons="No goods.")
    assert "Propose the annulment" not in text(ann.get(here))
    page = shown(client, mine)
    assert "No goods" in page
    assert case.number in page
    assert "This field is required." in text(client.post(f"{mine}/reply", {}, headers={"accept-language": "en"}))
    client.post(f"{mine}/reply", {"words": "I bought rice."})
    page = shown(client, mine)
    assert "I bought rice." in page
    assert "Send the reply" not in page
    assert "The annulment is proposed." in sent(ann, f"{act}/propose", reasons="The till was empty.")
    assert "The till was empty." not in shown(client, mine)  # not decided yet
    assert "Approve the annulment" not in text(ann.get(here))
    proposed_at = Annulment.objects.get().proposed_at
    shown_at = proposed_at.isoformat() if proposed_at else ""
    assert "another officer has to do this" in sent(ann, f"{act}/approve", shown=shown_at)
    assert shown_at in text(ben.get(here))
    assert "The purchase is annulled" in sent(ben, f"{act}/approve", shown=shown_at)
    assert totals(hanako)[2017, 1, 8, "reduced"] == (FOOD, 1)
    decision = Decision.objects.get()
    assert "does not count" in shown(client, mine)
    assert "The till was empty." in shown(client, f"/decisions/{decision.pk}")
    assert client.get(f"/decisions/{decision.pk}/letter.pdf").content.startswith(b"%PDF")
    assert "annulled after a check" in shown(client, f"/purchases/{key(1)[0]}/1").lower()
    client.post(f"/decisions/{decision.pk}/appeal", {"reason": "There was rice."})
    for name, said in (("ann", "another officer has to do this"), ("cat", "The appeal is decided.")):
        browser = opened_by(name, case, hanako)
        page = sent(browser, f"/console/decisions/{decision.pk}/decided", result="amended", outcome="There was.")
        assert said in page
    assert totals(hanako)[2017, 1, 8, "reduced"] == (2 * FOOD, 2)
    assert "Your appeal was right" in shown(client, mine)


def test_a_resident_finds_all_that_was_held_against_their_purchases_in_one_list(
    client: Client, hanako: UUID, known: World
) -> None:
    assert "Nothing was held against any of your purchases." in shown(client, "/hearings")
    open_one, annulled = held_against(hanako, 1), approved(proposed(replied(held_against(hanako, 2))))
    anothers = held_against(known.residents[1], 3)
    page = shown(client, "/hearings")
    assert "You can reply until" in page
    assert "The purchase does not count" in page
    assert page.count("Purchase of") == 2
    links = client.get("/hearings").content.decode()
    listed = [f'href="/hearings/{one.pk}"' in links for one in (open_one, annulled, anothers)]
    assert listed == [True, True, False]
    assert 'href="/hearings"' in client.get(f"/hearings/{open_one.pk}").content.decode()


def test_what_is_held_against_anothers_purchase_is_not_there(client: Client, hanako: UUID, known: World) -> None:
    anothers = held_against(known.residents[1], 3)
    assert client.get(f"/hearings/{anothers.pk}").status_code == 404
    assert client.post(f"/hearings/{anothers.pk}/reply", {"words": "x"}).status_code == 404
    assert Annulment.objects.get().replied_at is None


def test_pages_take_the_same_queries_however_many_cases_there_are(client: Client, hanako: UUID, till: RawTill) -> None:
    case = case_about(f"resident:{hanako}")
    approved(proposed(replied(held_against(hanako, 2, case=case))))
    annulment = held_against(hanako, 1, case=case)
    ann = opened_by("ann", case, hanako)
    pages = (
        (ann, "/console/cases"), (ann, f"/console/cases/{case.pk}"), (ann, purchase_in(case)),
        (ann, f"/console/cases/{case.pk}/residents/{hanako}"), (client, f"/hearings/{annulment.pk}"),
        (client, "/hearings"),
    )  # fmt: skip
    few = [queries_of(*page) for page in pages]
    count(till, *(till.sale(reduced=FOOD) for _ in range(5)))
    for seq in range(4, 9):
        approved(proposed(replied(held_against(hanako, seq, case=case))))
        sent(ann, f"/console/cases/{case.pk}/evidence", kind="purchase", reference=f"{key(1)[0]}/{seq}", text="x")
        sent(ann, f"/console/cases/{case.pk}/comment", text="x")
    for number in range(60):
        case_about(f"terminal:{number}")
    assert "Page 1 of 2" in text(ann.get("/console/cases"))
    assert [queries_of(*page) for page in pages] == few
