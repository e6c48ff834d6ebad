"""Purchases are searched, each is opened and answered for, and one is claimed by the code on its receipt."""

from datetime import timedelta
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accruals.claims import claim_of
from apps.accruals.models import Entry
from apps.accruals.operations.claiming import GUESSES
from apps.accruals.operations.counting import count_all
from apps.merchants.models import Terminal
from apps.portal.models import Account
from apps.residents.models import Resident
from apps.schemes.models import TaxYear
from tests.acting import act, named
from tests.disputing import approve, object_to, propose, report
from tests.integration.test_closings_and_claims import a_claim
from tests.judging import lose, on
from tests.pages import queries_of, shown
from tests.till import RawTill, send
from tests.world import TERMINAL, YEAR, World
from tests.year_end import count

pytestmark = pytest.mark.django_db(transaction=True)
EN = {"accept-language": "en"}
IN_YEAR = f"/purchases?first={YEAR}-01-01&last={YEAR}-12-31"
NOW = timezone.now().year


@pytest.fixture
def hanako(world: World, client: Client) -> UUID:
    """The first resident, signed in, and the second, who is not."""
    for number, resident in enumerate(world.residents):
        Account.objects.create(user=User.objects.create_user(("hanako", "taro")[number]), resident_ref=resident)
    client.force_login(User.objects.get(username="hanako"))
    return world.residents[0]


def page_of(seq: int) -> str:
    return f"/purchases/{Terminal.objects.get(code=TERMINAL).pk}/{seq}"


def sold(till: RawTill) -> None:
    send(till)
    count_all()


def test_without_a_search_the_newest_year_is_shown_and_the_search_says_so(
    client: Client, world: World, hanako: UUID
) -> None:
    till = RawTill(world)
    till.sale(at=on(5), reduced=900)
    sold(till)
    response = client.get("/purchases", headers=EN).content.decode()
    assert f'value="{YEAR}-01-01"' in response
    page = shown(client, "/purchases")
    assert "1 purchase, ¥900" in page
    assert "Aug. 5, 2017" in page
    assert "No purchase was found." in shown(client, f"/purchases?first={YEAR + 1}-01-01")
    assert "1 purchase, ¥900" in shown(client, "/purchases?first=")


def test_filters_are_kept_on_the_page_and_on_the_way_to_the_next(client: Client, world: World, hanako: UUID) -> None:
    till = RawTill(world)
    for _ in range(52):
        till.sale(at=on(5), reduced=900)
    sold(till)
    asked = f"{IN_YEAR}&least=%EF%BC%99%EF%BC%90%EF%BC%90&shop=SHOP-1&tier=reduced&state=counted"
    page = client.get(asked, headers=EN).content.decode()
    assert "52 purchases, ¥46,800 together" in page
    assert 'value="SHOP-1"' in page
    assert '<option value="reduced" selected>' in page
    assert '<option value="counted" selected>' in page
    link = asked.replace("&", "&amp;") + "&amp;page=2"
    assert f'href="{link.removeprefix("/purchases")}"' in page
    last = shown(client, link.replace("&amp;", "&").replace("page=2", "page=3"))
    assert "Page 3 of 3" in last
    assert last.count("Aug. 5, 2017") == 2


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (f"first={YEAR}-02-01&last={YEAR}-01-01", "This day is before the other one."),
        ("least=10&most=9", "This amount is below the other one."),
        ("least=ten", "Give an amount in digits"),
        ("first=yesterday", "Enter a valid date."),
        ("last=9999-12-31", "less than or equal to"),
        ("tier=gold", "Select a valid choice."),
        ("state=lost", "Select a valid choice."),
        ("shop=a%00", "Null characters are not allowed."),
    ],
)
def test_what_cannot_be_searched_is_said_beside_its_field(client: Client, hanako: UUID, asked: str, said: str) -> None:
    assert said in shown(client, f"/purchases?{asked}")
    led = client.get(f"/purchases?{asked}", headers={"HX-Request": "true"})
    assert led["HX-Redirect"].startswith("/purchases?")


@given(st.text(max_size=30), st.text(max_size=5))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_typed_gets_an_answer(client: Client, hanako: UUID, text: str, page: str) -> None:
    for name in ("shop", "least", "first"):
        assert client.get("/purchases", {name: text, "page": page}).status_code == 200


