"""What the members of a household see of each other: what each consented to, and never that one is protected."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import yaml
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from kanpu_pos import read_personalisation
from psycopg.types.range import DateRange, TimestamptzRange

from apps.accruals.operations.counting import count_all
from apps.audit.models import AccessRecord, Event
from apps.refunds.models import Member, Refund
from apps.refunds.operations.assessing import assess_run
from apps.refunds.operations.freezing import freeze
from apps.refunds.operations.verifying import verify_run
from apps.residents.models import HouseholdConsent, Membership, Message, Resident
from apps.residents.operations import issue_cards, register_residents
from apps.residents.operations.household_consent import (
    ChildDoesNotConsent,
    NoHousehold,
    ProtectedStaysHidden,
    give_consent,
    withdraw_consent,
)
from apps.residents.queries.households import household_of
from apps.schemes.models import TaxYear
from apps.schemes.operations import SHIPPED, load_scheme
from tests.acting import IN_PORTAL, live_together, signed_up
from tests.identities import enter
from tests.pages import queries_of, shown
from tests.till import RawTill, send
from tests.world import YEAR, World

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = ("山田 花子", "佐藤 太郎", "鈴木 次郎", "田中 三郎")


@pytest.fixture
def family(world: World, tmp_path: Path) -> list[UUID]:
    """Four adults who are known to the vault, each with a card; a scheme that pools 4,000 yen a member and year."""
    content = yaml.safe_load((SHIPPED / "jp-2015.yaml").read_text())
    limit = {"per": "year", "for": "members", "cap": {"amount": 4000}, "reference": {"ja": "—", "en": "—"}}
    content["refund"] |= {"limits": [limit]}
    (tmp_path / "scheme.yaml").write_text(yaml.safe_dump(content, allow_unicode=True))
    version, _ = load_scheme(tmp_path / "scheme.yaml", at=timezone.now(), actor="test")
    TaxYear.objects.update(scheme_version=version)
    more = [one.ref for one in register_residents([date(2017, 1, 1)] * 2, at=timezone.now(), actor="test")]
    issue_cards(tmp_path / "more.csv", valid_from=None, at=timezone.now(), actor="test")
    world.cards |= {UUID(row.resident_ref): row.card() for row in read_personalisation(tmp_path / "more.csv")}
    refs = [*world.residents, *more]
    for ref, name in zip(refs, NAMES, strict=True):
        enter(ref, name=name)
    return refs


def consent(*refs: UUID) -> None:
    for ref in refs:
        give_consent(ref, asked=IN_PORTAL, at=timezone.now())


def sell(till: RawTill, *sales: tuple[UUID, int]) -> None:
    send(till, *(till.sale(ref, at="2017-04-03T12:00:00+09:00", reduced=yen) for ref, yen in sales))
    count_all()


def page_of(client: Client, **more: Any) -> str:
    return shown(client, f"/household?year={YEAR}", **more)


# --- consent ---


def test_only_who_consented_is_seen_and_only_the_sums(till: RawTill, family: list[UUID]) -> None:
    one, two, three, _ = family
    live_together(one, two, three)
    sell(till, (one, 110_000), (two, 55_000), (three, 33_000))
    hers, his = signed_up("one", one), signed_up("two", two)
    before = page_of(hers)
    assert "佐藤" not in before
    assert "¥55,000" not in before
    assert "2 further members show you nothing." in before
    assert not AccessRecord.objects.filter(resident_ref=two).exists()
    assert his.post("/household/consent", {"seen": "yes"}).status_code == 302
    after = page_of(hers)
    assert "佐藤 太郎" in after
    assert "Spent ¥55,000 Refund so far ¥1,000" in after
    assert "1 further member shows you nothing." in after
    assert "鈴木" not in after
    assert "Shop" not in after
    (record,) = AccessRecord.objects.filter(resident_ref=two)
    assert (record.role, record.purpose, record.what) == ("household", "household page", "vault:person")
    assert "A member of your household To show what you let the household see" in shown(his, "/accesses")
    assert Message.objects.get(resident_ref=two).kind == "household_consent"
    assert his.post("/household/consent", {"seen": "no"}).status_code == 302
    assert page_of(hers) == before
    assert Event.objects.filter(action__startswith="household.", subject=f"resident:{two}").count() == 2


def test_a_consent_is_each_adults_own_and_shows_nobody_else(family: list[UUID]) -> None:
    one, two, *_ = family
    live_together(one, two)
    consent(one)
    assert "佐藤" not in page_of(signed_up("one", one))
    assert "山田 花子" in page_of(signed_up("two", two))


def test_who_moved_out_sees_and_is_seen_no_more_and_not_again_by_coming_back(family: list[UUID]) -> None:
    one, two, *_ = family
    home = live_together(one, two)
    consent(one, two)
    now, month = timezone.now(), timezone.localdate().replace(day=1)
    assert [mate.ref for mate in household_of(one, at=now).shown] == [one, two]
    Membership.objects.filter(resident=two).update(valid=DateRange(date(2017, 1, 1), month))
    for ref in (one, two):
        found = household_of(ref, at=now)
        assert all(mate.ref == ref for mate in found.shown)
        assert found.others == 0
    back = (month + timedelta(days=62)).replace(day=1)
    Membership.objects.create(resident_id=two, household_ref=home, valid=DateRange(back, None))
    later = now + timedelta(days=95)
    assert [mate.ref for mate in household_of(one, at=later).shown] == [one]
    assert household_of(one, at=later).others == 1
    assert household_of(two, at=later).consented_at is None
    give_consent(two, asked=IN_PORTAL, at=later)
    assert [mate.ref for mate in household_of(one, at=later).shown] == [one, two]


def test_to_become_head_does_not_end_a_consent(family: list[UUID]) -> None:
    one, two, *_ = family
    home = live_together(one, two)
    consent(two)
    month = timezone.localdate().replace(day=1)
    Membership.objects.filter(resident=two).update(valid=DateRange(date(2017, 1, 1), month))
    Membership.objects.create(resident_id=two, household_ref=home, valid=DateRange(month, None))
    (_, seen) = household_of(one, at=timezone.now()).shown
    assert (seen.ref, seen.stay.start) == (two, date(2017, 1, 1))


def test_children_are_shown_to_who_is_paid_their_share_and_to_nobody_else(family: list[UUID]) -> None:
    father, mother, child, other = family
    live_together(father, mother, child, payees={child: father})
    page = page_of(signed_up("father", father))
    assert "鈴木 次郎 the share is paid to you" in page
    assert "Open the pages of your child" in page
    assert "鈴木" not in page_of(signed_up("mother", mother))
    own = signed_up("child", child)
    assert "Your share is paid to the parent" in page_of(own)
    assert own.post("/household/consent", {"seen": "yes"}).status_code == 404
    with pytest.raises(ChildDoesNotConsent):
        consent(child)
    with pytest.raises(NoHousehold):
        consent(other)


def test_the_database_refuses_what_no_consent_can_be(family: list[UUID]) -> None:
    now = timezone.now()
    row: dict[str, Any] = {"resident_id": family[0], "household_ref": uuid4(), "channel": "portal", "given_by": "x"}
    open_one = {"valid": TimestamptzRange(now, None)}
    for change, constraint in (
        ({"valid": TimestamptzRange(None, None)}, "household_consent_from_a_time"),
        ({"valid": TimestamptzRange(now, now + timedelta(days=1))}, "household_consent_withdrawn_by_somebody"),
        ({**open_one, "withdrawn_by": "x"}, "household_consent_withdrawn_by_somebody"),
        ({**open_one, "office": "x"}, "household_consent_asked_for_somewhere"),
        ({**open_one, "channel": "phone"}, "household_consent_asked_for_somewhere"),
    ):
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            HouseholdConsent.objects.create(**{**row, **change})
    HouseholdConsent.objects.create(**row, **open_one)
    with pytest.raises(IntegrityError, match="one_household_consent_at_a_time"), transaction.atomic():
        HouseholdConsent.objects.create(**row, **open_one)


# --- protection ---


def test_a_protected_member_changes_no_word_and_no_number_that_the_others_see(
    till: RawTill, family: list[UUID]
) -> None:
    """The same pages with and without the protected one, whatever that one buys: nothing can be subtracted."""
    one, two, hidden, _ = family
    home = live_together(one, two)
    consent(one, two)
    sell(till, (one, 330_000), (two, 55_000))
    browsers = [signed_up("one", one), signed_up("two", two)]
    paths = [f"/household?year={YEAR}", "/registration", f"/year/{YEAR}"]

    def pages() -> list[str]:
        return [shown(client, path) for client in browsers for path in paths]

    without = pages()
    Resident.objects.filter(pk=hidden).update(is_protected=True)
    Membership.objects.create(
        resident_id=hidden, household_ref=home, valid=DateRange(date(2017, 1, 1), None), payee_id=one
    )
    HouseholdConsent.objects.create(
        resident_id=hidden, household_ref=home, valid=TimestamptzRange(timezone.now(), None), channel="portal",
        given_by="x",
    )  # fmt: skip
    sell(till, (hidden, 440_000))
    assert pages() == without
    freeze(YEAR, actor="test")
    assess_run(YEAR, actor="test")
    verify_run(YEAR, actor="test")
    # 6,000 and 1,000 brought, 8,000 pooled by two; the protected one has an own limit of 4,000 of 8,000 brought.
    found = dict(Refund.objects.values_list("resident_ref", "entitled_minor"))
    assert found == {one: 6_000, two: 1_000, hidden: 4_000}
    assert set(Member.objects.filter(resident_ref=hidden).values_list("household_ref", "payee_ref")) == {(hidden, None)}
    settled = pages()
    assert not any("440,000" in page or "2 further" in page or "1 further" in page for page in settled)
    for page in settled[2::3]:
        assert "3 members" not in page


def test_who_is_protected_after_a_freeze_is_not_counted_where_the_run_had_them(
    till: RawTill, family: list[UUID]
) -> None:
    one, two, hidden, _ = family
    live_together(one, two, hidden)
    sell(till, (one, 330_000), (hidden, 55_000))
    freeze(YEAR, actor="test")
    assess_run(YEAR, actor="test")
    client = signed_up("one", one)
    assert "household A, 3 members" in shown(client, f"/year/{YEAR}")
    Resident.objects.filter(pk=hidden).update(is_protected=True)
    assert "household A, 2 members" in shown(client, f"/year/{YEAR}")


def test_a_protected_resident_sees_the_own_page_and_nobody_of_the_household(till: RawTill, family: list[UUID]) -> None:
    one, hidden, child, _ = family
    live_together(one, hidden, child, payees={child: hidden})
    consent(one, hidden)
    Resident.objects.filter(pk=hidden).update(is_protected=True)
    found = household_of(hidden, at=timezone.now())
    assert [mate.ref for mate in found.shown] == [hidden, child]
    assert (found.others, found.consented_at) == (0, None)
    page = page_of(signed_up("hidden", hidden))
    assert "You are protected" in page
    assert "山田" not in page
    with pytest.raises(ProtectedStaysHidden):
        consent(hidden)
    withdraw_consent(hidden, asked=IN_PORTAL, at=timezone.now())
    assert not HouseholdConsent.objects.filter(resident=hidden, valid__upper_inf=True).exists()


def test_a_protected_child_is_hidden_from_the_parent_who_is_paid(family: list[UUID]) -> None:
    father, child, *_ = family
    live_together(father, child, payees={child: father})
    Resident.objects.filter(pk=child).update(is_protected=True)
    page = page_of(signed_up("father", father))
    assert "佐藤" not in page
    assert "further" not in page
    assert "child" not in shown(signed_up("again", family[2]), f"/year/{YEAR}")


# --- sums ---


def test_sums_are_of_those_shown_alone(till: RawTill, family: list[UUID]) -> None:
    one, two, three, _ = family
    live_together(one, two, three)
    sell(till, (one, 110_000), (two, 55_000), (three, 165_000))
    client = signed_up("one", one)
    alone = page_of(client)
    assert "Of the limit of ¥4,000 that those above bring together" in alone
    assert "Those above use ¥2,000." in alone
    consent(two)
    both = page_of(client)
    assert "Of the limit of ¥8,000 that those above bring together" in both
    assert "Those above use ¥3,000." in both
    sell(till, (three, 220_000))
    assert page_of(client) == both  # what is not shown is in no sum


def test_who_moved_in_the_year_brings_a_part_by_months(family: list[UUID]) -> None:
    one, two, *_ = family
    home = live_together(one)
    Membership.objects.create(resident_id=two, household_ref=home, valid=DateRange(date(2017, 7, 1), None))
    consent(two)
    page = page_of(signed_up("one", one))
    assert "Of the limit of ¥6,000" in page
    assert "July 1, 2017" in page


def test_a_year_before_they_lived_together_shows_nothing_of_the_other(till: RawTill, family: list[UUID]) -> None:
    one, two, *_ = family
    home = live_together(one)
    Membership.objects.create(resident_id=two, household_ref=home, valid=DateRange(date(2018, 1, 1), None))
    consent(two)
    sell(till, (two, 55_000))
    page = page_of(signed_up("one", one))
    assert "佐藤" not in page
    assert "55,000" not in page


def test_who_lives_alone_is_told_so(family: list[UUID]) -> None:
    client = signed_up("one", family[0])
    assert "you count as living alone" in page_of(client)
    assert client.post("/household/consent", {"seen": "yes"}).status_code == 404
    assert client.get("/household?year=1999").status_code == 404
    assert client.get("/household?year=x").status_code == 200


def test_the_page_costs_a_fixed_number_of_queries(till: RawTill, family: list[UUID]) -> None:
    one, two, *_ = family
    home = live_together(one, two)
    consent(two)
    client = signed_up("one", one)
    few = queries_of(client, f"/household?year={YEAR}")
    for ref in [resident.ref for resident in register_residents([date(2017, 1, 1)] * 8, at=timezone.now(), actor="t")]:
        enter(ref)
        Membership.objects.create(resident_id=ref, household_ref=home, valid=DateRange(date(2017, 1, 1), None))
        consent(ref)
    sell(till, (one, 5_500), (two, 5_500))
    assert queries_of(client, f"/household?year={YEAR}") == few
