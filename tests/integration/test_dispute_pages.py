"""Disputes in the portal and in the console: whose they are, who opens them, photos, and what pages cost."""

import io
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.utils import timezone
from PIL import Image

from apps.accruals.models import Dispute, Entry
from apps.audit.models import AccessRecord, Event
from apps.audit.officers import Role
from apps.portal.models import Account
from apps.refunds.operations import adjudicating
from apps.residents.key_documents import Kind
from apps.residents.models import Photo, Resident
from apps.residents.operations.rotating import Change, KeyInUse, retire, rotate
from tests.disputing import ANN, BEN, approve, decide, object_to, propose, report
from tests.judging import key
from tests.offices import officer, signed_in, text
from tests.pages import queries_of, shown, state_purpose
from tests.till import RawTill, totals
from tests.unit.test_pictures import with_place
from tests.world import World
from tests.year_end import count

pytestmark = pytest.mark.django_db(transaction=True)
EN = {"accept-language": "en"}


@pytest.fixture
def hanako(known: World, client: Client) -> UUID:
    """The first resident, signed in, and the second, who is not."""
    for number, resident in enumerate(known.residents):
        user = User.objects.create_user(("hanako", "taro")[number])
        Account.objects.create(user=user, resident_ref=resident)
    client.force_login(User.objects.get(username="hanako"))
    return known.residents[0]


def sent(client: Client, path: str, **form: Any) -> str:
    return text(client.post(path, form, follow=True, headers=EN))


def begun_at(seq: int) -> str:
    terminal_id, _ = key(seq)
    return f"/purchases/{terminal_id}/{seq}/dispute"


def asked_for_photo(dispute: Dispute) -> Dispute:
    return adjudicating.ask(dispute.pk, question="A photo, please.", wants_photo=True, at=timezone.now(), actor=ANN)


def test_a_wrong_tier_is_disputed_in_three_steps(client: Client, hanako: UUID, till: RawTill) -> None:
    count(till, till.sale(standard=5_500))
    page = client.get(begun_at(1), headers=EN).content.decode()
    assert 'href="?kind=wrong_tier"' in page
    page = shown(client, f"{begun_at(1)}?kind=wrong_tier")
    assert "for example" in page
    form = {"kind": "wrong_tier", "tier_reduced": "5500", "tier_standard": "", "words": "It was rice."}
    page = sent(client, begun_at(1), step="check", **form)
    assert "You get an answer by" in page
    assert not Dispute.objects.exists()
    page = sent(client, begun_at(1), step="send", **form)
    assert "The refund office has your dispute" in page
    dispute = Dispute.objects.get()
    assert (dispute.amounts, dispute.words) == ({"reduced": 5_500}, "It was rice.")
    assert "It was rice." in page
    decide(dispute)
    page = shown(client, f"/disputes/{dispute.pk}")
    assert "You were right" in page
    assert "The receipt says so." in page
    assert "Refund so far ¥100" in shown(client, "/year/2017")
    assert "The refund office changed the amounts by tier" in shown(client, begun_at(1).removesuffix("/dispute"))


def test_what_cannot_be_is_said_beside_the_field(client: Client, hanako: UUID, till: RawTill) -> None:
    count(till, till.sale(standard=5_500))
    same = {"kind": "wrong_tier", "tier_standard": "5500"}
    assert "These are the amounts that the purchase has already" in sent(client, begun_at(1), step="check", **same)
    nothing = sent(client, begun_at(1), step="check", kind="wrong_tier")
    assert "Give the amount of at least one kind of goods." in nothing
    assert 'aria-describedby="id_tier_' in nothing
    where = {"shop": "Baker", "day": "2017-08-03", "time": "10:00"}
    for day, words in (("2999-01-01", "yet to come"), ("2010-01-01", "not collected")):
        assert words in sent(client, "/disputes/missing", step="where", **{**where, "day": day})
    Resident.objects.filter(pk=hanako).update(resident_from="2017-09-01")
    page = sent(client, "/disputes/missing", step="check", tier_reduced="5500", **where)
    assert "You were not resident on that day" in page
    assert not Dispute.objects.exists()


