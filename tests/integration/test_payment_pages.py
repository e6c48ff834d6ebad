"""The pages on which residents see and change where their refund is paid, and clerks enter and compare accounts."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.accruals.operations.counting import count_all
from apps.audit.models import AccessRecord, Event
from apps.audit.officers import Role
from apps.portal.models import Account as SignIn
from apps.refunds.models import Settlement
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.verifying import verify_run
from apps.residents.acting import PAYMENT
from apps.residents.models import Message, PaymentAccount, Resident
from apps.residents.operations.erasing import erase_resident
from tests.accounts import MIZUHO, POST, STRANGERS, name
from tests.acting import act, named
from tests.offices import HANAKO, OFFICE, identify, officer, open_resident, sent, signed_in, text
from tests.pages import YEAR, approve, queries_of, settle, shown
from tests.till import RawTill, send
from tests.vault import enter
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
ACCOUNT = "/payment/change/0001/004"
TYPED = {"type": "1", "number": "1234567", "holder": "よしだ はなこ"}
POST_TYPED = {"symbol": "10580", "number": "76543211", "holder": "Yoshida Hanako"}
PAGES = (
    "/payment",
    "/payment/change",
    "/payment/change/0001",
    ACCOUNT,
    "/payment/post-bank",
    "/payment/public-account",
)


@pytest.fixture
def hanako(world: World, client: Client) -> UUID:
    """The first resident, signed in; Taro is the other."""
    one, two = world.residents
    identify(one)
    enter(two, number="123456789018")
    for username, ref in (("hanako", one), ("taro", two)):
        SignIn.objects.create(user=User.objects.create_user(username), resident_ref=ref)
    client.force_login(User.objects.get(username="hanako"))
    return one


def posted(client: Client, path: str, **form: Any) -> str:
    """The page that a form leads to, in English."""
    return text(client.post(path, form, follow=True, headers={"accept-language": "en"}))


def got(client: Client, path: str, **headers: str) -> str:
    response = client.get(path, headers={"accept-language": "en", **headers})
    assert response.status_code == 200, path
    return text(response)


def save(client: Client, path: str = ACCOUNT, **form: str) -> str:
    return posted(client, path, **(TYPED | form), confirmed="1")


# --- finding bank and branch ---


def test_a_bank_and_its_branch_are_found_by_name_code_or_first_kana(client: Client, hanako: UUID) -> None:
    assert "/payment/change/0001" not in got(client, "/payment/change")
    for asked in ("q=みずほ", "q=mizuho", "q=0001", "kana=ミ"):
        assert 'href="/payment/change/0001"' in got(client, f"/payment/change?{asked}"), asked
    assert 'href="/payment/change/0001/004"' in got(client, "/payment/change/0001?q=丸の内中央")
    assert "Nothing has this name or code." in got(client, "/payment/change?q=zzz")
    assert "More than 100" in got(client, "/payment/change?q=1")


def test_a_script_that_asks_while_somebody_types_gets_the_list_alone(client: Client, hanako: UUID) -> None:
    part = got(client, "/payment/change?q=みず", **{"hx-request": "true"})
    assert 'href="/payment/change/0001"' in part
    assert "<html" not in part


def test_a_short_list_of_branches_is_shown_at_once(client: Client, hanako: UUID) -> None:
    assert 'href="/payment/change/0034/' in got(client, "/payment/change/0034")


def test_what_is_no_bank_or_branch_is_not_found_and_the_post_bank_is_asked_otherwise(
    client: Client, hanako: UUID
) -> None:
    for path in ("/payment/change/9999", "/payment/change/0001/999", "/payment/change/x/y"):
        assert client.get(path).status_code == 404
    assert client.get("/payment/change/9900")["Location"] == "/payment/post-bank"


# --- naming an account ---


def test_an_account_is_read_back_before_it_is_saved_and_then_known_by_its_last_digits(
    client: Client, hanako: UUID
) -> None:
    page = posted(client, ACCOUNT, **TYPED)
    for said in ("みずほ", "丸の内中央", "Ordinary", "1234567", "ヨシダ ハナコ", "Yes, save this account"):
        assert said in page
    assert "not the one in the register" not in page
    assert not PaymentAccount.objects.exists()
    page = save(client)
    assert "Your account is saved." in page
    assert "ends with 567" in page
    assert "1234567" not in page
    row = PaymentAccount.objects.get()
    assert (row.resident_id, row.channel, row.requested_by, row.holder_check) == (
        hanako, "portal", "resident", "matches",
    )  # fmt: skip
    assert Message.objects.get().kind == "account_changed"
    assert "account.name" in Event.objects.values_list("action", flat=True)


def test_what_is_read_back_can_be_corrected(client: Client, hanako: UUID) -> None:
    page = posted(client, ACCOUNT, **TYPED, edit="1")
    assert "Which account?" in page
    assert 'value="1234567"' in page
    assert not PaymentAccount.objects.exists()


def test_a_post_bank_account_is_named_by_its_symbol_and_number(client: Client, hanako: UUID) -> None:
    page = posted(client, "/payment/post-bank", **POST_TYPED)
    for said in ("ゆうちょ", "〇五八", "7654321", "10580 76543211", "YOSHIDA HANAKO"):
        assert said in page
    assert "do not seem" not in page
    unlikely = posted(client, "/payment/post-bank", **(POST_TYPED | {"symbol": "10530"}))
    assert "do not seem to belong together" in unlikely  # the check digit does not fit
    save(client, "/payment/post-bank", **POST_TYPED)
    assert PaymentAccount.objects.get().holder_check == "matches"


@pytest.mark.parametrize(
    ("path", "form", "said"),
    [
        (ACCOUNT, {"number": "12345678"}, "up to seven digits and nothing else"),
        (ACCOUNT, {"holder": "吉田 花子"}, "Banks do not take “吉田花子” in a name"),
        (ACCOUNT, {"holder": "ガ" * 16}, "Banks take 30 characters of a name"),
        (ACCOUNT, {"type": "9"}, "not one of the available choices"),
        ("/payment/post-bank", POST_TYPED | {"symbol": "20580"}, "begins with 1 or 0 and ends with 0"),
        ("/payment/post-bank", POST_TYPED | {"number": "76543212"}, "A 番号 ends with 1."),
    ],
)
def test_what_is_typed_wrong_is_told_beside_its_field(
    client: Client, hanako: UUID, path: str, form: dict[str, str], said: str
) -> None:
    page = posted(client, path, **(TYPED | form), confirmed="1")
    assert said in page
    assert 'aria-invalid="true"' in page
    assert not PaymentAccount.objects.exists()


def test_a_short_number_gets_zeros_and_is_told_so(client: Client, hanako: UUID) -> None:
    page = posted(client, ACCOUNT, **(TYPED | {"number": "12345"}))
    assert "0012345" in page
    assert "zeros are put before it" in page


def test_a_change_waits_is_shown_with_its_day_and_can_be_undone(client: Client, hanako: UUID) -> None:
    now = timezone.now()
    name(hanako, at=now - timedelta(days=9))
    page = save(client, "/payment/post-bank", **POST_TYPED)
    assert "It holds after 3 days." in page
    assert "A change is on its way" in page
    assert "ends with 321" in page
    assert "ends with 567" in page
    page = posted(client, "/payment/undo")
    assert "The change is undone." in page
    assert "A change is on its way" not in page
    assert "undone before it held" in page
    assert "no change any more that could be undone" in posted(client, "/payment/undo")


def test_a_name_that_differs_is_told_before_and_after_it_is_saved(client: Client, hanako: UUID) -> None:
    assert "You can save it: a clerk compares" in posted(client, ACCOUNT, **(TYPED | {"holder": "タカハシ ハナコ"}))
    page = save(client, holder="タカハシ ハナコ")
    assert "A clerk compares them; nothing is paid to this account before." in page


def test_the_public_account_is_used_by_consent_which_can_be_withdrawn(client: Client, hanako: UUID) -> None:
    assert "Only your consent is kept here." in got(client, "/payment/public-account")
    assert not PaymentAccount.objects.exists()
    page = posted(client, "/payment/public-account")
    assert "for this refund only" in page
    page = posted(client, "/payment/public-account/withdraw")
    assert "Your consent is withdrawn." in page
    assert "a refund that is due waits until you name one" in page
    assert "no consent any more" in posted(client, "/payment/public-account/withdraw")


# --- payments ---


def test_each_years_refund_is_listed_with_what_became_of_it(client: Client, hanako: UUID, till: RawTill) -> None:
    assert "No refund is settled yet." in got(client, "/payment")
    send(till, till.sale(hanako, at=f"{YEAR}-04-03T12:00:00+09:00", reduced=55_000))
    count_all()
    settle(freeze, assess_run, verify_run)
    assert "it is paid when two auditors have signed" in got(client, "/payment")
    approve()
    assert "¥1,000 to be paid – it waits for an account" in shown(client, "/payment").replace(" – ", " – ")
    name(hanako, at=timezone.now())
    assert "it waits for an account" not in shown(client, "/payment")
    Settlement.objects.create(
        resident_ref=hanako, tax_year=YEAR, run=1, kind="paid", amount_minor=600, at=timezone.now()
    )
    page = shown(client, "/payment")
    assert "¥600 paid on" in page
    assert "¥400 to be paid" in page


# --- whose pages these are ---


def test_nobody_sees_or_changes_anothers_account(client: Client, hanako: UUID, world: World) -> None:
    now = timezone.now()
    name(world.residents[1], at=now - timedelta(days=9))
    name(world.residents[1], POST, at=now)
    page = got(client, "/payment")
    assert "ends with" not in page
    assert "A change is on its way" not in page
    posted(client, "/payment/undo")
    assert PaymentAccount.objects.filter(resident=world.residents[1], withdrawn_at=None).count() == 2
    officer("ann", Role.CLERK)
    for username in ("ann", ""):
        stranger = Client()
        if username:
            stranger.force_login(User.objects.get(username=username))
        for path in PAGES:
            assert stranger.get(path).status_code == (404 if username else 302)


def test_a_proxy_with_payment_names_accounts_and_their_looks_are_on_record(
    client: Client, hanako: UUID, world: World
) -> None:
    taro = world.residents[1]
    client.force_login(User.objects.get(username="taro"))
    act(client, named(hanako, taro, PAYMENT))
    save(client, holder="ヤマダ タロウ")
    assert PaymentAccount.objects.get().holder_check == "differs"
    save(client)
    account = PaymentAccount.objects.latest("requested_at")
    assert (account.resident_id, account.holder_check) == (hanako, "matches")
    assert account.requested_by.startswith("proxy:")
    got(client, "/payment")
    looks = AccessRecord.objects.filter(resident_ref=hanako, what__in=("vault:account", "vault:person"))
    assert {(look.role, look.purpose) for look in looks} == {("proxy", "acting")}
    assert not PaymentAccount.objects.filter(resident=taro).exists()


def test_that_the_account_was_looked_at_is_on_record_as_the_residents_own_look(client: Client, hanako: UUID) -> None:
    name(hanako, at=timezone.now())
    AccessRecord.objects.all().delete()
    got(client, "/payment")
    record = AccessRecord.objects.get()
    assert (record.what, record.role, record.purpose) == ("vault:account", "resident", "own page")


def test_the_page_takes_the_same_queries_however_much_there_is(client: Client, hanako: UUID) -> None:
    now = timezone.now()
    name(hanako, at=now - timedelta(days=90))
    few = queries_of(client, "/payment")
    for day in range(20):
        name(hanako, POST if day % 2 else MIZUHO, at=now - timedelta(days=80 - 4 * day))
    name(hanako, STRANGERS, at=now)
    assert queries_of(client, "/payment") == few


def test_who_was_erased_can_name_no_account(client: Client, hanako: UUID) -> None:
    erase_resident(hanako, reason="asked for", at=timezone.now(), actor="test")
    assert client.post(ACCOUNT, {**TYPED, "confirmed": "1"}).status_code == 302  # the sign-in is gone as well
    client.force_login(User.objects.create_user("again"))
    SignIn.objects.create(user=User.objects.get(username="again"), resident_ref=hanako)
    assert client.post(ACCOUNT, {**TYPED, "confirmed": "1"}).status_code == 404
    assert got(client, "/payment")
    assert not PaymentAccount.objects.exists()


# --- offices ---


def test_a_clerk_enters_an_account_for_an_opened_resident_and_the_resident_is_told(hanako: UUID) -> None:
    clerk = signed_in(Role.CLERK)
    path = f"/office/resident/{hanako}/account"
    assert clerk.get(path)["Location"] == "/office/open"
    open_resident(clerk)
    assert "No account is known" in text(clerk.get(path))
    typed = TYPED | {"bank_text": "みずほ", "branch_text": "丸の内中央", "channel": "window"}
    page = text(clerk.post(f"{path}/enter", typed))
    assert "Read it to the resident" in page
    assert "丸の内中央" in page
    page = sent(clerk, f"{path}/enter", **typed, confirmed="1")
    assert "The account is saved" in page
    assert "ends with 567" in page
    row = PaymentAccount.objects.get()
    assert (row.channel, row.requested_by, row.holder_check) == ("window", "user:ann", "matches")
    act = Event.objects.get(action="office.act")
    assert (act.detail["act"], act.detail["office"]) == ("account.name", OFFICE)
    assert set(Message.objects.values_list("kind", flat=True)) == {"looked", "account_changed"}


def test_a_clerk_is_told_which_of_several_banks_are_meant(hanako: UUID) -> None:
    clerk = signed_in(Role.CLERK)
    open_resident(clerk)
    typed = TYPED | {"bank_text": "三菱", "branch_text": "001", "channel": "window"}
    page = text(clerk.post(f"/office/resident/{hanako}/account/enter", typed))
    assert "Several are meant, give the code: 三菱ＵＦＪ 0005" in page
    assert not PaymentAccount.objects.exists()
    post = POST_TYPED | {"channel": "letter", "confirmed": "1"}
    sent(clerk, f"/office/resident/{hanako}/account/enter?how=post", **post)
    assert PaymentAccount.objects.get().channel == "letter"


def test_a_clerk_opens_an_account_from_the_list_and_sees_both_names_side_by_side(hanako: UUID) -> None:
    named = name(hanako, STRANGERS, at=timezone.now())
    clerk = signed_in(Role.CLERK)
    page = text(clerk.get("/office/accounts"))
    assert f"/office/accounts/{named.pk}/open" in page
    for hidden in (STRANGERS.holder, HANAKO.name, HANAKO.name_kana, str(hanako)):
        assert hidden not in page
    AccessRecord.objects.all().delete()
    page = sent(clerk, f"/office/accounts/{named.pk}/open")
    for said in (STRANGERS.holder, HANAKO.name, HANAKO.name_kana, HANAKO.name_alias):
        assert said in page
    assert STRANGERS.number not in page
    records = AccessRecord.objects.filter(resident_ref=hanako).order_by("pk").values_list("what", "actor", "purpose")
    assert list(records) == [
        (what, "user:ann", "account") for what in ("page:account", "vault:account", "vault:person")
    ]
    review = f"/office/resident/{hanako}/account/{named.pk}/review"
    assert "This field is required" in text(clerk.post(review, {}))
    assert "the resident is told" in sent(clerk, review, reason="document")
    named.refresh_from_db()
    assert (named.holder_check, named.reviewed_by, named.review_reason) == ("reviewed_ok", "user:ann", "document")
    assert set(Message.objects.values_list("kind", flat=True)) == {"looked", "account_changed", "account_reviewed"}
    assert "does not wait for a review any more" in sent(clerk, review, reason="document")
    assert "No account waits." in text(clerk.get("/office/accounts"))
    assert clerk.post(f"/office/accounts/{named.pk}/open").status_code == 404


def test_a_clerk_does_not_review_what_they_entered(hanako: UUID) -> None:
    named = name(hanako, STRANGERS, at=timezone.now(), actor="user:ann")
    clerk = signed_in(Role.CLERK)
    sent(clerk, f"/office/accounts/{named.pk}/open")
    page = sent(clerk, f"/office/resident/{hanako}/account/{named.pk}/review", reason="spelling")
    assert "another clerk must compare the names" in page
    named.refresh_from_db()
    assert named.holder_check == "differs"


def test_only_clerks_have_these_pages_and_a_protected_resident_only_named_officers(hanako: UUID) -> None:
    named = name(hanako, STRANGERS, at=timezone.now())
    paths = ("/office/accounts", f"/office/resident/{hanako}/account", f"/office/resident/{hanako}/account/enter")
    for role in (Role.HELPDESK, Role.AUDITOR, Role.OPERATOR):
        other = signed_in(role, name=f"the-{role}")
        assert {other.get(path).status_code for path in paths} == {404}, role
        assert other.post(f"/office/accounts/{named.pk}/open").status_code == 404
    Resident.objects.filter(pk=hanako).update(is_protected=True)
    clerk = signed_in(Role.CLERK)
    refused = clerk.post(f"/office/accounts/{named.pk}/open", follow=True)
    assert refused.status_code == 403
    assert STRANGERS.holder not in text(refused)