def test_a_purchase_tells_what_happened_to_it_and_what_it_brings(client: Client, world: World, hanako: UUID) -> None:
    till = RawTill(world)
    sale = till.sale(at=on(5), reduced=11_000, standard=550)
    till.give_back(sale, at=on(7), reduced=5_500)
    till.give_back(sale, at=on(8), reduced=9_900)
    till.correct(sale, at=on(9), reduced=11_000)
    sold(till)
    page = shown(client, page_of(1))
    assert "Corrected It counts in your refund for 2017, as what is left of it." in page
    assert page.index("Bought") < page.index("Goods were returned") < page.index("A return was refused")
    assert "The shop corrected the purchase to this" in page
    assert "¥5,500 × (10% − 8%) ÷ (1 + 10%) = ¥100" in page
    assert "returned" not in shown(client, page_of(1), language="ja")
    till.void(sale)
    send(till, till.records[-1])
    count_all()
    page = shown(client, page_of(1))
    assert "Nothing is left of it" in page
    assert "The shop cancelled the purchase" in page


def test_a_counted_purchase_is_disputed_from_its_page_and_shows_what_the_office_made_of_it(
    client: Client, world: World, hanako: UUID
) -> None:
    till = RawTill(world)
    sale = till.sale(hanako, standard=5_000)
    count(till, sale, till.give_back(sale, standard=500))
    page = client.get(page_of(1), headers=EN).content.decode()
    for kind in ("not_mine", "wrong_tier"):
        assert f"{page_of(1)}/dispute?kind={kind}" in page
    dispute = object_to(hanako, 1, "wrong_tier", reduced=5_000)
    page = client.get(page_of(1), headers=EN).content.decode()
    assert f'<a href="/disputes/{dispute.pk}">{dispute.number}</a>: ' in page
    assert "/dispute?kind=" not in page
    propose(dispute)
    assert "Being looked at" in shown(client, page_of(1))
    approve(dispute)
    page = shown(client, page_of(1))
    assert "It counts in your refund for 2017, as what is left of it." in page
    assert "The refund office changed the amounts by tier to these" in page
    assert page.index("4,500") < page.index("The refund office changed") < page.rindex("5,000")
    assert "You have disputed" not in page


def test_who_may_only_look_is_offered_no_dispute_and_no_code(client: Client, world: World, hanako: UUID) -> None:
    till = RawTill(world)
    count(till, till.sale(hanako, standard=5_000))
    assert "Report a missing purchase" in shown(client, IN_YEAR)
    assert "Report a missing purchase" in shown(client, f"{IN_YEAR}&least=9999999")
    dispute = report(hanako, reduced=100)
    other = Client(headers=EN)
    other.force_login(User.objects.get(username="taro"))
    act(other, named(hanako, world.residents[1], "see"))
    for path, seen in ((IN_YEAR, "5,000"), (page_of(1), "5,000"), (f"/disputes/{dispute.pk}", dispute.number)):
        page = other.get(path).content.decode().partition("<h1")[2]
        assert seen in page
        for address in ("/claim", "/disputes/missing", "/dispute?", f"/disputes/{dispute.pk}/withdraw"):
            assert f'"{address}' not in page.replace(page_of(1), ""), (path, address)


def test_a_held_purchase_is_answered_on_its_page(client: Client, world: World, hanako: UUID) -> None:
    till = RawTill(world)
    till.sale(at=on(5), reduced=11_000)
    sold(till)
    lose(hanako, on(4))
    page = shown(client, page_of(1))
    assert "It counts only if you say that it is yours." in page
    assert "No longer counted: held" in page
    assert "What it would bring" in page
    answered = client.post(f"{page_of(1)}/answer", {"not_mine": "1"}, follow=True, headers=EN).content.decode()
    assert "1 purchase stays out." in answered
    assert "You said that it is not yours." in answered
    answered = client.post(f"{page_of(1)}/answer", {"mine": "1"}, follow=True, headers=EN).content.decode()
    assert "1 purchase counts now." in answered
    assert "You said that it is yours: it counts" in answered
    assert "1 purchase, ¥11,000" in shown(client, f"{IN_YEAR}&state=counted")


def test_a_held_purchase_can_be_withdrawn(client: Client, world: World, hanako: UUID) -> None:
    lose(hanako, on(4))
    till = RawTill(world)
    till.sale(at=on(5), reduced=11_000)
    sold(till)
    assert Entry.objects.count() == 0
    assert "Withdraw this purchase" in shown(client, page_of(1))
    client.post(f"{page_of(1)}/withdraw")
    shown(client, page_of(1), status=404)
    assert "No purchase was found." in shown(client, IN_YEAR)


def test_what_a_purchase_brings_by_itself_is_told_where_purchases_are_taken_one_by_one(
    client: Client, world: World, hanako: UUID, by_purchase: None
) -> None:
    till = RawTill(world)
    till.sale(at=on(5), reduced=11_000)
    sold(till)
    page = shown(client, page_of(1))
    assert "Each purchase is computed by itself." in page
    assert "purchase by purchase" in page