def test_a_missing_purchase_is_reported_in_four_steps(client: Client, hanako: UUID, till: RawTill) -> None:
    where = {"shop": "青果 山田", "day": "2017-08-03", "time": "10:00", "receipt_number": "R-7"}
    assert "What did you buy?" in sent(client, "/disputes/missing", step="where", **where)
    what = where | {"tier_reduced": "5500", "words": ""}
    assert "Check your dispute" in sent(client, "/disputes/missing", step="check", **what)
    assert 'value="5500"' in sent(client, "/disputes/missing", step="amounts", **what)
    assert 'value="青果 山田"' in sent(client, "/disputes/missing", step="edit", **what)
    assert "The refund office has your dispute" in sent(client, "/disputes/missing", step="send", **what)
    decide(Dispute.objects.get())
    terminal_id, seq = Entry.objects.values_list("terminal_id", "seq").get()
    for path in ("/year/2017", "/purchases", f"/purchases/{terminal_id}/{seq}"):
        assert "青果 山田" in shown(client, path), path
    assert "have disputed this before" in sent(client, "/disputes/missing", step="send", **what)


def test_anothers_dispute_is_not_there(client: Client, hanako: UUID, known: World, till: RawTill) -> None:
    other = known.residents[1]
    count(till, till.sale(other, reduced=5), till.sale(other, reduced=5))
    dispute = object_to(other, 1)
    decided = decide(object_to(other, 2), uphold=False)
    terminal_id, _ = key(1)
    assert "You have disputed nothing." in shown(client, "/disputes")
    for found in (dispute, decided):
        for path in ("", "/letter.pdf"):
            assert client.get(f"/disputes/{found.pk}{path}").status_code == 404
        for path in ("/answer", "/withdraw", "/appeal"):
            form = {"text": "x", "words": "x"}
            assert client.post(f"/disputes/{found.pk}{path}", form).status_code == 404
    for path in (
        f"/purchases/{terminal_id}/1/dispute?kind=not_mine", f"/purchases/{terminal_id}/{2**40}/dispute",
        "/purchases/7/7/dispute", f"/disputes/{2**70}",
    ):  # fmt: skip
        assert client.get(path).status_code == 404
    assert client.post(begun_at(1), {"kind": "not_mine", "step": "send"}).status_code == 404
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="taro"))
    assert strict.post(f"/disputes/{dispute.pk}/withdraw").status_code == 403
    assert client.get("/console/disputes").status_code == 404
    assert client.get(f"/console/disputes/{dispute.pk}/photo.jpg").status_code == 404


def test_a_photo_is_taken_only_when_asked_kept_sealed_and_gone_with_the_decision(
    client: Client, hanako: UUID, till: RawTill
) -> None:
    count(till, till.sale(reduced=5_500))
    dispute = object_to(hanako, 1)
    path = f"/disputes/{dispute.pk}"
    adjudicating.ask(dispute.pk, question="Where were you?", wants_photo=False, at=timezone.now(), actor=ANN)
    assert 'type="file"' not in client.get(path).content.decode()
    file = SimpleUploadedFile("r.jpg", with_place(), "image/jpeg")
    client.post(f"{path}/answer", {"text": "At home.", "photo": file})
    assert not Photo.objects.exists()
    asked_for_photo(dispute)
    assert 'type="file"' in client.get(path).content.decode()
    bad = SimpleUploadedFile("r.jpg", b"<svg/>", "image/jpeg")
    assert "cannot be taken" in sent(client, f"{path}/answer", photo=bad)
    file = SimpleUploadedFile("r.jpg", with_place(), "image/jpeg")
    assert "Your answer is with the refund office" in sent(client, f"{path}/answer", photo=file)
    kept = bytes(Photo.objects.get().picture)
    assert b"JFIF" not in kept
    assert Photo.objects.get().key_version == 1
    officer_client = signed_in(Role.AUDITOR)
    state_purpose(officer_client, hanako, purpose="dispute")
    before = AccessRecord.objects.count()
    response = officer_client.get(f"/console/disputes/{dispute.pk}/photo.jpg")
    assert response["Content-Type"] == "image/jpeg"
    picture = Image.open(io.BytesIO(response.content))
    assert picture.size == (480, 640)
    assert not dict(picture.getexif())
    assert AccessRecord.objects.count() == before + 1
    assert "photo of a dispute D-2017" in shown(client, "/accesses")
    decide(dispute)
    assert not Photo.objects.exists()
    assert officer_client.get(f"/console/disputes/{dispute.pk}/photo.jpg").status_code == 302


