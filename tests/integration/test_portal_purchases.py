"""Held purchases are confirmed or denied in the portal, counted ones withdrawn; only by whose they are."""

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.accruals.models import Entry, Withheld
from apps.accruals.operations.counting import count_all
from apps.merchants.models import Terminal
from apps.portal.models import Account
from apps.refunds.operations.freezing import freeze
from apps.residents.models import CardSuspension
from apps.residents.operations.card_life import suspend_cards
from tests.pages import queries_of, shown
from tests.till import RawTill, send
from tests.world import TERMINAL, YEAR, World

pytestmark = pytest.mark.django_db(transaction=True)
EN = {"accept-language": "en"}


@pytest.fixture
def hanako(world: World, client: Client) -> UUID:
    """The first resident, signed in, and the second, who is not."""
    for number, resident in enumerate(world.residents):
        user = User.objects.create_user(("hanako", "taro")[number])
        Account.objects.create(user=user, resident_ref=resident)
    client.force_login(User.objects.get(username="hanako"))
    return world.residents[0]


def buy(till: RawTill, ref: UUID, *days: str, reduced: int = 5_500) -> None:
    send(till, *(till.sale(ref, at=f"2017-{day}T12:00:00+09:00", reduced=reduced) for day in days))
    count_all()


def lose(ref: UUID, since: str) -> None:
    lost_since = datetime.fromisoformat(f"2017-{since}T00:00:00+09:00")
    channel = CardSuspension.Channel.PORTAL
    suspend_cards(ref, lost_since=lost_since, channel=channel, at=timezone.now(), actor="resident")
    count_all()


def name(seq: int) -> str:
    return f"{Terminal.objects.get(code=TERMINAL).pk}-{seq}"


def say(client: Client, **answer: Any) -> str:
    response = client.post("/held", answer, follow=True, headers=EN)
    return response.content.decode()


def test_held_purchases_are_answered_one_by_one(client: Client, world: World, hanako: UUID) -> None:
    buy(RawTill(world), hanako, "04-01", "04-03", "04-05")
    lose(hanako, "04-02")
    assert "2 purchases wait for your answer." in shown(client, f"/year/{YEAR}")
    page = shown(client, "/held")
    assert page.count("Held: is it yours?") == 2
    assert "¥5,500" in page
    assert "1 purchase counts now." in say(client, mine=name(2))
    assert "1 purchase stays out." in say(client, not_mine=name(3))
    page = shown(client, "/held")
    assert "You said: mine. It counts." in page
    assert "You said: not mine. It does not count." in page
    assert "wait for your answer" not in shown(client, f"/year/{YEAR}")
    assert "Refund so far ¥200" in shown(client, f"/year/{YEAR}")
    say(client, mine=name(3))
    assert "Refund so far ¥300" in shown(client, f"/year/{YEAR}")


def test_all_on_a_page_are_answered_at_once(client: Client, world: World, hanako: UUID) -> None:
    buy(RawTill(world), hanako, "04-03", "04-05")
    lose(hanako, "04-02")
    say(client, not_mine="all", purchase=[name(1), name(2)])
    assert set(Withheld.objects.values_list("answer", flat=True)) == {"denied"}
    assert "All that wait" not in shown(client, "/held")


def test_anothers_purchases_are_not_there(client: Client, world: World, hanako: UUID) -> None:
    other = world.residents[1]
    till = RawTill(world)
    buy(till, other, "04-03", "01-02")
    lose(other, "04-02")
    assert "No purchase is held." in shown(client, "/held")
    for bad in (name(1), "1-99999999999", "9999999999-1", "x", ""):
        assert client.post("/held", {"mine": bad}).status_code == 404
    terminal = name(2).split("-")[0]
    for path in (
        f"/purchases/{terminal}/2/withdraw",
        f"/purchases/{terminal}/{2**40}/withdraw",
        "/purchases/7/7/withdraw",
    ):
        assert client.get(path).status_code == client.post(path).status_code == 404
    assert Entry.objects.filter(resident_ref=other).exists()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="taro"))
    assert strict.post("/held", {"mine": name(1)}).status_code == 403
    assert strict.post(f"/purchases/{terminal}/2/withdraw").status_code == 403


def test_a_purchase_is_withdrawn_after_a_page_that_says_what_it_means(
    client: Client, world: World, hanako: UUID
) -> None:
    buy(RawTill(world), hanako, "04-03", "04-05")
    path = f"/purchases/{name(1).replace('-', '/')}/withdraw"
    assert f'href="{path}"' in client.get(path.removesuffix("/withdraw")).content.decode()
    assert "This cannot be undone." in shown(client, path)
    assert Entry.objects.count() == 2
    assert client.post(path)["Location"] == f"/year/{YEAR}"
    assert Entry.objects.count() == 1
    assert "Refund so far ¥100" in shown(client, f"/year/{YEAR}")
    assert client.post(path).status_code == 404


def test_what_is_frozen_can_no_longer_be_withdrawn(client: Client, world: World, hanako: UUID) -> None:
    buy(RawTill(world), hanako, "04-03")
    freeze(YEAR, actor="test")
    assert "Withdraw this purchase" not in shown(client, f"/purchases/{name(1).replace('-', '/')}")
    page = client.post(f"/purchases/{name(1).replace('-', '/')}/withdraw", follow=True, headers=EN).content.decode()
    assert "can no longer be withdrawn" in page
    assert Entry.objects.count() == 1


def test_held_purchases_are_paged_at_the_same_cost(client: Client, world: World, hanako: UUID) -> None:
    till = RawTill(world)
    buy(till, hanako, *["04-03"] * 2, reduced=110)
    lose(hanako, "04-02")
    few = queries_of(client, "/held")
    buy(till, hanako, *["04-03"] * 60, reduced=110)
    assert queries_of(client, "/held") == few
    assert "Page 2 of 2" in shown(client, "/held?page=2")
