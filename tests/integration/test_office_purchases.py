"""A clerk does for a resident what the portal does with purchases: on record, with office and channel."""

from datetime import datetime
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.accruals.models import Entry, Withheld
from apps.accruals.operations.counting import count_all
from apps.audit.models import AccessRecord, Event
from apps.audit.officers import Role
from apps.merchants.models import Terminal
from apps.portal.models import Account
from apps.refunds.operations.freezing import freeze
from apps.residents.models import CardSuspension, Resident
from apps.residents.operations.card_life import suspend_cards
from apps.schemes.models import TaxYear
from tests.offices import OFFICE, identify, officer, open_resident, sent
from tests.pages import queries_of, shown
from tests.till import RawTill, send
from tests.world import TERMINAL, YEAR, World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ref(world: World) -> UUID:
    identify(world.residents[0])
    return world.residents[0]


@pytest.fixture
def clerk(ref: UUID) -> Client:
    """A clerk who has opened the resident."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(officer("ann", Role.CLERK))
    open_resident(client)
    return client


def buy(till: RawTill, ref: UUID, *days: str, reduced: int = 5_500) -> None:
    send(till, *(till.sale(ref, at=f"2017-{day}T12:00:00+09:00", reduced=reduced) for day in days))
    count_all()


def lose(ref: UUID, since: str) -> None:
    lost_since = datetime.fromisoformat(f"2017-{since}T00:00:00+09:00")
    suspend_cards(
        ref, lost_since=lost_since, channel=CardSuspension.Channel.WINDOW, at=timezone.now(), actor="user:ann"
    )
    count_all()


def terminal() -> int:
    return Terminal.objects.get(code=TERMINAL).pk


def name(seq: int) -> str:
    return f"{terminal()}-{seq}"


def page_of(ref: UUID) -> str:
    return f"/office/resident/{ref}/purchases"


def withdrawal_of(ref: UUID, seq: int) -> str:
    return f"{page_of(ref)}/{terminal()}/{seq}/withdraw"


def say(client: Client, ref: UUID, answer: str, *seqs: int, channel: str = "window") -> str:
    return sent(client, f"{page_of(ref)}/answer", purchase=[name(seq) for seq in seqs], answer=answer, channel=channel)


def acts() -> list[tuple[str, ...]]:
    events = Event.objects.filter(action="office.act").order_by("pk")
    return [(e.actor, e.subject, *e.detail.values()) for e in events]


def test_a_clerk_sees_held_and_counted_purchases_with_shop_time_and_amounts(
    clerk: Client, world: World, ref: UUID
) -> None:
    buy(RawTill(world), ref, "04-01", "04-03")
    lose(ref, "04-02")
    page = shown(clerk, page_of(ref))
    assert "1 purchase waits for an answer." in page
    assert "April 3, 2017, noon, shop-1 Shop : ¥5,500" in page
    assert "Held: no answer yet." in page
    assert "3 purchases and changes to them were counted" in page
    assert "April 1, 2017, noon shop-1 Shop Food and drink ¥5,500" in page
    assert page.count("Withdraw this purchase") == 2


def test_several_held_purchases_are_confirmed_or_denied_for_the_resident_on_record(
    clerk: Client, world: World, ref: UUID
) -> None:
    buy(RawTill(world), ref, "04-03", "04-05", "04-07")
    lose(ref, "04-02")
    page = say(clerk, ref, "confirmed", 1, 2, channel="letter")
    assert "The resident's answer is on record." in page
    assert page.count("Confirmed by the resident. It counts.") == 2
    assert "Denied by the resident. It does not count." in say(clerk, ref, "denied", 3)
    assert sorted(Withheld.objects.values_list("seq", "answer")) == [(1, "confirmed"), (2, "confirmed"), (3, "denied")]
    assert Entry.objects.filter(resident_ref=ref).values("seq").distinct().count() >= 2
    subject = f"resident:{ref}"
    assert acts() == [
        ("user:ann", subject, "purchase.confirm", OFFICE, "letter"),
        ("user:ann", subject, "purchase.deny", OFFICE, "window"),
    ]
    answers = Event.objects.filter(action="purchase.answer", subject=subject).values_list("actor", flat=True)
    assert list(answers) == ["user:ann"] * 2


def test_an_answer_says_about_what_it_is_and_how_it_was_given(clerk: Client, world: World, ref: UUID) -> None:
    buy(RawTill(world), ref, "04-03")
    lose(ref, "04-02")
    assert "Tick the purchases that it is about." in say(clerk, ref, "confirmed")
    assert "Select a valid choice" in say(clerk, ref, "confirmed", 1, channel="phone")
    assert "Select a valid choice" in say(clerk, ref, "perhaps", 1)
    assert "no such purchase" in sent(clerk, f"{page_of(ref)}/answer", purchase="x", answer="denied", channel="window")
    assert set(Withheld.objects.values_list("answer", flat=True)) == {""}
    assert acts() == []


def test_an_answer_is_final_after_the_filing_deadline(clerk: Client, world: World, ref: UUID) -> None:
    buy(RawTill(world), ref, "04-03")
    lose(ref, "04-02")
    say(clerk, ref, "denied", 1)
    TaxYear.objects.filter(year=YEAR).update(deadline_at=timezone.now())
    assert "the answer can no longer be changed" in say(clerk, ref, "confirmed", 1)
    assert Withheld.objects.get().answer == "denied"
    assert len(acts()) == 1


def test_a_purchase_is_withdrawn_after_a_page_that_says_what_it_means(clerk: Client, world: World, ref: UUID) -> None:
    buy(RawTill(world), ref, "04-03", "04-05")
    path = withdrawal_of(ref, 1)
    assert f'href="{path}"' in clerk.get(page_of(ref)).content.decode()
    asked = shown(clerk, path)
    assert "April 3, 2017, noon, shop-1 Shop : ¥5,500" in asked
    assert "This cannot be undone." in asked
    assert "Select a valid choice" in sent(clerk, path, channel="phone", year=YEAR)
    assert Entry.objects.count() == 2
    assert acts() == []
    done = clerk.post(path, {"channel": "letter", "year": YEAR})
    assert done["Location"] == f"{page_of(ref)}?year={YEAR}"
    assert "The purchase is erased, and its refund given up." in shown(clerk, done["Location"])
    assert list(Entry.objects.values_list("seq", flat=True)) == [2]
    assert acts() == [("user:ann", f"resident:{ref}", "purchase.withdraw", OFFICE, "letter")]
    assert "it was withdrawn" in sent(clerk, path, channel="window", year=YEAR)
    assert "it was withdrawn" in shown(clerk, path, status=409)


def test_what_is_frozen_can_no_longer_be_withdrawn(clerk: Client, world: World, ref: UUID) -> None:
    buy(RawTill(world), ref, "04-03")
    freeze(YEAR, actor="test")
    assert "Withdraw this purchase" not in shown(clerk, page_of(ref))
    assert "it can no longer be withdrawn" in shown(clerk, withdrawal_of(ref, 1), status=409)
    assert "it can no longer be withdrawn" in sent(clerk, withdrawal_of(ref, 1), channel="window", year=YEAR)
    assert Entry.objects.count() == 1
    assert acts() == []


def test_nothing_is_shown_or_done_of_somebody_elses_purchases(clerk: Client, world: World, ref: UUID) -> None:
    other = world.residents[1]
    buy(RawTill(world), other, "04-03", "01-02")
    lose(other, "04-02")
    page = shown(clerk, page_of(ref))
    assert "No purchase is held." in page
    assert "No purchase of this resident was counted in this year." in page
    assert "no such purchase" in say(clerk, ref, "confirmed", 1)
    assert "no such purchase" in shown(clerk, withdrawal_of(ref, 2), status=409)
    assert "no such purchase" in sent(clerk, withdrawal_of(ref, 2), channel="window", year=YEAR)
    assert clerk.get(page_of(other))["Location"] == "/office/open"
    assert clerk.post(withdrawal_of(other, 2), {"channel": "window", "year": YEAR})["Location"] == "/office/open"
    assert Withheld.objects.get().answer == ""
    assert Entry.objects.filter(resident_ref=other, seq=2).exists()
    assert acts() == []


def test_a_forged_form_does_nothing(world: World, ref: UUID) -> None:
    buy(RawTill(world), ref, "04-03")
    officer("ann", Role.CLERK)
    forged = Client(enforce_csrf_checks=True)
    forged.force_login(User.objects.get(username="ann"))
    assert forged.post(withdrawal_of(ref, 1), {"channel": "window", "year": YEAR}).status_code == 403
    assert forged.post(f"{page_of(ref)}/answer").status_code == 403
    assert Entry.objects.count() == 1


def test_purchases_of_a_protected_resident_are_shown_to_named_officers_only(
    clerk: Client, world: World, ref: UUID
) -> None:
    buy(RawTill(world), ref, "04-01", "04-03")
    lose(ref, "04-02")
    Resident.objects.filter(pk=ref).update(is_protected=True)
    for path in (page_of(ref), withdrawal_of(ref, 1)):
        refused = shown(clerk, path, status=403)
        for hidden in ("shop-1", "April 3", "5,500"):
            assert hidden not in refused
    say(clerk, ref, "denied", 2)
    clerk.post(withdrawal_of(ref, 1), {"channel": "window", "year": YEAR})
    assert acts() == []
    officer("ann", Role.PROTECTED_OFFICER)
    assert "¥5,500" in shown(clerk, page_of(ref))


def test_the_resident_reads_that_purchases_were_looked_at(clerk: Client, world: World, ref: UUID) -> None:
    buy(RawTill(world), ref, "04-03")
    for path in (page_of(ref), withdrawal_of(ref, 1)):
        clerk.get(path)
    looked = AccessRecord.objects.filter(what__startswith="page:").values_list("what", "actor", "resident_ref")
    assert list(looked) == [("page:purchases", "user:ann", ref)] * 2
    Account.objects.create(user=User.objects.create_user("hanako"), resident_ref=ref)
    reader = Client()
    assert "Registry clerk" in shown(reader, "/accesses", as_user="hanako")
    assert "購入" in shown(reader, "/accesses", language="ja")


def test_other_years_are_a_link_away(clerk: Client, world: World, ref: UUID) -> None:
    buy(RawTill(world), ref, "04-03")
    this_year = timezone.localdate().year
    for odd in ("", "x", "1999", "9" * 40):
        assert f"Counted in {YEAR}" in shown(clerk, f"{page_of(ref)}?year={odd}&page=x&held=x")
    page = shown(clerk, f"{page_of(ref)}?year={this_year}")
    assert f"Counted in {this_year}" in page
    assert "No purchase of this resident was counted in this year." in page


def test_purchases_are_paged_at_the_same_cost(clerk: Client, world: World, ref: UUID) -> None:
    till = RawTill(world)
    buy(till, ref, "04-01", "04-03", reduced=110)
    lose(ref, "04-02")
    assert queries_of(clerk, page_of(ref)) == 22
    assert queries_of(clerk, withdrawal_of(ref, 1)) == 13
    buy(till, ref, *["04-01"] * 60, *["04-03"] * 60, reduced=110)
    assert queries_of(clerk, page_of(ref)) == 22
    assert queries_of(clerk, withdrawal_of(ref, 1)) == 13
    page = shown(clerk, page_of(ref))
    assert page.count("Page 1 of 2") == 2
    assert page.count("Held: no answer yet.") == 50
    assert page.count("Withdraw this purchase") == 49
    assert shown(clerk, f"{page_of(ref)}?held=2").count("Held: no answer yet.") == 11
    assert shown(clerk, f"{page_of(ref)}?year={YEAR}&page=2").count("Withdraw this purchase") == 13