def test_a_photo_is_held_in_memory_only_and_a_too_large_one_is_said(
    client: Client, hanako: UUID, till: RawTill, settings: Any
) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = "/nowhere"  # Django would write files of over 2.5 MB there
    dispute = asked_for_photo(report(hanako, reduced=5))
    path = f"/disputes/{dispute.pk}/answer"
    padded = with_place() + b"\0" * (10 * 2**20 - 10_000)
    for size in (1, 20):
        large = SimpleUploadedFile("r.jpg", padded + b"\0" * size * 2**20, "image/jpeg")
        assert "The file is larger than 10 MB." in sent(client, path, photo=large, text="Here it is.")
    assert Dispute.objects.get().state == "asked"
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="hanako"))
    assert strict.post(path, {"text": "forged"}).status_code == 403
    assert "Your answer is with" in sent(client, path, photo=SimpleUploadedFile("r.jpg", padded, "image/jpeg"))
    assert Photo.objects.exists()


def test_a_photo_goes_with_the_withdrawal_and_moves_to_a_new_key(client: Client, hanako: UUID, till: RawTill) -> None:
    dispute = asked_for_photo(report(hanako, reduced=5))
    client.post(f"/disputes/{dispute.pk}/answer", {"photo": SimpleUploadedFile("r.jpg", with_place(), "image/jpeg")})
    change = Change(kind=Kind.VAULT, mode="", at=timezone.now(), actor="test")
    rotate(change)
    assert Photo.objects.get().key_version == 2
    retire(change, 1)
    officer_client = signed_in(Role.AUDITOR)
    state_purpose(officer_client, hanako, purpose="dispute")
    assert officer_client.get(f"/console/disputes/{dispute.pk}/photo.jpg").status_code == 200
    assert "The dispute is withdrawn." in sent(client, f"/disputes/{dispute.pk}/withdraw")
    assert not Photo.objects.exists()
    with pytest.raises(KeyInUse):
        retire(change, 2)


def test_officers_decide_in_the_console_and_every_look_is_on_record(
    client: Client, hanako: UUID, till: RawTill
) -> None:
    count(till, till.sale(standard=5_500))
    dispute = object_to(hanako, 1, "wrong_tier", words="It was rice.", reduced=5_500)
    path = f"/console/disputes/{dispute.pk}"
    ann, ben = signed_in(Role.AUDITOR), signed_in(Role.AUDITOR, name="ben")
    page = text(ann.get("/console/disputes?stage=waiting&kind=wrong_tier"))
    assert dispute.number in page
    assert "It was rice" not in page
    assert ann.get(path)["Location"].startswith("/console/purpose/")
    assert not AccessRecord.objects.exists()
    assert ann.post(f"{path}/propose", {"verdict": "refuse", "reasons": "x"})["Location"].startswith(
        "/console/purpose/"
    )
    for browser in (ann, ben):
        state_purpose(browser, hanako, purpose="dispute", case="7")
    page = text(ann.get(path))
    assert "It was rice." in page
    record = AccessRecord.objects.get()
    assert (record.what, record.purpose, record.actor) == (f"dispute {dispute.number}", "dispute", ANN)
    assert "This field is required." in text(ann.post(f"{path}/propose", {"verdict": "uphold"}))
    form = {"verdict": "uphold", "tier_reduced": "5500", "reasons": "Rice is food."}
    assert "Another officer approves it." in text(ann.post(f"{path}/propose", form, follow=True))
    proposed = Dispute.objects.get()
    shown_at = proposed.proposed_at.isoformat() if proposed.proposed_at else ""
    assert "You proposed this" in text(ann.get(path))
    assert "another officer has to do this" in text(ann.post(f"{path}/approve", {"shown": shown_at}, follow=True))
    assert 'value="' + shown_at.replace("+", "+") in text(ben.get(path))
    assert "The dispute is decided" in text(ben.post(f"{path}/approve", {"shown": shown_at}, follow=True))
    assert totals()[2017, 1, 8, "reduced"] == (5_500, 1)
    for language in ("ja", "en"):
        assert ben.get(f"{path}/letter-{language}.pdf").content.startswith(b"%PDF")
    assert client.get(f"/disputes/{dispute.pk}/letter.pdf").content.startswith(b"%PDF")
    actions = list(Event.objects.filter(action__startswith="dispute").order_by("pk").values_list("action", flat=True))
    assert actions == ["dispute.open", "dispute.propose", "dispute.decide"]
    assert "dispute D-2017" in shown(client, "/accesses")


