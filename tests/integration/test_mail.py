"""Messages by e-mail: confirmed, sparing, sent once or tried again, never lost; and no address in clear anywhere."""

import re
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from apps.audit.models import AccessRecord, Event
from apps.portal.models import Account
from apps.portal.operations.mail import PortalAddressUnknown, Sent, send_due
from apps.residents.models import Mail, Mailing, Message, Resident, VaultRecord
from apps.residents.operations.erasing import erase_resident
from apps.residents.operations.mail_outbox import AGAIN, APART, LEASE, claim_mails
from apps.residents.operations.mailing import set_contact
from apps.residents.operations.messages import tell, tell_found
from apps.residents.vault.keys import VaultKeysMissing
from apps.simulator.processes import Processes, mail_command
from config.mail import mail_settings
from tests import dump
from tests.identities import enter
from tests.integration.test_counting import wait_until
from tests.pages import PASSWORD, shown
from tests.smtp import Sink, mail_server
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
EN = {"accept-language": "en"}
ADDRESS = "hanako.yoshida@example.jp"
CODE = re.compile(r"^ +(\S{4} \S{4} \S{4} \S{4})\s*$", re.MULTILINE)


class Time:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = timezone.now()

    def __call__(self) -> datetime:
        return self.now

    def passes(self, span: timedelta) -> None:
        self.now += span


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def sink(settings: Any) -> Iterator[Sink]:
    """A mail server, and settings that lead to it."""
    with mail_server() as server:
        for name, value in mail_settings(f"smtp://127.0.0.1:{server.port}").items():
            setattr(settings, name, value)
        settings.KANPU_PORTAL_URL = "https://kanpu.example"
        yield server


@pytest.fixture
def hanako(world: World, client: Client) -> UUID:
    """The first resident, in the vault and signed in."""
    ref = world.residents[0]
    enter(ref)
    Resident.objects.filter(pk=ref).update(language="en")
    user = User.objects.create_user("hanako", password=PASSWORD)
    Account.objects.create(user=user, resident_ref=ref)
    client.force_login(user)
    return ref


def subscribe(ref: UUID, *, wants: str = "all", at: datetime, email: str = ADDRESS) -> None:
    """As after the address was confirmed."""
    set_contact(ref, email, wants=wants, at=at, actor="resident")
    Mailing.objects.filter(pk=ref).update(confirmed_at=at, asked_at=None, next_at=at)
    Mail.objects.all().delete()


# --- an address ---


def test_an_address_is_confirmed_by_the_code_that_was_sent_there(
    client: Client, hanako: UUID, sink: Sink, clock: Time
) -> None:
    assert "Give an address" in shown(client, "/messages/e-mail")
    page = client.post("/messages/e-mail/address", {"email": ADDRESS, "wants": "important"}, follow=True, headers=EN)
    assert "A code is on its way" in page.content.decode()
    tell([hanako], "card_suspended", at=clock())
    assert not Mail.objects.exists()
    assert send_due(clock=timezone.now) == Sent(1, 0)  # the code, and no message yet
    (mail,) = sink.mails(ADDRESS)
    code = CODE.search(mail.get_content())
    assert code
    assert not dump.found_in(dump.database(), [code[1].replace(" ", "")])
    wrong = client.post("/messages/e-mail/confirm", {"code": "0000 0000 0000 0000"}, headers=EN)
    assert "This is not the code that was sent" in wrong.content.decode()
    typed = code[1].lower().replace(" ", "-")
    done = client.post("/messages/e-mail/confirm", {"code": typed}, follow=True, headers=EN).content.decode()
    assert "From now on you get e-mail" in done
    assert f"E-mail goes to {ADDRESS}" in done
    assert Event.objects.filter(action__startswith="contact.").count() == 2