def test_anothers_purchase_is_not_there(client: Client, world: World, hanako: UUID) -> None:
    till, other = RawTill(world), world.residents[1]
    till.sale(other, at=on(5), reduced=900)
    till.sale(other, at=on(1), reduced=900)
    sold(till)
    lose(other, on(4))
    for seq in (1, 2):
        shown(client, page_of(seq), status=404)
        assert client.post(f"{page_of(seq)}/answer", {"mine": "1"}).status_code == 404
    for path in ("/purchases/7/7", f"/purchases/{2**40}/1", f"/purchases/1/{2**40}"):
        shown(client, path, status=404)
        assert client.post(f"{path}/answer", {"mine": "1"}).status_code == 404
    assert "No purchase was found." in shown(client, "/purchases?first=")
    client.logout()
    for path in ("/purchases", page_of(1), "/claim"):
        assert client.get(path)["Location"] == f"/login?next={path}"


def test_purchases_cost_the_same_however_many_there_are(client: Client, world: World, hanako: UUID) -> None:
    till = RawTill(world)
    for day in (1, 2, 3):
        sale = till.sale(at=on(day), reduced=900)
        till.give_back(sale, reduced=1)
    sold(till)
    lose(hanako, on(3))
    paths = (IN_YEAR, f"{IN_YEAR}&shop=shop&state=held&tier=reduced", page_of(1))
    few = [queries_of(client, path) for path in paths]
    assert few == [9, 9, 9]
    for day in range(1, 31):
        for _ in range(10):
            till.sale(at=on(day), reduced=900)
    send(till, *till.records[6:])
    count_all()
    assert [queries_of(client, path) for path in paths] == few
    assert "Page 1 of 13" in shown(client, IN_YEAR)


def test_an_erased_year_says_why_there_is_nothing(client: Client, world: World, hanako: UUID) -> None:
    TaxYear.objects.filter(year=YEAR).update(erased_at=timezone.now())
    assert "Your purchases of 2017, with shops and times, were erased on" in shown(client, IN_YEAR)
    assert "were erased" not in shown(client, f"/purchases?first={NOW}-01-01")


# --- the code on a receipt ---


@pytest.fixture
def receipt(world: World, hanako: UUID) -> str:
    """The code of a sale without a card."""
    code, reported = a_claim()
    till = RawTill(world)
    till.sale(claim=reported, at=on(5), reduced=1_000)
    sold(till)
    return code


def entered(client: Client, code: str) -> str:
    return client.post("/claim", {"code": code}, follow=True, headers=EN).content.decode()


def test_a_code_however_it_is_typed_leads_to_its_purchase(client: Client, receipt: str) -> None:
    assert "26 letters and digits" in shown(client, "/claim")
    page = entered(client, f" {receipt[:5].lower()}ー{receipt[5:]}")
    assert "The purchase is yours now." in page
    assert "It counts in your refund for 2017." in page
    assert "1 purchase, ¥1,000" in shown(client, IN_YEAR)


def test_why_a_code_is_not_taken_is_said_beside_it(client: Client, world: World, receipt: str) -> None:
    page = entered(client, "x")
    assert 'aria-describedby="id_code_error"' in page
    assert "This is no code of a receipt." in page
    assert 'value="x"' in page
    assert "try again tomorrow" in entered(client, a_claim()[0])
    Resident.objects.filter(ref=world.residents[0]).update(resident_from="2017-08-06")
    assert "You were not resident on the day" in entered(client, receipt)
    Resident.objects.filter(ref=world.residents[0]).update(resident_from="2017-01-01")
    entered(client, receipt)
    assert "This purchase was claimed before." in entered(client, receipt)


def test_a_cancelled_purchase_and_one_of_a_closed_year_are_told(client: Client, world: World, hanako: UUID) -> None:
    (voided, reported), (late, other) = a_claim(), a_claim()
    till = RawTill(world)
    till.void(till.sale(claim=reported, reduced=1_000))
    till.sale(claim=other, reduced=1_000)
    sold(till)
    assert "there is nothing to claim" in entered(client, voided)
    TaxYear.objects.filter(year=YEAR).update(deadline_at=timezone.now() - timedelta(days=1))
    assert "it can no longer be claimed" in entered(client, late)


def test_who_guesses_is_told_when_to_try_again(client: Client, receipt: str) -> None:
    for _ in range(GUESSES):
        entered(client, a_claim()[0])
    page = entered(client, receipt)
    assert "Too many codes were wrong. Try again after " in page
    assert Entry.objects.count() == 0


def test_a_code_is_in_no_address_and_in_no_trail(client: Client, receipt: str) -> None:
    assert client.get(f"/claim?code={receipt}").content.decode().count(receipt) <= 1  # the language form's way back
    response = client.post("/claim", {"code": receipt})
    assert receipt not in response["Location"]
    assert claim_of(receipt)