def test_an_appeal_is_written_in_the_portal_and_decided_by_a_third_officer(
    client: Client, hanako: UUID, till: RawTill
) -> None:
    count(till, till.sale(reduced=5_500))
    dispute = decide(object_to(hanako, 1), uphold=False)
    path = f"/disputes/{dispute.pk}"
    assert "You can appeal until" in shown(client, path)
    assert "You have appealed" in sent(client, f"{path}/appeal", words="It was not me.")
    officer("ann", Role.AUDITOR)
    ben, cat = signed_in(Role.AUDITOR, name="ben"), signed_in(Role.AUDITOR, name="cat")
    for browser in (ben, cat):
        state_purpose(browser, hanako, purpose="appeal")
    assert "another officer decides the appeal" in text(ben.get(f"/console{path}"))
    form = {"verdict": "uphold", "reasons": "The PIN was not used."}
    assert "The appeal is decided" in text(cat.post(f"/console{path}/appeal", form, follow=True))
    assert totals() == {}
    page = shown(client, path)
    assert "The PIN was not used." in page
    assert "If you still disagree" in page


def test_a_protected_residents_disputes_are_for_named_officers(hanako: UUID, till: RawTill) -> None:
    Resident.objects.filter(pk=hanako).update(is_protected=True)
    dispute = report(hanako, reduced=5)
    ann = signed_in(Role.AUDITOR)
    named = signed_in(Role.AUDITOR, Role.PROTECTED_OFFICER, name="dan")
    for browser in (ann, named):
        state_purpose(browser, hanako, purpose="dispute")
    assert "an officer for protected residents" in text(ann.get(f"/console/disputes/{dispute.pk}", follow=True))
    assert AccessRecord.objects.latest("pk").what == "refused: protected"
    decided = {"verdict": "refuse", "reasons": "x", "question": "x"}
    for act in ("ask", "propose", "approve", "send-back", "appeal"):
        page = text(ann.post(f"/console/disputes/{dispute.pk}/{act}", decided, follow=True))
        assert "an officer for protected residents" in page, act
    assert Dispute.objects.get().state == "open"
    assert "青果 山田" in text(named.get(f"/console/disputes/{dispute.pk}"))


def test_pages_take_the_same_queries_however_many_disputes_there_are(
    client: Client, hanako: UUID, till: RawTill
) -> None:
    count(till, sale := till.sale(reduced=500), *(till.sale(reduced=5) for _ in range(4)))
    count(till, till.give_back(sale, reduced=1))
    dispute = object_to(hanako, 1, "wrong_tier", standard=500)
    ann = signed_in(Role.AUDITOR)
    state_purpose(ann, hanako, purpose="dispute")
    pages = ((client, "/disputes"), (client, f"/disputes/{dispute.pk}"), (client, begun_at(2)),
             (ann, "/console/disputes"), (ann, f"/console/disputes/{dispute.pk}"))  # fmt: skip
    few = [queries_of(*page) for page in pages]
    for seq in range(2, 6):
        object_to(hanako, seq)
    for day in range(1, 10):
        decide(report(hanako, at=f"2017-08-0{day}T10:00:00+09:00", reduced=500))
    count(till, *(till.give_back(sale, reduced=1) for _ in range(30)))
    assert [queries_of(*page) for page in pages] == few


def test_an_overdue_dispute_is_marked_for_both(client: Client, hanako: UUID, till: RawTill) -> None:
    dispute = report(hanako, reduced=5, now=timezone.now() - timedelta(days=31))
    assert "The promised day is over" in shown(client, f"/disputes/{dispute.pk}")
    assert "overdue" in text(signed_in(Role.AUDITOR).get("/console/disputes"))


def test_what_is_proposed_is_not_told_before_it_is_approved(client: Client, hanako: UUID, till: RawTill) -> None:
    dispute = report(hanako, reduced=5)
    propose(dispute, uphold=False)
    page = shown(client, f"/disputes/{dispute.pk}") + shown(client, "/disputes")
    assert "The receipt says so." not in page
    assert "proposed" not in page
    approve(dispute, actor=BEN)
    assert "Your dispute is refused." in shown(client, f"/disputes/{dispute.pk}")


def test_no_word_of_a_dispute_stands_in_the_trail_or_in_messages(client: Client, hanako: UUID, till: RawTill) -> None:
    dispute = report(hanako, reduced=5)
    asked_for_photo(dispute)
    client.post(f"/disputes/{dispute.pk}/answer", {"text": "Suzuki has it"})
    decide(dispute)
    with connection.cursor() as cursor:
        for table in (
            "audit_event",
            "audit_accessrecord",
            "residents_message",
            "purchases_purchase",
            "merchants_store",
        ):
            cursor.execute(f"SELECT count(*) FROM {table} t WHERE t::text ~ 'Suzuki|山田|R-77'")
            assert cursor.fetchone() == (0,), table
