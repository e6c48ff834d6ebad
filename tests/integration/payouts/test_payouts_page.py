"""Auditors see how payments add up, and approve files in the console."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client

from apps.payouts.models import Batch
from apps.refunds.models import Run
from apps.residents.models import PaymentAccount
from tests import payouts
from tests.pages import PASSWORD, as_user, sent, text_of
from tests.world import YEAR, World

pytestmark = pytest.mark.django_db(transaction=True)
APPROVE = "/console/payouts/approve"


@pytest.fixture
def ann(client: Client, run: Run) -> Client:
    for name in ("ann", "ben"):
        user = User.objects.get(username=name)
        user.set_password(PASSWORD)
        user.save()
    return as_user(client, "ann")


def shown(client: Client) -> str:
    response = client.get("/console/payouts", headers={"accept-language": "en"})
    assert response.status_code == 200
    return text_of(response).replace("&#x27;", "'")


def test_a_run_that_is_paid_is_shown_with_what_waits(ann: Client, world: World) -> None:
    PaymentAccount.objects.filter(resident=world.residents[0]).delete()
    payouts.sent()
    text = shown(ann)
    assert "Year 2017, run 1 It adds up" in text
    assert re.search(r"With the bank, or on the way there 1 ¥1 ", text)
    assert re.search(r"No account 1 ¥4,000 The resident names one", text)
    assert re.search(r"With the bank approved by ann, ben", text)


def test_two_auditors_approve_the_file_that_they_were_shown(ann: Client) -> None:
    batch = payouts.draft()
    form = {"batch": batch.pk, "sha256": batch.sha256, "password": PASSWORD}
    assert "2 transfers of ¥4,001" in shown(ann)
    ann.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    assert "The password is not right" in sent(ann, APPROVE, **(form | {"password": "x"}))
    assert "another one than you were shown" in sent(ann, APPROVE, **(form | {"sha256": "0" * 64}))
    assert "You have approved the file." in sent(ann, APPROVE, **form)
    assert "The second approval must be another auditor's." in shown(ann)
    assert "You have approved this file." in sent(ann, APPROVE, **form)
    ben = as_user(ann, "ben")
    assert "You have approved the file." in sent(ben, APPROVE, **form)
    assert Batch.objects.get().state == "approved"
    assert "does not wait for an approval any more" in sent(ben, APPROVE, **form)
    assert "There is no such file" in sent(ben, APPROVE, **(form | {"batch": batch.pk + 1}))


def test_the_page_takes_as_many_queries_however_many_files(
    ann: Client, django_assert_max_num_queries: object, run: Run
) -> None:
    bank = payouts.bank(name="other")
    Batch.objects.bulk_create(
        Batch(bank=bank, tax_year=YEAR, run=1, transfer_date="2026-12-01",
              state="dropped", made_at=payouts.MORNING, made_by="test")
        for _ in range(60)
    )  # fmt: skip
    with django_assert_max_num_queries(20):  # type: ignore[operator]
        assert shown(ann).count("kanpu-2017-1-") == 50
