"""Schemes in the database and for operators: loaded, listed, shown, and never with a day without a rate."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from apps.schemes.document import digest
from apps.schemes.models import DatedRate, SchemeVersion, TaxYear
from apps.schemes.operations import SHIPPED, load_scheme, open_tax_year, read_scheme_file, shipped_schemes

pytestmark = pytest.mark.django_db(transaction=True)
CODES = [path.stem for path in sorted(SHIPPED.glob("*.yaml"))]


def said(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def loaded() -> dict[str, SchemeVersion]:
    """Every shipped scheme, loaded."""
    return {path.stem: load_scheme(path, at=timezone.now(), actor="test")[0] for path, _ in shipped_schemes()}


@pytest.fixture
def staff(client: Client) -> Client:
    """An administrator's browser, in English."""
    client.force_login(User.objects.create_superuser("mori", password="a-long-enough-password"))
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    return client


# --- loading ---


@pytest.mark.parametrize("code", CODES)
def test_a_shipped_file_is_loaded_once_and_read_back_as_it_is(code: str) -> None:
    path = SHIPPED / f"{code}.yaml"
    version, is_new = load_scheme(path, at=timezone.now(), actor="test")
    assert (version.code, version.version, is_new) == (code, 1, True)
    assert load_scheme(path, at=timezone.now(), actor="test") == (version, False)
    version.refresh_from_db()
    assert digest(version.scheme()) == digest(read_scheme_file(path)) == version.sha256


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandError, match="no text in UTF-8"):
        call_command("load_scheme", str(path))


# --- what the database refuses ---


@pytest.fixture
def version() -> SchemeVersion:
    """A version without rates."""
    return SchemeVersion.objects.create(code="x", version=1, sha256="0" * 64, document={}, loaded_at=timezone.now())


