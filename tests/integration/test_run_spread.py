"""What a run's page says of its refunds together: tenths, prefectures, the cap, the year before, payments, its pack."""

import uuid
from datetime import date
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.accruals.operations.years import start_year
from apps.inspections.models import Pack
from apps.inspections.operations.packing import run_requested_packs
from apps.refunds.models import Refund, Run, RunState
from apps.refunds.operations.approving import pay_run
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.netting import record_payments
from apps.refunds.operations.verifying import verify_run
from apps.refunds.queries.statistics import kept_statistics, statistics_of
from apps.refunds.statistics import as_json, from_json, tenths_of
from apps.residents.models import Resident
from apps.schemes.models import SchemeVersion
from tests.pages import ACTOR, YEAR, approve, as_user, auditor, buy, queries_of, sent, settle, shown

pytestmark = pytest.mark.django_db
PAGE = f"/console/runs/{YEAR}/1"


@pytest.fixture
def client() -> Client:
    return Client(headers={"accept-language": "en"})


def living_in(municipality: str) -> uuid.UUID:
    return Resident.objects.create(resident_from=date(2010, 4, 1), municipality=municipality).pk


@given(st.lists(st.integers(0, 4000) | st.sampled_from([0, 4000]), max_size=80))
def test_tenths_are_what_sorting_everybody_gives(refunds: list[int]) -> None:
    refunds.sort()
    found = tenths_of({amount: refunds.count(amount) for amount in refunds})
    for place, tenth in enumerate(found):
        part = refunds[len(refunds) * place // 10 : len(refunds) * (place + 1) // 10]
        assert (tenth.number, tenth.residents, tenth.sum_minor) == (place + 1, len(part), sum(part))
        assert not part or (tenth.from_minor, tenth.to_minor) == (part[0], part[-1])


def test_a_verified_run_keeps_how_its_refunds_are_spread(client: Client, terminal: int) -> None:
    for number in range(10):
        buy(living_in("131121" if number < 7 else "011002"), terminal, {"reduced": 11_000 * (number + 1)})
    buy(uuid.uuid4(), terminal, {"reduced": 1_000_000})
    settle(freeze, assess_run, verify_run)
    run = Run.objects.get()
    kept = kept_statistics(run)
    assert kept == statistics_of(run)
    assert from_json(as_json(statistics_of(run))) == kept
    auditor("ann")
    page = shown(client, PAGE, as_user="ann")
    assert "Tokyo 7 0 ¥5,600 ¥800" in page
    assert "Hokkaido 3 0 ¥5,400 ¥1,800" in page
    assert "Not known 1 1 ¥4,000 ¥4,000" in page
    assert "1 ¥200 – ¥200 ¥200 ¥200 2 ¥400 – ¥400" in page
    assert "10 ¥2,000 – ¥4,000 ¥6,000 ¥3,000" in page
    assert "東京都 7 0 5,600円 800円" in shown(client, PAGE, language="ja")
    Run.objects.update(statistics=None)  # one that was verified before statistics were kept
    assert "Tokyo 7 0 ¥5,600 ¥800" in shown(client, PAGE)


def test_a_run_stands_beside_the_same_run_of_the_year_before(client: Client, terminal: int) -> None:
    ref = living_in("131121")
    buy(ref, terminal, {"reduced": 110_000})
    settle(freeze, assess_run, verify_run)
    approve()
    run = Run.objects.select_related("tax_year").get()
    assert "Beside the year before" not in shown(client, PAGE, as_user="ann")
    version = SchemeVersion.objects.get()
    start_year(YEAR - 1, version, deadline=date(2099, 12, 31), at=timezone.now(), actor=ACTOR)
    run.pk, run.tax_year_id = None, YEAR - 1
    before = as_json(statistics_of(Run.objects.get())) | {"regions": [
        {"code": "13", "residents": 2, "refunded": 2, "at_cap": 0, "sum_minor": 3_001}]}  # fmt: skip
    run.statistics, run.entitled_minor, run.verified_minor, run.residents, run.verified_residents = (
        before, 3_001, 3_001, 2, 2,
    )  # fmt: skip
    run.save(force_insert=True)
    page = shown(client, PAGE)
    assert "Total refund ¥2,000 ¥3,001 Residents assessed 1 2" in page
    assert "Tokyo 1 0 ¥2,000 ¥2,000 ¥1,501" in page
    Run.objects.filter(tax_year=YEAR - 1).update(state=RunState.VERIFIED)  # not approved: nothing to compare with
    assert "Beside the year before" not in shown(client, PAGE)


def test_what_was_paid_of_a_run_and_what_is_left(client: Client, terminal: int) -> None:
    one, two = living_in("131121"), living_in("131121")
    buy(one, terminal, {"reduced": 110_000})
    buy(two, terminal, {"reduced": 55_000})
    settle(freeze, assess_run, verify_run)
    run = approve()
    pay_run(YEAR, actor=ACTOR)
    record_payments(run, [(one, 2_000), (two, 300)], at=timezone.now(), actor=ACTOR)
    page = shown(client, PAGE, as_user="ann")
    assert "2 refunds of this run are to be paid: ¥3,000." in page
    assert "paid ¥2,300 netted against earlier debts ¥0 lapsed ¥0 not settled yet ¥700" in page


def test_the_page_takes_the_same_queries_however_many_refunds_there_are(client: Client, terminal: int) -> None:
    buy(living_in("131121"), terminal, {"reduced": 110_000})
    settle(freeze, assess_run, verify_run)
    approve()
    as_user(client, "ann")
    few = queries_of(client, PAGE)
    (refund,) = Refund.objects.values()
    Refund.objects.bulk_create(Refund(**refund | {"resident_ref": uuid.uuid4()}) for _ in range(300))
    Run.objects.update(statistics=as_json(statistics_of(Run.objects.get())))
    assert queries_of(client, PAGE) == few
    assert few <= 18


def test_an_auditor_asks_for_a_runs_pack_and_fetches_it(
    client: Client, terminal: int, tmp_path: Path, transactional_db: None
) -> None:
    buy(living_in("131121"), terminal, {"reduced": 110_000})
    settle(freeze, assess_run)
    auditor("cyd")
    as_user(client, "cyd")
    address = f"/console/packs/run/{YEAR}/1"
    assert "the run is not verified" in sent(client, address)
    assert "Evidence pack" not in shown(client, PAGE)
    settle(verify_run)
    assert "The evidence pack is being made" in sent(client, address)
    assert 'http-equiv="refresh"' in client.get(PAGE).content.decode()
    assert "This pack is being made already" in sent(client, address)
    assert run_requested_packs() == 1
    pack = Pack.objects.get()
    page = shown(client, PAGE)
    assert pack.sha256 in page
    assert "Make it again" in page
    answer = client.get(f"/console/packs/{pack.pk}.zip")
    assert answer["Content-Disposition"] == f'attachment; filename="kanpu-evidence-{YEAR}-1.zip"'
    assert len(answer.getvalue()) == pack.bytes