def test_a_code_is_good_for_five_tries_and_one_day(client: Client, hanako: UUID, sink: Sink, clock: Time) -> None:
    for number in range(2):
        client.post("/messages/e-mail/address", {"email": ADDRESS, "wants": "all"})
        Mailing.objects.update(next_at=clock())
        send_due(clock=timezone.now)
        code = CODE.search(sink.mails(ADDRESS)[-1].get_content())
        assert code
        if number:
            Mailing.objects.update(code_until=clock())
        else:
            for _ in range(5):
                client.post("/messages/e-mail/confirm", {"code": "0000000000000000"})
        client.post("/messages/e-mail/confirm", {"code": code[1]})
        assert Mailing.objects.get().confirmed_at is None


def test_who_is_not_in_the_vault_gives_no_address(client: Client, hanako: UUID) -> None:
    VaultRecord.objects.all().delete()
    page = client.post("/messages/e-mail/address", {"email": ADDRESS, "wants": "all"}, headers=EN).content.decode()
    assert "no safe place to keep an address" in page
    for given, words in (({"email": "x", "wants": "all"}, "valid email"), ({"email": ADDRESS}, "required")):
        assert words in client.post("/messages/e-mail/address", given, headers=EN).content.decode()
    assert not Mailing.objects.exists()


def test_the_choice_is_changed_and_the_address_erased(client: Client, hanako: UUID, clock: Time) -> None:
    subscribe(hanako, at=clock())
    client.post("/messages/e-mail/wants", {"wants": "none"})
    assert Mailing.objects.get().wants == "none"
    client.post("/messages/e-mail/wants", {"forget": "1"})
    assert not Mailing.objects.exists()
    assert VaultRecord.objects.get(pk=hanako).contact is None
    assert Message.objects.filter(kind="contact_changed").count() == 2


# --- what is sent ---


def test_a_mail_says_that_there_is_something_new_and_nothing_else(hanako: UUID, sink: Sink, clock: Time) -> None:
    subscribe(hanako, at=clock())
    tell([hanako], "refund_ready", at=clock(), year=2017, run=1, amount_minor=98_765)
    tell([hanako], "looked", at=clock(), office="Setagaya", role="registry_clerk", purpose="card")
    assert send_due(clock=clock) == Sent(1, 0)
    (mail,) = sink.mails()
    text = mail.get_content()
    assert mail["Subject"] == "Kanpu: there is something new"
    assert "- Your refund is ready." in text
    assert "- Somebody looked at your data." in text
    assert "https://kanpu.example/messages" in text
    for secret in ("98", "Setagaya", "𠮷田", "YOSHIDA", str(hanako), "2017"):
        assert secret not in text.replace(str(Mailing.objects.get().stop_token), "")
    record = AccessRecord.objects.get(purpose="e-mail")
    assert (record.role, record.what, record.resident_ref) == ("system", "vault:contact", hanako)
    assert not Mail.objects.exists()


def test_only_what_is_wanted_is_sent_and_in_the_residents_language(hanako: UUID, sink: Sink, clock: Time) -> None:
    subscribe(hanako, wants="important", at=clock())
    Resident.objects.filter(pk=hanako).update(language="ja")
    tell([hanako], "looked", at=clock(), office="x", role="auditor", purpose="card")
    assert not Mail.objects.exists()
    found = "SELECT ref AS resident_ref, '{}'::jsonb AS detail, '' AS once FROM residents_resident"
    assert tell_found(found, {}, "refund_ready", at=clock()) == Resident.objects.count()
    assert Mail.objects.count() == 1
    send_due(clock=clock)
    (mail,) = sink.mails()
    assert mail["Subject"].strip() == "還付：新しいお知らせがあります"
    assert "還付額が決まりました。" in mail.get_content()


