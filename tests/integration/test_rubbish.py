"""Requests that no till sends are answered in words, zipped or not, and what is taken of them holds up no worker."""

import pytest
from django.utils import timezone

from apps.accruals.models import Entry
from apps.accruals.operations.counting import count_all
from apps.merchants.models import Merchant
from apps.merchants.operations import enrol_terminal
from apps.purchases.queries import uncounted
from tests.chaos import poison
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def test_rubbish_is_answered_and_counted_or_refused(world: World, web: str) -> None:
    enrol_terminal(Merchant.objects.get(name="Shop"), poison.SENT, at=timezone.now(), actor="test")
    answers = [
        poison.send(web, world.api_key, body, zipped=zipped)
        for zipped in (False, True)
        for body in poison.bodies(1 + zipped)
    ]
    assert set(answers) == {"200", "400", "413"}
    count_all()
    assert uncounted() == (0, 0)  # nor is anything set aside
    assert not Entry.objects.exists()
