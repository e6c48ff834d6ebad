"""What auditors find and take along in tests: purchases of two residents at three tills."""

import pytest
from django.test import Client
from django.utils import timezone

from apps.accruals.operations.counting import count_all
from apps.audit.officers import Role
from apps.merchants.models import Merchant
from apps.merchants.operations import enrol_terminal
from tests.offices import signed_in
from tests.till import RawTill, send
from tests.world import OTHER_TERMINAL, TERMINAL, World

YEAR = 2017


@pytest.fixture
def bought(world: World) -> World:
    """Six purchases and a return at two shops by two residents, a minute and a month apart."""
    enrol_terminal(Merchant.objects.get(name="Shop"), "osaka-1", region="27", at=timezone.now(), actor="test")
    tills = {code: RawTill(world, code) for code in (TERMINAL, OTHER_TERMINAL, "osaka-1")}
    hanako, taro = world.residents
    shop, rival, osaka = tills.values()
    first = shop.sale(hanako, at=day(3, 1), reduced=1_000)
    shop.sale(taro, at=day(3, 2), standard=2_000)
    shop.give_back(first, at=day(3, 5), reduced=400)
    rival.sale(hanako, at=day(4, 1), reduced=3_000, standard=70)
    rival.sale(taro, at=day(5, 1), reduced=90_000)
    osaka.sale(taro, at=day(6, 1), reduced=5_000)
    for till in tills.values():
        assert send(till) == []
    count_all()
    return world


def day(month: int, number: int) -> str:
    return f"2017-{month:02}-{number:02}T12:00:00+09:00"


@pytest.fixture
def ann(bought: World) -> Client:
    """An auditor who said for what she searches."""
    client = signed_in(Role.AUDITOR)
    client.post("/console/find/purpose", {"purpose": "fraud", "case": "R8-17"})
    return client