def test_a_hundred_messages_are_one_mail_and_the_next_comes_an_hour_later(
    hanako: UUID, sink: Sink, clock: Time
) -> None:
    subscribe(hanako, at=clock())
    for _ in range(100):
        tell([hanako], "card_resumed", at=clock())
    assert send_due(clock=clock) == Sent(1, 0)
    for _ in range(59):
        clock.passes(timedelta(minutes=1))
        tell([hanako], "card_suspended", at=clock())
        send_due(clock=clock)
    assert len(sink.mails()) == 1
    clock.passes(LEASE)
    send_due(clock=clock)
    assert len(sink.mails()) == 2
    assert not Mail.objects.exists()


def test_what_was_read_in_the_portal_needs_no_mail(hanako: UUID, sink: Sink, clock: Time) -> None:
    subscribe(hanako, at=clock())
    tell([hanako], "card_resumed", at=clock())
    Message.objects.update(read_at=clock())
    assert send_due(clock=clock) == Sent(0, 0)
    assert not sink.came
    assert not Mail.objects.exists()


def test_mails_end_by_the_link_in_each_without_a_sign_in(hanako: UUID, sink: Sink, clock: Time, client: Client) -> None:
    subscribe(hanako, at=clock())
    tell([hanako], "card_resumed", at=clock())
    send_due(clock=clock)
    (mail,) = sink.mails()
    path = mail["List-Unsubscribe"].strip(" <>").removeprefix("https://kanpu.example")
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    stranger = Client(enforce_csrf_checks=True)
    assert "E-mail about your messages ends" in shown(stranger, path)
    assert Mailing.objects.get().wants == "all"  # looking changes nothing: mail programs follow links
    assert stranger.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    assert Mailing.objects.get().wants == "none"
    assert stranger.post(f"/messages/stop/{uuid4()}").status_code == 404
    clock.passes(APART)
    tell([hanako], "card_suspended", at=clock())
    assert send_due(clock=clock) == Sent(0, 0)


# --- what goes wrong ---


