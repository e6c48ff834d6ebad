"""What residents see of payments: messages as it happens, and how far each payment is."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError
from django.test import Client

from apps.payouts.models import Attempt, Obligation, PaymentHold, SendingBank
from apps.payouts.operations.batches import make_batch, submit_batch
from apps.payouts.operations.owing import hold_payments, make_obligations
from apps.payouts.operations.reissuing import reissue
from apps.payouts.operations.results import import_results
from apps.refunds.models import Run
from apps.residents.models import Mail, Mailing, Message, Resident
from apps.residents.vault.contents import Account
from tests import payouts
from tests.acting import act_for_child, live_together, signed_up
from tests.integration.payouts.conftest import Clock
from tests.pages import as_user, queries_of, shown
from tests.world import YEAR, World

pytestmark = pytest.mark.django_db(transaction=True)


def told(ref: UUID) -> list[str]:
    """What a resident was told of payments, in order."""
    kinds = ("payment_", "share_")
    rows = Message.objects.filter(resident_ref=ref).order_by("pk").values_list("kind", flat=True)
    return [kind for kind in rows if kind.startswith(kinds)]


@pytest.fixture
def hanako(world: World, run: Run) -> Client:
    """The first resident, who gets 4,000, signed in."""
    return signed_up("hanako", world.residents[0])


def payment_page(client: Client, language: str = "en") -> str:
    return shown(client, "/payment", language=language)


def test_what_the_bank_says_is_told_with_it_and_a_second_time_not(run: Run, world: World, clock: Clock) -> None:
    one, two = world.residents
    Mailing.objects.create(resident_id=one, confirmed_at=clock.at, next_at=clock.at)
    batch = payouts.sent()
    references = dict(Attempt.objects.values_list("obligation__resident_ref", "reference"))
    payouts.taken(payouts.answer(batch, {references[one]: "0", references[two]: "1"}, name="1.txt"))
    assert (told(one), told(two)) == (["payment_paid"], ["payment_failed"])
    payouts.taken(payouts.answer(batch, {references[one]: "8", references[two]: "1"}, name="2.txt"))
    assert (told(one), told(two)) == (["payment_paid", "payment_returned"], ["payment_failed"])
    assert Message.objects.get(kind="payment_paid").detail == {"year": YEAR, "run": 1, "amount_minor": 4_000}
    assert Mail.objects.filter(resident_ref=one, message__kind__startswith="payment_").count() == 2


def test_a_try_that_changes_nothing_tells_nobody(run: Run, world: World) -> None:
    batch = payouts.sent()
    path = payouts.answer(batch, "0")
    import_results(path, bank=SendingBank.objects.get(), actor="test", dry_run=True)
    assert told(world.residents[0]) == []


def test_a_childs_share_is_told_and_shown_to_the_parent_and_the_child(run: Run, world: World, clock: Clock) -> None:
    child, parent = world.residents
    live_together(child, parent, payees={child: parent})
    client = signed_up("parent", parent)
    batch = payouts.sent()
    payouts.taken(payouts.answer(batch, "0"))
    assert (told(child), told(parent)) == (["payment_paid"], ["payment_paid", "share_paid"])
    page = payment_page(client)
    assert "What goes to you for others of your household" in page
    assert page.count("ending with 567") == 2
    for count in range(2):  # of a page that shows more the queries are as many
        queries = queries_of(client, "/payment")
        if count:
            assert queries_of(client, "/payment") == queries
    act_for_child(client, child)
    page = shown(client, f"/year/{YEAR}")
    assert "paid on" in page
    assert "It goes to the parent who is registered for you." in page
    assert "567" not in page
    assert client.get("/payment").status_code == 404


def test_a_protected_childs_share_is_told_to_the_child_alone(run: Run, world: World) -> None:
    child, parent = world.residents
    live_together(child, parent, payees={child: parent})
    Resident.objects.filter(pk=child).update(is_protected=True)
    payouts.taken(payouts.answer(payouts.sent(), "0"))
    assert (told(child), told(parent)) == (["payment_paid"], ["payment_paid"])
    assert "others of your household" not in payment_page(signed_up("parent", parent))


@pytest.mark.parametrize("path", ["/payment", f"/year/{YEAR}"])
def test_each_step_of_a_payment_is_shown(hanako: Client, run: Run, world: World, clock: Clock, path: str) -> None:
    one = world.residents[0]
    assert "eing prepared" in payment_page(hanako)
    make_obligations(YEAR, actor="test")
    assert "Being prepared" in shown(hanako, path)
    batch = payouts.approved(make_batch(YEAR, actor="test"))  # type: ignore[arg-type]
    assert "Being prepared" in shown(hanako, path)
    submit_batch(batch.pk, actor="test")
    assert "With the bank: to be paid on Nov. 27, 2026" in shown(hanako, path)
    clock.at += timedelta(days=2)
    as_user(hanako, "hanako")
    reference = Attempt.objects.get(obligation__resident_ref=one).reference
    payouts.taken(payouts.answer(batch, {reference: "0"}, name="1.txt"))
    assert "paid on Nov. 27, 2026" in shown(hanako, path)
    payouts.taken(payouts.answer(batch, {reference: "8"}, name="2.txt"))
    assert "the bank sent it back" in shown(hanako, path)
    payouts.name(one, payouts.OTHER, at=clock.at - timedelta(days=4))
    assert reissue([Obligation.objects.get(resident_ref=one).pk], actor="test") == 1
    assert "Being prepared" in shown(hanako, path)


def test_a_payment_that_failed_says_what_to_do(hanako: Client, run: Run) -> None:
    payouts.taken(payouts.answer(payouts.sent(), "1"))
    assert "there is no such account, or its holder has another name" in payment_page(hanako)
    assert "name another one; then it is paid again" in payment_page(hanako)
    assert "あらためて振り込まれます" in payment_page(hanako, "ja")


def test_the_account_is_the_approved_one_and_the_page_says_so(
    hanako: Client, run: Run, world: World, clock: Clock
) -> None:
    batch = payouts.sent()
    assert "ending with 567" in payment_page(hanako)
    assert "was approved" not in payment_page(hanako)
    payouts.name(world.residents[0], payouts.OTHER, at=clock.at + timedelta(hours=1))
    clock.at += timedelta(days=4)
    as_user(hanako, "hanako")
    payouts.taken(payouts.answer(batch, "0"))
    page = payment_page(hanako)
    assert "ending with 567" in page
    assert "This is the account that was approved; the one that you named on" in page


@pytest.mark.parametrize(
    ("wait", "said"),
    [
        ("missing", "goes out with the next payments"),
        ("suspended", "Payments are held back"),
        ("deceased", "until the heirs say"),
        ("under_review", "compared the holder"),
        ("public_account", "registry of public accounts"),
        ("settled", "The refund office looks into it"),
    ],
)
def test_what_waits_says_for_what(hanako: Client, run: Run, wait: str, said: str) -> None:
    make_obligations(YEAR, actor="test")
    Obligation.objects.update(waits_for=wait)
    assert said in payment_page(hanako)
    assert said in shown(hanako, f"/year/{YEAR}")


@pytest.mark.parametrize(
    ("kind", "said"), [("1", "none that banks take"), ("4", "you need not do anything. To have it")]
)
def test_an_account_that_could_not_be_paid_says_what_to_do(
    hanako: Client, run: Run, world: World, kind: str, said: str
) -> None:
    payouts.name(world.residents[0], Account("0001", "004", kind, "7654321", "ヤマダ タロウ"))
    make_obligations(YEAR, actor="test")
    Obligation.objects.update(waits_for="unusable")
    assert said in payment_page(hanako)
    assert "The page “Payment” says what to do." in shown(hanako, f"/year/{YEAR}")  # which opens no account


def test_what_is_held_is_not_paid_and_says_so(hanako: Client, run: Run, world: World, clock: Clock) -> None:
    hold_payments(world.residents[0], reason=PaymentHold.Reason.SEIZURE, at=clock.at, actor="ann")
    payouts.draft()
    assert "Payments are held back" in payment_page(hanako)


def test_what_is_carried_says_where_to(hanako: Client, run: Run, world: World) -> None:
    make_obligations(YEAR, actor="test")
    Obligation.objects.update(state="carried")
    assert "Carried to your next refund" in payment_page(hanako)
    payouts.paying_run({world.residents[0]: 500}, number=2)
    make_obligations(YEAR, number=2, actor="test")
    assert f"Carried to your refund for {YEAR}, settlement 2" in payment_page(hanako)


def test_a_page_with_more_payments_takes_no_more_queries(hanako: Client, run: Run, world: World) -> None:
    payouts.taken(payouts.answer(payouts.sent(), "0"))
    queries = queries_of(hanako, "/payment"), queries_of(hanako, f"/year/{YEAR}")
    payouts.paying_run({world.residents[0]: 500}, number=2)
    make_obligations(YEAR, number=2, actor="test")
    submit_batch(payouts.approved(make_batch(YEAR, number=2, actor="test")).pk, actor="test")  # type: ignore[arg-type]
    assert (queries_of(hanako, "/payment"), queries_of(hanako, f"/year/{YEAR}")) == queries


def test_another_residents_payment_is_not_shown(run: Run, world: World) -> None:
    payouts.taken(payouts.answer(payouts.sent(), "0"))
    page = payment_page(signed_up("taro", world.residents[1]))
    assert "4,000" not in page
    assert "paid on" in page


def test_who_is_paid_as_what_is_kept_by_constraint(run: Run) -> None:
    make_obligations(YEAR, actor="test")
    with pytest.raises(IntegrityError, match="obligation_payee"):
        Obligation.objects.update(payee_kind="head")
