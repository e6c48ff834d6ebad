"""Proxies, guardians and household consent at a window or by letter: for who has no portal, on record as such."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from apps.audit.models import AccessRecord, Alarm, Event
from apps.audit.officers import Role
from apps.residents.models import HouseholdConsent, Message, Proxy, Resident
from apps.residents.operations.proxies import MISSES, make_code
from apps.residents.operations.vault import new_vault_record
from apps.residents.queries.vault import checked_vault_keys
from apps.residents.vault.contents import Identity, Person
from tests.acting import live_together
from tests.offices import OFFICE, officer, open_resident, sent, signed_in, text
from tests.pages import shown
from tests.world import World


@pytest.fixture
def taro(ref: UUID, world: World) -> UUID:
    """Who is to act for the resident."""
    person = Person("佐藤 太郎", "サトウ タロウ", "SATO TARO", date(1980, 1, 1))
    new_vault_record(checked_vault_keys(), world.residents[1], Identity(person=person)).save()
    return world.residents[1]


def code_of(ref: UUID) -> str:
    return make_code(ref, at=timezone.now(), actor="test").code


def form(code: str, **more: object) -> dict[str, object]:
    until = timezone.localdate() + timedelta(days=30)
    given = {"code": code, "confirmed": "yes", "rights": ["see", "dispute"], "until": until.isoformat()}
    return {**given, "channel": "window", "kind": "named", **more}


def test_a_proxy_is_named_at_a_window_after_the_clerk_was_shown_whose_code_it_is(ref: UUID, taro: UUID) -> None:
    client, path = signed_in(Role.CLERK), f"/office/resident/{ref}/proxies"
    open_resident(client)
    assert "Nobody acts for this resident." in shown(client, path)
    code = code_of(taro)
    asked = text(client.post(f"{path}/name", {"code": code, "kind": "named"}))
    assert "The code is of: 佐藤 太郎" in asked
    record = AccessRecord.objects.get(resident_ref=taro)
    assert (record.role, record.office) == (Role.CLERK, OFFICE)
    assert not Proxy.objects.exists()
    assert "It is recorded, and good now." in sent(client, f"{path}/name", **form(code, channel="letter"))
    proxy = Proxy.objects.get()
    assert (proxy.channel, proxy.office, proxy.named_by) == ("letter", OFFICE, "user:ann")
    assert (proxy.may_see, proxy.may_dispute, proxy.may_pay) == (True, True, False)
    assert Event.objects.get(action="proxy.name").detail["office"] == OFFICE
    assert set(Message.objects.exclude(kind="looked").values_list("resident_ref", "kind")) == {
        (ref, "proxy_named"),
        (taro, "proxy_accepted"),
    }
    page = shown(client, path)
    assert "see the refund and the purchases" in page
    assert "佐藤" not in page  # who acts is the resident's to know
    assert "It has ended." in sent(client, f"{path}/{proxy.pk}/end", channel="window")
    assert "There is no such proxy" in sent(client, f"{path}/{proxy.pk}/end", channel="window")
    assert Event.objects.get(action="proxy.end").detail == {"proxy": proxy.pk, "channel": "window", "office": OFFICE}


def test_a_guardian_is_recorded_on_a_document_and_ended_at_a_window(ref: UUID, taro: UUID) -> None:
    client, path = signed_in(Role.CLERK), f"/office/resident/{ref}/proxies"
    open_resident(client)
    code = code_of(taro)
    asked = text(client.post(f"{path}/name", {"code": code, "kind": "guardian"}))
    assert "Compare this name with the document" in asked
    guardian = form(code, kind="guardian", rights=["see", "payment"], payment_confirmed="yes", document="court")
    tomorrow = (timezone.localdate() + timedelta(days=1)).isoformat()
    for wrong in ({}, {"document_date": tomorrow}, {"document_date": "2026-01-05", "document": "letter"}):
        client.post(f"{path}/name", {**guardian, **wrong})
    assert not Proxy.objects.exists()
    long = (timezone.localdate() + timedelta(days=4 * 365)).isoformat()
    assert "good now" in sent(client, f"{path}/name", **guardian, document_date="2026-01-05")
    proxy = Proxy.objects.get()
    assert (proxy.kind, proxy.document, proxy.document_date, proxy.shows_name) == (
        "guardian", "court", date(2026, 1, 5), True,
    )  # fmt: skip
    assert "court's decision" in shown(client, path).replace("&#x27;", "'")
    again = {**guardian, "code": code_of(taro), "until": long, "document_date": "2026-01-05"}
    assert "good now" in sent(client, f"{path}/name", **again)
    assert "It has ended." in sent(client, f"{path}/{Proxy.objects.latest('pk').pk}/end", channel="window")


def test_nothing_is_done_about_a_proxy_of_somebody_else(ref: UUID, taro: UUID) -> None:
    client = signed_in(Role.CLERK)
    open_resident(client)
    sent(client, f"/office/resident/{ref}/proxies/name", **form(code_of(taro)))
    theirs = Proxy.objects.get()
    Proxy.objects.filter(pk=theirs.pk).update(resident=Resident.objects.exclude(pk__in=(ref, taro)).first())
    assert "There is no such proxy" in sent(client, f"/office/resident/{ref}/proxies/{theirs.pk}/end", channel="window")
    theirs.refresh_from_db()
    assert theirs.ended_at is None


def test_clerks_guess_no_codes(ref: UUID, taro: UUID) -> None:
    client, path = signed_in(Role.CLERK), f"/office/resident/{ref}/proxies/name"
    open_resident(client)
    for number in range(MISSES):
        assert "Nobody has this code" in text(client.post(path, {"code": f"{number:016}", "kind": "named"}))
    refused = text(client.post(path, {"code": code_of(taro), "kind": "named"}))
    assert "Nothing more is looked up for you" in refused
    assert "佐藤" not in refused
    assert Alarm.objects.filter(kind="proxy_code_guessing").exists()
    assert "This is the resident's own code" in text(
        signed_in_again().post(path, {"code": code_of(ref), "kind": "named"})
    )


def signed_in_again() -> Client:
    """Another clerk, who has opened the resident."""
    client = signed_in(Role.CLERK, name="bob")
    open_resident(client)
    return client


def test_a_protected_proxy_is_named_to_named_officers_only(ref: UUID, taro: UUID) -> None:
    Resident.objects.filter(pk=taro).update(is_protected=True)
    client, path = signed_in(Role.CLERK), f"/office/resident/{ref}/proxies/name"
    open_resident(client)
    code = code_of(taro)
    refused = client.post(path, {"code": code, "kind": "named"})
    assert refused.status_code == 403
    assert "佐藤" not in text(refused)
    assert AccessRecord.objects.get(resident_ref=taro).what == "refused: protected"
    officer("ann", Role.PROTECTED_OFFICER)
    assert "佐藤 太郎" in text(client.post(path, {"code": code, "kind": "named"}))


def test_household_consent_is_given_and_taken_back_by_letter_on_record(ref: UUID, taro: UUID) -> None:
    client, path = signed_in(Role.CLERK), f"/office/resident/{ref}"
    open_resident(client)
    assert "No household is registered" in shown(client, f"{path}/proxies")
    assert "No household is registered" in sent(client, f"{path}/consent", seen="yes", channel="window")
    live_together(ref, taro)
    assert "It is recorded." in sent(client, f"{path}/consent", seen="yes", channel="letter")
    consent = HouseholdConsent.objects.get()
    assert (consent.channel, consent.office, consent.given_by) == ("letter", OFFICE, "user:ann")
    assert "the others see name, spend and refund" in shown(client, f"{path}/proxies")
    assert "佐藤" not in shown(client, f"{path}/proxies")
    assert "It is recorded." in sent(client, f"{path}/consent", seen="no", channel="window")
    assert HouseholdConsent.objects.get().withdrawn_by == "user:ann"
    assert "Choose what the others see" in sent(client, f"{path}/consent", seen="maybe", channel="window")
    acts = Event.objects.filter(action__startswith="household.", subject=f"resident:{ref}")
    assert [event.detail for event in acts.order_by("pk")] == [
        {"channel": "letter", "office": OFFICE}, {"channel": "window", "office": OFFICE},
    ]  # fmt: skip
