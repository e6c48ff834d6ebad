"""The resident's year: what it is likely to bring, what last year was, and the next day to know."""

from datetime import date, datetime, time, timedelta
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from apps.accruals.models import Total
from apps.accruals.operations.years import start_year
from apps.refunds.models import Decision
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.verifying import verify_run
from apps.schemes.models import TaxYear
from tests.pages import YEAR, approve, buy, resident, settle, shown

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def in_july(monkeypatch: pytest.MonkeyPatch) -> None:
    """Today is the first of July of the year."""
    monkeypatch.setattr("apps.portal.queries.years.timezone.localdate", lambda: date(YEAR, 7, 1))


def bought_last_year(ref: UUID, *months: int) -> None:
    version = TaxYear.objects.get(year=YEAR).scheme_version
    start_year(YEAR - 1, version, deadline=date(2099, 1, 1), at=timezone.now(), actor="test")
    Total.objects.create(
        resident_ref=ref, tax_year=YEAR - 1, run=1, tier="reduced", amounts_minor=list(months), purchases=[1] * 12
    )


def test_what_the_year_is_likely_to_bring_is_told_until_a_run_has_found_it(
    client: Client, terminal: int, in_july: None
) -> None:
    ref = resident("hanako")
    for month in range(1, 7):
        buy(ref, terminal, {"reduced": 11_000}, month=month)
    page = shown(client, f"/year/{YEAR}", as_user="hanako")
    assert "Refund so far ¥1,200" in page
    assert "About ¥2,410 at the end of the year" in page  # 66,000 in 181 days, 184 to come
    bought_last_year(ref, *[5_500] * 6, *[8_250] * 6)
    assert "About ¥3,000 at the end of the year" in shown(client, f"/year/{YEAR}")
    settle(freeze, assess_run)
    assert "at the end of the year" not in shown(client, f"/year/{YEAR}")


def test_a_year_that_is_over_or_at_its_limit_is_not_estimated(client: Client, terminal: int, in_july: None) -> None:
    ref = resident("hanako")
    buy(ref, terminal, {"reduced": 1_000_000}, month=1)
    assert "at the end of the year" not in shown(client, f"/year/{YEAR}", as_user="hanako")
    bought_last_year(ref, *[5_500] * 12)
    assert "at the end of the year" not in shown(client, f"/year/{YEAR - 1}")


def test_last_year_stands_beside_this_one_in_the_chart_and_in_the_table(client: Client, terminal: int) -> None:
    ref = resident("hanako")
    buy(ref, terminal, {"reduced": 11_000})
    client.get(f"/year/{YEAR}")
    assert "Last year" not in shown(client, f"/year/{YEAR}", as_user="hanako")
    bought_last_year(ref, *[0] * 2, 7_777, *[0] * 9)
    assert "March ¥11,000 ¥0 ¥11,000 ¥7,777" in shown(client, f"/year/{YEAR}")
    assert 'class="last-year" d="M44' in client.get(f"/year/{YEAR}").content.decode()


def test_the_next_day_to_know_is_told(client: Client, terminal: int) -> None:
    ref = resident("hanako")
    buy(ref, terminal, {"reduced": 1_100_000})
    today = timezone.localdate()
    zone = timezone.get_default_timezone()
    assert "shops can report" not in shown(client, f"/year/{YEAR}", as_user="hanako")  # decades ahead
    end = datetime.combine(today + timedelta(days=31), time(), zone)
    TaxYear.objects.filter(year=YEAR).update(deadline_at=end)
    page = shown(client, f"/year/{YEAR}", language="ja")
    assert "まで、店舗は2017年の購入を送信でき" in page
    assert "取り下げることもできます" in page
    settle(freeze, assess_run, verify_run)
    approve()
    decision = Decision.objects.get(resident_ref=ref)
    client.get(f"/decisions/{decision.pk}")
    Decision.objects.filter(pk=decision.pk).update(appeal_until=today + timedelta(days=5))
    page = client.get(f"/year/{YEAR}", headers={"accept-language": "en"}).content.decode()
    assert "You can appeal against a decision about this year until" in page
    assert f'href="/decisions/{decision.pk}"' in page
    Decision.objects.filter(pk=decision.pk).update(appeal_until=today - timedelta(days=1))
    page = shown(client, f"/year/{YEAR}")
    assert "shops can report purchases of 2017" in page
    assert "a purchase can be withdrawn" not in page
    TaxYear.objects.filter(year=YEAR).update(deadline_at=datetime.combine(today, time(), zone))
    assert "shops can report" not in shown(client, f"/year/{YEAR}")
