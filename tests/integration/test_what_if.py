"""Another scheme on a recorded year, by command and in the console: read from real purchases, nothing changed."""

import json
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from django.utils import timezone
from kanpu_pos import Client

from apps.accruals.operations.counting import count_all
from apps.audit.models import Event
from apps.console import what_if as console
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.residents.operations import Home, place_in_households
from apps.schemes.models import SchemeVersion, TaxYear
from apps.schemes.operations import SHIPPED, load_scheme
from tests.world import TERMINAL, World, auditor

pytestmark = pytest.mark.django_db(transaction=True)
MEMBERS = Path(__file__).parents[1] / "golden" / "jp-2015-members" / "scheme.yaml"
PAGE = "/console/what-if/2017"
ITALY = ("it-2021", "--tier", "reduced=purchase", "--tier", "standard=purchase", "--exchange-rate", "130")


@pytest.fixture
def sold(world: World, web: str) -> World:
    """One resident bought below the cap of the scheme in force, the other far above it."""
    one, two = world.residents
    records = [
        world.sale(one, reduced=80),
        world.sale(one, reduced=80),
        world.sale(one, standard=990),
        world.sale(two, reduced=1_100_000, standard=100),
    ]
    with Client(web, world.api_key, timeout_s=30) as client:
        client.report(TERMINAL, records)
    count_all()
    return world


