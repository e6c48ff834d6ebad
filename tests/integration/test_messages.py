"""What residents are told, in the transaction of what happened: of refunds, decisions, cards, purchases and looks."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accruals.operations.counting import count_all
from apps.audit.access import Access
from apps.audit.models import AccessRecord
from apps.audit.operations import record_accesses, trail
from apps.portal.message_links import LINKS
from apps.portal.models import Account
from apps.portal.queries.messages import MESSAGES_A_PAGE
from apps.refunds.models import Decision, Refund
from apps.refunds.operations.lapsing import lapse_refunds, last_day_of
from apps.residents.messages import IMPORTANT, KINDS, MORE
from apps.residents.models import Message
from apps.residents.operations.messages import tell, tell_each
from tests.identities import enter
from tests.judging import find, lose, on
from tests.pages import queries_of, shown
from tests.till import RawTill
from tests.world import YEAR, World
from tests.year_end import count, to_approved

pytestmark = pytest.mark.django_db(transaction=True)
EN = {"accept-language": "en"}


def told(ref: UUID, kind: str = "") -> list[dict[str, Any]]:
    found = Message.objects.filter(resident_ref=ref).order_by("pk")
    return [message.detail for message in (found.filter(kind=kind) if kind else found)]


@pytest.fixture
def hanako(world: World, client: Client) -> UUID:
    """The first resident, signed in; the second could sign in, too."""
    for number, ref in enumerate(world.residents):
        enter(ref)
        user = User.objects.create_user(("hanako", "taro")[number])
        Account.objects.create(user=user, resident_ref=ref)
    client.force_login(User.objects.get(username="hanako"))
    return world.residents[0]


# --- what happened ---


def test_each_resident_to_whom_a_run_gives_something_is_told_with_one_statement(till: RawTill, world: World) -> None:
    one, two = world.residents
    sale = till.sale(one, reduced=55_000)
    count(till, sale, till.sale(two, reduced=5_500))
    with CaptureQueriesContext(connection) as captured:
        run = to_approved()
    inserts = [
        q["sql"] for q in captured if "INSERT INTO residents_message" in q["sql"] and "'refund_ready'" in q["sql"]
    ]
    assert len(inserts) == 1
    assert Message.objects.filter(kind="refund_ready").count() == run.refunded == 2
    assert told(one, "refund_ready") == [{"year": YEAR, "run": 1, "amount_minor": 1_000}]
    count(till, till.give_back(sale, reduced=22_000))
    to_approved()
    assert len(told(one, "refund_ready")) == 1  # who gets less is told of the decision
    decision = Decision.objects.get(run=2)
    assert told(one, "decision_issued")[-1] == {"year": YEAR, "run": 2, "decision": decision.pk}
    assert Message.objects.filter(kind="decision_issued").count() == Decision.objects.count()


def test_who_gets_nothing_from_a_run_is_told_nothing(till: RawTill, world: World) -> None:
    count(till, till.sale(world.residents[0], standard=5_500))
    to_approved()
    assert Refund.objects.filter(due_minor=0).count() == 1
    assert not Message.objects.filter(kind="refund_ready").exists()


def test_who_does_not_claim_a_refund_is_told_before_it_is_lost(
    client: Client, hanako: UUID, till: RawTill, world: World
) -> None:
    count(till, till.sale(hanako, reduced=55_000))
    last_day = last_day_of(to_approved())
    for _ in range(2):
        lapse_refunds(today=last_day, actor="test")
    (detail,) = told(hanako, "refund_lapses")
    assert detail == {"year": YEAR, "run": 1, "amount_minor": 1_000, "until": last_day.isoformat()}
    assert "¥1,000 for 2017 can be claimed until" in shown(client, "/messages")


def test_a_card_that_is_lost_and_found_is_told_of(world: World) -> None:
    one = world.residents[0]
    lose(one, on(1))
    assert told(one) == [{}]
    find(one)
    assert [message.kind for message in Message.objects.order_by("pk")] == ["card_suspended", "card_resumed"]


def test_a_purchase_that_its_shop_cancels_is_told_once_without_shop_or_time(till: RawTill, world: World) -> None:
    one, two = world.residents
    voided, returned, partly = (till.sale(one, reduced=amount) for amount in (1_080, 2_160, 3_240))
    count(till, voided, returned, partly)
    assert told(one) == []
    count(till, till.void(voided), till.give_back(returned, reduced=2_160), till.give_back(partly, reduced=1_000))
    month = {"year": YEAR, "month": 8}
    assert sorted(told(one), key=str) == [{**month, "amount_minor": 1_080}, {**month, "amount_minor": 2_160}]
    count_all()
    count(till, till.give_back(partly, reduced=2_240))
    assert told(one)[-1] == {**month, "amount_minor": 2_240}
    assert told(two) == []


def test_many_cancelled_purchases_are_told_with_one_statement(till: RawTill, world: World) -> None:
    sales = [till.sale(world.residents[number % 2], reduced=1_000 + number) for number in range(20)]
    count(till, *sales)
    voids = [till.void(sale) for sale in sales]
    with CaptureQueriesContext(connection) as captured:
        count(till, *voids)
    assert Message.objects.filter(kind="purchase_cancelled").count() == 20
    assert sum("INSERT INTO residents_message" in query["sql"] for query in captured) == 1


def test_a_test_cards_cancelled_purchase_is_told_to_nobody(world: World) -> None:
    till = RawTill(world, "test-1")
    sale = till.sale(world.test_resident, reduced=1_080)
    count(till, sale)
    count(till, till.void(sale))
    assert not Message.objects.exists()


def test_purchases_that_wait_for_an_answer_are_told_of_once_a_day(till: RawTill, world: World) -> None:
    one = world.residents[0]
    count(till, till.sale(one, at=on(3), reduced=1_000), till.sale(one, at=on(4), reduced=1_000))
    lose(one, on(2))
    assert len(told(one, "held_purchases")) == 1
    count(till, till.sale(one, at=on(5), reduced=1_000))
    assert len(told(one, "held_purchases")) == 1


def test_a_message_goes_with_the_transaction_of_what_happened(world: World) -> None:
    with transaction.atomic():
        tell(world.residents, "card_resumed", at=timezone.now())
        assert Message.objects.count() == 2
        transaction.set_rollback(True)
    assert not Message.objects.exists()


# --- somebody looked ---


def test_somebody_looked_is_told_once_an_officer_a_purpose_and_a_day(world: World) -> None:
    one, now = world.residents[0], timezone.now().replace(hour=3)
    sato, abe = (Access(f"user:{name}", "registry_clerk", "Window 3", "card") for name in ("sato", "abe"))
    for minutes, what in enumerate(("page:cards", "page:letters")):
        record_accesses(sato, [one], what=what, at=now + timedelta(minutes=minutes))
    assert told(one) == [{"office": "Window 3", "role": "registry_clerk", "purpose": "card"}]
    record_accesses(abe, [one], what="page:cards", at=now)
    record_accesses(sato, [one], what="page:cards", at=now + timedelta(days=1))
    typed = Access("user:sato", "registry_clerk", "Window 3", "Mrs Tanaka's neighbour asks")
    record_accesses(typed, [one], what="page:cards", at=now)
    assert len(told(one)) == 4
    assert told(one)[-1]["purpose"] == "other"  # what is typed may name somebody
    assert "sato" not in str(told(one))


def test_looking_at_ones_own_data_and_what_is_done_for_all_is_no_message(world: World) -> None:
    for role, purpose in (("resident", "own page"), ("operator", "card notices"), ("system", "e-mail")):
        record_accesses(Access("x", role, "", purpose), world.residents, what="vault:person", at=timezone.now())
    assert not Message.objects.exists()


def test_a_look_that_cannot_be_told_of_does_not_happen(world: World, monkeypatch: pytest.MonkeyPatch) -> None:

    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(trail, "TELLERS", [fails])
    with pytest.raises(RuntimeError):
        record_accesses(Access("x", "auditor", "", "check"), world.residents, what="refund 2017", at=timezone.now())
    assert not AccessRecord.objects.exists()


# --- the page ---


def test_messages_are_read_in_words_and_marked_as_read(client: Client, hanako: UUID) -> None:
    assert "There is no message yet" in shown(client, "/messages")
    now = timezone.now()
    tell([hanako], "refund_ready", at=now, year=YEAR, run=1, amount_minor=12_345)
    tell([hanako], "purchase_cancelled", at=now, year=YEAR, month=4, amount_minor=1_080)
    tell([hanako], "looked", at=now, office="Window 3", role="registry_clerk", purpose="card")
    page = shown(client, "/messages")
    for words in (
        "3 messages are unread.", "Your refund is ready. For 2017 you get ¥12,345.",
        "A shop took back a purchase of yours. ¥1,080 of April 2017 no longer count", "Window 3, what for: The card.",
    ):  # fmt: skip
        assert words in page
    japanese = shown(client, "/messages", language="ja")
    assert "2017年分の還付額は12,345円です。" in japanese
    assert "2017年4月の1,080円は計上されなくなりました" in japanese
    up_to = Message.objects.latest("pk").pk
    tell([hanako], "card_resumed", at=now)  # comes between the page and the button
    client.post("/messages/read", {"up_to": up_to})
    assert "1 message is unread." in shown(client, "/messages")
    for nonsense in ("", "-1", "x", "9" * 30):
        assert client.post("/messages/read", {"up_to": nonsense}).status_code == 302


def test_every_kind_of_message_has_words_and_leads_to_a_page_that_is_there(client: Client, hanako: UUID) -> None:
    assert set(MORE) | IMPORTANT <= set(KINDS) == set(LINKS)
    assert not [kind for kind, words in KINDS.items() if "%(" in str(words)]  # it goes into mails as it is
    detail: dict[str, Any] = {
        "year": YEAR,
        "run": 1,
        "decision": 7,
        "dispute": 3,
        "hearing": 3,
        "number": "D-2017-000003",
        "month": 4,
        "amount_minor": 1,
        "office": "o",
        "role": "auditor",
    }
    for kind in KINDS:
        tell([hanako], kind, at=timezone.now(), **detail, purpose="check")
    pages = range(1, len(KINDS) // MESSAGES_A_PAGE + 2)
    page = "".join(client.get(f"/messages?page={number}", headers=EN).content.decode() for number in pages)
    assert page.count('class="card message') == len(KINDS)
    assert page.count("<h2><a href=") == len(LINKS)
    assert "%(" not in page


def test_a_kind_that_is_no_more_and_a_message_without_particulars_still_show(client: Client, hanako: UUID) -> None:
    Message.objects.create(resident_ref=hanako, kind="gone", at=timezone.now())
    tell([hanako], "refund_ready", at=timezone.now())
    page = shown(client, "/messages")
    assert "There is something new." in page
    assert "Your refund is ready." in page


def test_messages_are_paged_at_the_same_cost_and_nobody_elses(client: Client, hanako: UUID, world: World) -> None:
    tell([hanako], "card_resumed", at=timezone.now())
    few = queries_of(client, "/messages")
    tell_each([(hanako, {})] * 100 + [(world.residents[1], {})] * 100, "card_suspended", at=timezone.now())
    assert queries_of(client, "/messages") == few
    assert "More than 99 messages are unread." in shown(client, "/messages")
    assert "Page 4 of 4" in shown(client, "/messages?page=4")
    client.post("/messages/read", {"up_to": Message.objects.latest("pk").pk})
    assert Message.objects.filter(read_at=None).count() == 100  # the other's


def test_the_navigation_counts_unread_messages_with_one_query(client: Client, hanako: UUID, rf: RequestFactory) -> None:
    request = rf.get("/")
    request.user = User.objects.get(username="hanako")
    template = Template("{% load unread %}{% unread_messages as unread %}{{ unread }}")
    assert template.render(Context({"request": request})) == ""
    tell_each([(hanako, {})] * 100, "card_resumed", at=timezone.now())
    with CaptureQueriesContext(connection) as captured:
        assert template.render(Context({"request": request})) == "99+"
    assert len(captured) == 1


def test_what_is_no_kind_of_message_is_refused(world: World) -> None:
    with pytest.raises(AssertionError):
        tell([uuid4()], "nonsense", at=timezone.now())