def test_a_mail_that_does_not_leave_is_tried_again_ever_later_and_given_up(
    hanako: UUID, sink: Sink, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    subscribe(hanako, at=clock())
    tell([hanako], "card_resumed", at=clock())
    sink.refuses = "550 no such user"
    for pause in AGAIN:
        assert send_due(clock=clock) == Sent(0, 1)
        assert send_due(clock=clock) == Sent(0, 0)
        clock.passes(pause)
    assert Mail.objects.get().given_up_at
    assert ADDRESS not in caplog.text
    assert Message.objects.filter(kind="card_resumed", read_at=None).exists()  # it stands in the portal all the same
    sink.refuses = ""
    clock.passes(timedelta(days=2))
    tell([hanako], "card_suspended", at=clock())
    assert send_due(clock=clock) == Sent(1, 0)
    call_command("send_mail", "--once", "--retry-failed")
    assert Mail.objects.count() in (0, 1)  # the hour between two mails is not over for that one


def test_a_mail_server_that_is_away_costs_time_and_no_mail(
    hanako: UUID, sink: Sink, clock: Time, settings: Any
) -> None:
    subscribe(hanako, at=clock())
    tell([hanako], "card_resumed", at=clock())
    settings.EMAIL_PORT = 9  # nobody listens
    assert send_due(clock=clock) == Sent(0, 1)
    settings.EMAIL_PORT = sink.port
    clock.passes(AGAIN[0])
    assert send_due(clock=clock) == Sent(1, 0)


def test_who_dies_with_a_claim_leaves_it_to_the_next_after_a_while(hanako: UUID, sink: Sink, clock: Time) -> None:
    subscribe(hanako, at=clock())
    tell([hanako], "card_resumed", at=clock())
    (claim,) = claim_mails(now=clock())  # and dies
    assert claim.kinds == ("card_resumed",)
    assert send_due(clock=clock) == Sent(0, 0)  # nobody else sends what may be in flight
    clock.passes(LEASE)
    assert send_due(clock=clock) == Sent(1, 0)
    assert len(sink.mails()) == 1


def test_without_keys_or_an_address_of_the_portal_nothing_is_claimed(
    hanako: UUID, sink: Sink, settings: Any, clock: Time
) -> None:
    subscribe(hanako, at=clock())
    tell([hanako], "card_resumed", at=clock())
    settings.KANPU_PORTAL_URL = ""
    with pytest.raises(PortalAddressUnknown):
        send_due(clock=clock)
    settings.KANPU_PORTAL_URL, settings.KANPU_VAULT_KEYS = "https://kanpu.example", None
    with pytest.raises(VaultKeysMissing):
        send_due(clock=clock)
    assert Mail.objects.get().tries == 0


def test_several_senders_that_are_killed_send_every_mail_and_none_at_the_same_time(
    world: World, processes: Processes, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two real senders, one killed midway: all mails come, and at most those in flight at the kill come late."""
    monkeypatch.setenv("EMAIL_URL", f"smtp://127.0.0.1:{sink.port}")
    monkeypatch.setenv("KANPU_PORTAL_URL", "https://kanpu.example")
    now = timezone.now()
    people = [Resident.objects.create(resident_from=now.date()) for _ in range(60)]
    for number, resident in enumerate(people):
        enter(resident.ref)
        subscribe(resident.ref, at=now, email=f"r{number}@example.jp")
    tell([resident.ref for resident in people], "refund_ready", at=now)
    sink.pause_s = 0.05
    processes.start("mail-1", mail_command(), with_keys=False)
    wait_until(lambda: len(sink.came) >= 5)
    processes.kill("mail-1")
    taken = Mail.objects.filter(due_at__gt=timezone.now()).count()
    assert 0 < taken < 60
    Mail.objects.update(due_at=now)  # as if the lease were over
    Mailing.objects.filter(pk__in=Mail.objects.values("resident_ref")).update(next_at=now)
    for name in ("mail-2", "mail-3"):
        processes.start(name, mail_command(), with_keys=False)
    wait_until(lambda: not Mail.objects.exists())
    counts = {f"r{number}@example.jp": len(sink.mails(f"r{number}@example.jp")) for number in range(60)}
    assert min(counts.values()) == 1
    assert sum(counts.values()) <= 61  # the one in flight at the kill may come twice


def test_the_address_stands_nowhere_in_clear_and_goes_with_the_resident(
    client: Client, hanako: UUID, sink: Sink, clock: Time
) -> None:
    client.post("/messages/e-mail/address", {"email": ADDRESS, "wants": "all"})
    send_due(clock=timezone.now)
    shown(client, "/messages/e-mail")
    Mailing.objects.update(confirmed_at=clock(), asked_at=None, next_at=clock())
    tell([hanako], "card_resumed", at=clock())
    send_due(clock=clock)
    assert len(sink.mails(ADDRESS)) == 2
    everything = dump.database() + dump.in_redis()
    assert not dump.found_in(everything, [ADDRESS, "hanako.yoshida"])
    tell([hanako], "card_suspended", at=clock())
    erase_resident(hanako, reason="test", at=clock(), actor="test")
    assert VaultRecord.objects.get(pk=hanako).contact is None
    assert not Mailing.objects.exists()
    assert not Mail.objects.exists()


def test_the_time_that_many_mails_take_is_the_servers(world: World, sink: Sink, clock: Time) -> None:
    people = [Resident.objects.create(resident_from=clock().date()) for _ in range(200)]
    for number, resident in enumerate(people):
        enter(resident.ref)
        subscribe(resident.ref, at=clock(), email=f"r{number}@example.jp")
    tell([resident.ref for resident in people], "refund_ready", at=clock())
    start, cpu = time.perf_counter(), time.process_time()
    assert send_due(clock=clock) == Sent(200, 0)
    print(f"200 mails: {time.perf_counter() - start:.2f} s, {time.process_time() - cpu:.2f} s of CPU")
    assert sink.connections <= 5  # one for each claim