def simulate(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("simulate_scheme", *arguments, "--year", "2017", "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def browser() -> Browser:
    """An auditor's, in English."""
    client = Browser(headers={"accept-language": "en"})
    client.force_login(auditor("ann"))
    return client


def test_food_at_0_percent_next_to_the_scheme_in_force(sold: World) -> None:
    found = simulate("jp-zero-food")
    assert found["residents"] == 2
    assert found["in_force"]["cost_minor"] == 2 + 4_000  # 160 × 2 / 110, and the cap
    assert found["other"]["cost_minor"] == 14 + 100_000  # × 10 / 110, and no cap
    assert found["difference_minor"] == 96_012
    assert found["gainers"] == {"residents": 2, "sum_minor": 96_012, "largest_minor": 96_000}
    assert [decile["to_minor"] for decile in found["deciles"]] == [1_150, 1_100_100]
    assert any("not frozen" in note for note in found["notes"])


def test_single_purchases_are_measured_from_the_entries(sold: World) -> None:
    found = simulate("jp-2019")
    assert found["other"]["cost_minor"] == 1 + 1 + 20_000  # 80 × 2 / 110 is 1.45, rounded each time
    italy = simulate(*ITALY)
    assert italy["other"]["cost_minor"] == 0  # nobody has 50 purchases in a half-year
    assert {tier["tier"]: tier["brought"] for tier in italy["other"]["tiers"]} == {"reduced": "1966", "standard": "99"}


def test_the_scheme_in_force_gives_what_the_run_gives(sold: World) -> None:
    freeze(2017, actor="test")
    run = assess_run(2017, actor="test")
    found = simulate("jp-2015")
    for side in (found["in_force"], found["other"]):
        assert (side["cost_minor"], side["paid"], side["at_cap"]) == (run.entitled_minor, run.refunded, run.at_cap)
    assert (found["residents"], found["run"], found["unchanged"]) == (run.residents, run.number, run.residents)


def test_what_was_bought_after_the_freeze_is_not_in_it(sold: World, web: str) -> None:
    freeze(2017, actor="test")
    before = simulate("jp-zero-food")
    with Client(web, sold.api_key, timeout_s=30) as client:
        client.report(TERMINAL, [sold.sale(reduced=5_500)])
    count_all()
    assert simulate("jp-zero-food") == before


def test_nothing_is_loaded_or_changed(sold: World) -> None:
    before = SchemeVersion.objects.count(), TaxYear.objects.get(year=2017).scheme_version_id, Event.objects.count()
    simulate(*ITALY)
    browser().get(f"{PAGE}?scheme=jp-2019")
    browser().post(PAGE, {"text": (SHIPPED / "jp-2019.yaml").read_text()})
    after = SchemeVersion.objects.count(), TaxYear.objects.get(year=2017).scheme_version_id, Event.objects.count()
    assert after == before


def test_the_command_prints_a_table_that_people_can_read(sold: World) -> None:
    out = StringIO()
    call_command("simulate_scheme", str(SHIPPED / "jp-zero-food.yaml"), "--year", "2017", stdout=out)
    for said in ("¥4,002", "¥100,014", "2 residents gain: ¥96,012 together, ¥96,000 at most", "taken as recorded"):
        assert said in out.getvalue()


def test_a_scheme_that_asks_the_register_says_when_there_is_no_record_of_it(sold: World) -> None:
    rate = ("--exchange-rate", "35", "--tier", "reduced=basic_basket", "--tier", "standard=general")
    assert any("no record of households" in note for note in simulate("br-2027", *rate)["notes"])


def test_households_are_those_that_the_run_kept_also_where_purchases_are_measured(sold: World, tmp_path: Path) -> None:
    version, _ = load_scheme(MEMBERS, at=timezone.now(), actor="test")
    TaxYear.objects.update(scheme_version=version)
    household = uuid4()
    homes = [Home(ref, household, date(2017, 1, 1)) for ref in sold.residents]
    place_in_households(homes, at=timezone.now(), actor="test")
    freeze(2017, actor="test")
    run = assess_run(2017, actor="test")
    own = tmp_path / "own.yaml"
    by_purchase = "rounding: kokuzei-tsusoku-120\n  purchase: {rounding: half_up}"
    text = MEMBERS.read_text().replace("rounding: kokuzei-tsusoku-120", by_purchase)
    own.write_text(text.replace("amount: 4000", "amount: 3000"))
    found = simulate(str(own))
    assert (found["in_force"]["cost_minor"], run.entitled_minor) == (8_000, 8_000)  # both members' limits, pooled
    assert (found["other"]["cost_minor"], found["other"]["limited"]) == (6_000, str(1 + 1 + 20_000 - 6_000))
    assert not any("no record of households" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("it-2021",), r"no tier for what was recorded as reduced, standard.*\[tier_missing\]"),
        (("it-2021", *ITALY[1:5]), r"what one EUR is in JPY.*\[currency_differs\]"),
        (("jp-2019", "--as-of", "2014"), r"its rates start on 2015-01-01.*\[rate_missing\]"),
        (("jp-2019", "--tier", "reduced"), "write RECORDED=TIER"),
        (("jp-2019", "--exchange-rate", "much"), "write a number"),
        (("no-such-file.yaml",), r"is no file.*\[scheme_unknown\]"),
    ],
)
def test_what_is_missing_is_said(sold: World, arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        simulate(*arguments)


def test_a_year_without_purchases_or_not_started_is_said(world: World) -> None:
    with pytest.raises(CommandError, match="nothing_recorded"):
        simulate("jp-2019")
    with pytest.raises(CommandError, match="year_not_started"):
        call_command("simulate_scheme", "jp-2019", "--year", "1999")


def test_the_page_shows_the_figures_and_its_chart_the_same(sold: World) -> None:
    text = browser().get(f"{PAGE}?scheme=jp-zero-food").content.decode()
    for said in ("¥4,002", "¥100,014", "¥96,012", "Food at 0 % for two years", "¥100,000"):
        assert said in text
    assert text.count('<text class="amount"') == 4
    assert " style=" not in text


def test_the_page_asks_for_tiers_and_currency_and_then_answers(sold: World) -> None:
    asked = browser().post(PAGE, {"scheme": "it-2021"}).content.decode()
    assert "“Food and drink” is taken as" in asked
    assert "1 EUR in JPY" in asked
    assert "Total refund" not in asked
    given = {"scheme": "it-2021", "tier_reduced": "purchase", "tier_standard": "purchase"}
    assert "This field is required" in browser().post(PAGE, given | {"exchange_rate": ""}).content.decode()
    assert "Total refund" in browser().post(PAGE, given | {"exchange_rate": "130"}).content.decode()


def test_a_file_of_ones_own_is_checked_and_kept_in_the_form_only(sold: World) -> None:
    content = (SHIPPED / "it-2021.yaml").read_text()
    page = browser().post(PAGE, {"file": SimpleUploadedFile("mine.yaml", content.encode())}).content.decode()
    assert "code: it-2021" in page
    broken = content.replace('rate: "0.22"', 'rate: "1.22"', 1)
    line = broken[: broken.index('"1.22"')].count("\n") + 1
    assert f"line {line}: $.collected[0].rate" in browser().post(PAGE, {"text": broken}).content.decode().replace(
        "&#x27;", "'"
    )


@pytest.mark.parametrize("content", [b"\xff\xfe", b"[" * 100_000, b"code: !!float x", b"cap: " + b"9" * 5_000])
def test_what_is_no_scheme_file_is_refused_and_breaks_nothing(sold: World, content: bytes) -> None:
    answer = browser().post(PAGE, {"file": SimpleUploadedFile("mine.yaml", content)})
    assert (answer.status_code, "This is no scheme file." in answer.content.decode()) == (200, True)


def test_a_file_above_200_kb_is_refused(sold: World) -> None:
    large = SimpleUploadedFile("mine.yaml", b"#" * 200_001)
    assert "at most 200 kB" in browser().post(PAGE, {"file": large}).content.decode()


def test_who_chooses_no_scheme_is_asked_to(sold: World) -> None:
    assert "Choose a scheme, or give a file." in browser().post(PAGE, {"scheme": ""}).content.decode()
    assert "Choose a scheme, or give a file." not in browser().get(PAGE).content.decode()


def test_a_loaded_scheme_can_be_chosen(sold: World, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text((SHIPPED / "jp-2015.yaml").read_text().replace("amount: 4000", "amount: 10"))
    version, _ = load_scheme(own, at=timezone.now(), actor="test")
    text = browser().get(f"{PAGE}?scheme=v:{version.pk}").content.decode()
    assert "jp-2015 v2" in text
    assert "¥3,990" in text  # what the cap of 10 takes from the other resident


def test_a_year_that_is_too_large_for_a_page_names_the_command(sold: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "RESIDENTS_AT_MOST", -1)
    text = browser().get(f"{PAGE}?scheme=jp-2019").content.decode()
    assert "use the command simulate_scheme" in text
    assert "Total refund" not in text


def test_the_page_is_for_auditors_and_for_started_years(sold: World) -> None:
    assert Browser().get(PAGE).status_code == 302
    stranger = Browser()
    stranger.force_login(auditor("ann"))
    auditor("ann").groups.clear()
    assert stranger.get(PAGE).status_code == 404
    assert browser().get("/console/what-if/1999").status_code == 404
    assert "What if another scheme were in force?" in browser().get("/console/").content.decode()