def rates(version: SchemeVersion, *rows: tuple[str, bool, str, str]) -> None:
    """Insert (tier, own_collected, from, before) by SQL, in one transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        for tier, own, start, end in rows:
            cursor.execute(
                "INSERT INTO schemes_datedrate (scheme_version_id, tier, own_collected, valid, rate)"
                " VALUES (%s, %s, %s, daterange(%s, %s), 0.1)",
                [version.pk, tier, own, start, end or None],
            )


GAP = "leave days without one"
COLLECTED = ("", False, "2015-01-01", "")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([COLLECTED, ("a", False, "2015-01-01", "2017-01-01"), ("a", False, "2017-02-01", "")], GAP),
        ([COLLECTED, ("a", False, "2015-01-01", "2017-01-01")], GAP),
        ([("", False, "2015-01-01", "2016-01-01"), ("", False, "2016-02-01", "")], GAP),
        ([COLLECTED, ("a", False, "2014-01-01", "")], "nothing is collected"),
        ([("a", False, "2015-01-01", "")], "nothing is collected"),
        ([COLLECTED, ("a", False, "2015-01-01", "2017-02-01"), ("a", False, "2017-01-01", "")], "one_rate_a_day"),
        ([COLLECTED, ("", False, "2017-01-01", "")], "one_rate_a_day"),
    ],
    ids=["a gap", "an end", "a gap in what is collected", "before anything is collected", "nothing collected",
         "two rates a day", "two rates collected a day"],
)  # fmt: skip
def test_days_without_a_rate_or_with_two_are_refused(version: SchemeVersion, rows: list[Any], said: str) -> None:
    with pytest.raises(IntegrityError, match=said):
        rates(version, *rows)
    assert not DatedRate.objects.exists()


def test_rates_that_follow_each_other_are_taken(version: SchemeVersion) -> None:
    rates(version, COLLECTED, ("a", False, "2015-01-01", "2017-01-01"), ("a", False, "2017-01-01", ""))
    rates(version, ("b", True, "2014-01-01", ""), ("b", False, "2014-01-01", ""))
    assert DatedRate.objects.count() == 5


# --- commands ---


def test_schemes_are_listed_with_their_years_and_what_is_not_loaded() -> None:
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=timezone.now(), actor="test")
    for year in (2017, 2018):
        open_tax_year(year, version, deadline=None, at=timezone.now(), actor="test")
    text = said("list_schemes")
    assert "jp-2015 v1: 2017, 2018;" in text
    assert "it-2021.yaml: Italy, State Cashback of 2021; not loaded" in text
    found = json.loads(said("list_schemes", "--json"))
    assert [(row["code"], row["version"], row["years"]) for row in found["loaded"]] == [("jp-2015", 1, [2017, 2018])]
    assert [(row["code"], row["loaded_as"]) for row in found["shipped"]] == [
        (code, 1 if code == "jp-2015" else None) for code in CODES
    ]


def test_nothing_loaded_is_said_so() -> None:
    assert said("list_schemes").startswith("loaded:\n  none\nshipped, in apps/schemes/files:\n")


@pytest.mark.parametrize("code", CODES)
def test_a_scheme_is_shown_with_all_its_tiers_and_limits(loaded: dict[str, SchemeVersion], code: str) -> None:
    scheme = loaded[code].scheme()
    text = said("show_scheme", code)
    assert text.startswith(f"{code} v1, loaded ")
    told = [scheme.name.ja, scheme.name.en, scheme.reference.en, scheme.appeal.to.en]
    told += [words for tier in scheme.tiers for words in (tier.code, tier.name.ja, tier.reference)]
    told += [limit.reference.en for limit in scheme.refund.limits]
    assert [words for words in told if words not in text] == []


def test_what_is_shown_is_what_the_file_says(loaded: dict[str, SchemeVersion]) -> None:
    italy = said("show_scheme", "it-2021", "--version", "1")
    assert "each purchase by itself: rounded by floor, at most 1,500" in italy
    assert "nothing below 50 purchases for a person and half-year" in italy
    assert "at most 15,000 for a person and half-year" in italy
    assert "8 % from 2015-01-01, 0 % from 2017-01-01" in said("show_scheme", "jp-zero-food")
    document = json.loads(said("show_scheme", "it-2021", "--json"))["document"]
    assert document == loaded["it-2021"].document


def test_a_scheme_or_version_that_is_not_there_is_named(loaded: dict[str, SchemeVersion]) -> None:
    for arguments, words in ((["jp-2040"], "load_scheme"), (["jp-2015", "--version", "2"], "list_schemes")):
        with pytest.raises(CommandError, match=words):
            said("show_scheme", *arguments)


# --- the administration ---


def test_the_administration_shows_schemes_in_both_languages(staff: Client, loaded: dict[str, SchemeVersion]) -> None:
    open_tax_year(2017, loaded["jp-2015"], deadline=None, at=timezone.now(), actor="test")
    pages = ["/", "/schemes/schemeversion/?q=jp", "/schemes/taxyear/", "/schemes/taxyear/2017/change/"]
    pages += [f"/schemes/schemeversion/{version.pk}/change/" for version in loaded.values()]
    for language in ("en", "ja"):
        for page in pages:
            answer = staff.get(f"/admin{page}", headers={"accept-language": language})
            assert answer.status_code == 200
            assert f'lang="{language}"' in answer.content.decode()
    html = staff.get(f"/admin/schemes/schemeversion/{loaded['jp-2015'].pk}/change/").content.decode()
    for words in ("飲食料品", "Food and drink", "8 %", "10 %", loaded["jp-2015"].sha256, "2017", "日本型軽減税率制度"):
        assert words in html


def addresses(loaded: dict[str, SchemeVersion]) -> Iterator[str]:
    open_tax_year(2017, loaded["jp-2015"], deadline=None, at=timezone.now(), actor="test")
    for kind, row in (("schemeversion", loaded["jp-2015"].pk), ("taxyear", 2017)):
        yield f"/admin/schemes/{kind}/add/"
        yield f"/admin/schemes/{kind}/{row}/change/"
        yield f"/admin/schemes/{kind}/{row}/delete/"


def test_the_administration_changes_no_scheme(staff: Client, loaded: dict[str, SchemeVersion]) -> None:
    for address in addresses(loaded):
        assert staff.post(address, {"code": "mine", "year": "2040", "post": "yes"}).status_code == 403
    chosen = {"action": "delete_selected", "_selected_action": [loaded["jp-2015"].pk], "post": "yes"}
    staff.post("/admin/schemes/schemeversion/", chosen)
    assert SchemeVersion.objects.count() == len(CODES)
    assert TaxYear.objects.get().open_run == 1
    html = staff.get(f"/admin/schemes/schemeversion/{loaded['jp-2015'].pk}/change/").content.decode()
    assert 'name="_save"' not in html
    assert "deletelink" not in html
