"""What cannot be counted lies in a table with its reason, out of everybody's way, until the cause is mended."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from apps.accruals.models import Entry
from apps.accruals.operations.counting import count_all
from apps.audit.models import Event
from apps.audit.officers import Role
from apps.kernel.database import ATTEMPTS, again_after_conflict
from apps.purchases.models import Followup, Poison
from apps.purchases.poison import PAUSES, settle_done, take_up_due
from apps.purchases.queries import uncounted
from tests.till import RawTill, send
from tests.world import TERMINAL, World

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def refusing(amount: int) -> Iterator[None]:
    """A fault that makes every entry of this amount impossible."""
    execute(f"ALTER TABLE accruals_entry ADD CONSTRAINT planted CHECK (amounts_minor[1] <> {amount})")
    try:
        yield
    finally:
        execute("ALTER TABLE accruals_entry DROP CONSTRAINT planted")


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def sell(world: World, *amounts: int) -> RawTill:
    """A batch for each amount."""
    till = RawTill(world)
    for amount in amounts:
        send(till, till.sale(reduced=amount))
    return till


def listed() -> str:
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("poison", stdout=out)
    return out.getvalue()


def test_a_batch_that_fails_is_kept_with_its_reason_and_tried_again_by_itself_after_growing_pauses(
    world: World,
) -> None:
    sell(world, 666, 1)
    with refusing(666):
        assert count_all() > 0
        assert list(Entry.objects.values_list("amounts_minor", flat=True)) == [[1]]
        poison = Poison.objects.get()
        assert (poison.kind, poison.reason, poison.attempts) == ("batch", "IntegrityError 23514 planted", 1)
        assert poison.request_id is not None
        for attempts, pause in enumerate(PAUSES, start=1):
            failed_at = Poison.objects.get().last_failed_at
            assert take_up_due(now=failed_at + pause - timedelta(seconds=1)) == 0
            assert take_up_due(now=failed_at + pause) == 1
            count_all()
            assert Poison.objects.get().attempts == attempts + 1
        assert take_up_due(now=timezone.now() + timedelta(days=9)) == 0  # now people look
        assert "IntegrityError 23514 planted" in listed()
        assert TERMINAL in listed()
    call_command("poison", "--replay", stdout=StringIO())
    assert count_all() == 1
    settle_done(now=timezone.now())
    assert Poison.objects.get().settled_at is not None
    assert uncounted() == (0, 0)
    assert Event.objects.filter(action="poison.replay").count() == 1


def test_a_return_that_fails_is_kept_and_counts_once_it_is_tried_again(world: World) -> None:
    till = sell(world, 1080)
    count_all()
    with refusing(-80):
        send(till, till.give_back(till.records[0], reduced=80))
        send(till, till.sale(reduced=5))
        count_all()
        assert (Poison.objects.get().kind, Entry.objects.count()) == ("followup", 2)
        assert Followup.objects.get().failed
    call_command("poison", "--replay", str(Poison.objects.get().pk), stdout=StringIO())
    count_all()
    settle_done(now=timezone.now())
    assert (Poison.objects.filter(settled_at=None).count(), Entry.objects.count()) == (0, 3)


def test_an_operator_sees_it_and_tries_it_again(world: World, client: Client) -> None:
    sell(world, 666, 667)
    with refusing(666):
        count_all()
    user = User.objects.create_user("oda")
    user.groups.add(Group.objects.get_or_create(name=Role.OPERATOR)[0])
    client.force_login(user)
    page = client.get("/office/poison", headers={"Accept-Language": "en"}).content.decode()
    assert "IntegrityError 23514 planted" in page
    assert TERMINAL in page
    client.post("/office/poison/replay", {"poison": "x"})
    assert count_all() == 0
    client.post("/office/poison/replay", {"poison": str(Poison.objects.get().pk)})
    assert count_all() == 1
    settle_done(now=timezone.now())
    assert "Nothing is set aside." in client.get("/office/poison", headers={"Accept-Language": "en"}).content.decode()
    assert Event.objects.get(action="poison.replay").actor == "user:oda"


class Broken(Exception):
    """As psycopg's error says which."""

    def __init__(self, sqlstate: str) -> None:
        self.sqlstate = sqlstate


@pytest.mark.parametrize(("sqlstate", "tries"), [("40P01", ATTEMPTS), ("40001", ATTEMPTS), ("57P01", 1)])
def test_a_transaction_that_met_another_is_made_again_a_few_times(sqlstate: str, tries: int) -> None:
    made: list[Any] = []

    @again_after_conflict
    def work() -> None:
        made.append(1)
        raise OperationalError from Broken(sqlstate)

    with pytest.raises(OperationalError):
        work()
    assert len(made) == tries
