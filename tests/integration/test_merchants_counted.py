"""What is counted of merchants, their returns, and what the two say of each other."""

from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from apps.accruals.operations.counting import count_all
from apps.audit.models import Event
from apps.inspections.models import AlarmFinding, Declaration, MerchantMonth, MerchantYear
from apps.inspections.operations.alarm_rules import load_rules, set_rule
from apps.inspections.operations.alarms import find_alarms
from apps.inspections.operations.declaring import Imported, LineDefect, ReturnsUnreadable, import_declarations
from apps.inspections.operations.refreshing import refresh_year
from apps.inspections.queries.alarm_rules import rule_in_force
from apps.inspections.queries.declarations import Kinds, differences, newest_declarations
from apps.inspections.queries.merchants import digit_counts, merchant_seen, strata
from apps.merchants.models import Merchant
from apps.purchases.models import Batch
from tests.till import RawTill, send
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)
YEAR = 2017
NUMBER = "T7000012050002"
ALL = Kinds(above=True, below=True, least_yen=1)


@pytest.fixture
def shop(world: World) -> Merchant:
    """Three sales, a return and a closing that agrees in August; a closing that differs in September."""
    till = RawTill(world)
    sale = till.sale(reduced=1080, standard=220)
    august = [sale, till.sale(reduced=99), till.give_back(sale, reduced=80), till.close(reduced=1099, standard=220)]
    send(till, *august, now=datetime(YEAR, 8, 3, 12, tzinfo=UTC))
    day = f"{YEAR}-09-05T10:00:00+09:00"
    september = [till.sale(at=day, standard=5500), till.close(at=day, reduced=1099, standard=9999)]
    send(till, *september, now=datetime(YEAR, 9, 5, 12, tzinfo=UTC))
    count_all()
    Merchant.objects.filter(name="Shop").update(registration_number=NUMBER)
    return Merchant.objects.get(name="Shop")


def year_of(shop: Merchant) -> MerchantYear:
    refresh_year(YEAR, now=timezone.now())
    return MerchantYear.objects.get(merchant_id=shop.pk, tax_year=YEAR)


def test_a_year_is_counted_by_month_with_tiers_and_what_closings_grew_by(shop: Merchant) -> None:
    year_of(shop)
    august, september = MerchantMonth.objects.filter(merchant_id=shop.pk).order_by("month")
    assert (august.month, august.records, august.sales, august.sales_minor) == (8, 4, 2, 1399)
    assert (august.returns, august.returns_minor) == (1, 80)
    assert august.tiers == {"reduced": 1179, "standard": 220}
    assert august.reported == {"reduced": 1099, "standard": 220}
    assert september.reported == {"reduced": 0, "standard": 9779}
    assert (august.closings_agree, september.closings_differ) == (1, 1)


def test_counting_again_gives_the_same(shop: Merchant) -> None:
    year_of(shop)
    first = list(MerchantMonth.objects.order_by("merchant_id", "month").values())
    year_of(shop)
    assert list(MerchantMonth.objects.order_by("merchant_id", "month").values()) == first


def test_the_score_falls_with_gaps_late_records_and_closings(shop: Merchant) -> None:
    Batch.objects.update(received_at=datetime(YEAR, 9, 5, 12, tzinfo=UTC))
    year = year_of(shop)
    assert (year.records, year.late) == (6, 4)  # August's came in September
    assert (year.closings_agree, year.closings_differ, year.closings_missing) == (1, 1, 0)
    assert year.score_permille == 333


def test_numbers_that_never_came_are_counted(world: World, shop: Merchant) -> None:
    till = RawTill(world, records=[{"seq": 9}])  # the last one that came was 6
    send(till, till.sale(at=f"{YEAR}-09-06T10:00:00+09:00", reduced=100))
    year = year_of(shop)
    assert (year.records, year.numbers_missing, year.closings_missing) == (7, 3, 1)


def test_refused_records_are_counted_by_code(world: World, shop: Merchant) -> None:
    till = RawTill(world, records=[{"seq": 6}])
    send(till, till.sale(foood=100))
    refresh_year(timezone.localdate().year, now=timezone.now())
    seen = merchant_seen(shop.pk, timezone.localdate().year)
    assert seen is not None
    assert seen.rejections == [("tier_unknown", 1)]


def test_amounts_are_counted_by_digits_and_classes(shop: Merchant) -> None:
    year_of(shop)
    assert digit_counts(shop.pk, YEAR, 1) == {1: 1, 9: 1, 5: 1}
    assert digit_counts(None, YEAR, 2) == {13: 1, 99: 1, 55: 1}
    classes = {one.least_minor: (one.sales, one.amount_minor) for one in strata(shop.pk, YEAR) if one.sales}
    assert classes == {0: (1, 99), 1_000: (1, 1300), 5_000: (1, 5500)}


def test_a_merchant_stands_beside_others_of_its_trade(shop: Merchant) -> None:
    year_of(shop)
    seen = merchant_seen(shop.pk, YEAR)
    assert seen is not None
    assert not seen.is_by_trade
    assert {mix.tier: mix.permille for mix in seen.mix} == {"reduced": 171, "standard": 829}
    assert seen.returns_permille == 333


HEAD = "registration_number,from,to,sales_at_8,sales_at_10\n"


def load(*rows: str, dry_run: bool = False, head: str = HEAD) -> Imported:
    content = (head + "\n".join(rows)).encode()
    return import_declarations(content, dry_run=dry_run, at=timezone.now(), actor="user:ann")


def test_a_newer_file_makes_a_new_version_and_overwrites_nothing(shop: Merchant) -> None:
    first = load(f"{NUMBER},2017-07-01,2017-09-30,999,5000")
    again = load(f"{NUMBER},2017-07-01,2017-09-30,999,5000")
    newer = load(f"{NUMBER},2017-07-01,2017-09-30,999,5200")
    assert (first.new, again.unchanged, newer.replaced) == (1, 1, 1)
    assert list(Declaration.objects.order_by("version").values_list("version", "sales")) == [
        (1, {"8": 999, "10": 5000}), (2, {"8": 999, "10": 5200}),
    ]  # fmt: skip
    assert [one.version for one in newest_declarations(year=YEAR)] == [2]
    assert Event.objects.filter(action="declarations.import").count() == 3
    for change in (lambda: Declaration.objects.update(version=9), lambda: Declaration.objects.all().delete()):
        with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic():
            change()


def test_bad_rows_are_named_beside_good_ones(shop: Merchant) -> None:
    done = load(
        f"{NUMBER},2017-07-01,2017-09-30,1,2",
        "T7000012050003,2017-07-01,2017-09-30,1,2",
        "T8000012130001,2017-07-01,2017-09-30,1,2",
        f"{NUMBER},2017-08-01,2017-10-31,1,2",
        f"{NUMBER},2017-10-01,2017-12-31,x,2",
        f"{NUMBER},2017-10-01",
    )
    assert done.new == 1
    assert done.defects == [
        LineDefect(3, "registration_number", "check_digit_wrong"),
        LineDefect(4, "registration_number", "merchant_unknown"),
        LineDefect(5, "from", "period_overlaps"),
        LineDefect(6, "sales_at_8", "amount_unreadable"),
        LineDefect(7, "", "row_width"),
    ]


def test_a_dry_run_keeps_nothing(shop: Merchant) -> None:
    assert load(f"{NUMBER},2017-07-01,2017-09-30,1,2", dry_run=True).new == 1
    assert not Declaration.objects.exists()
    assert not Event.objects.filter(action="declarations.import").exists()


def test_a_file_without_the_columns_is_refused(shop: Merchant) -> None:
    for head in ("registration_number,from,to\n", "registration_number,from,to,sales_at_8,sales_at_8.0\n", "x\n"):
        with pytest.raises(ReturnsUnreadable):
            load(head=head)


def test_differences_are_listed_with_what_was_reported_too_much_first(shop: Merchant) -> None:
    year_of(shop)
    # closings: 1,099 at 8 % and 9,999 at 10 %, with 10 % tax: 999 and 9,090 without
    load(f"{NUMBER},2017-07-01,2017-09-30,5000,8000")
    found = [one.compared for one in differences(newest_declarations(year=YEAR), ALL)]
    assert [(one.rate, one.difference_yen, one.difference_permille) for one in found] == [
        ("10", 1090, 136), ("8", -4001, -800),
    ]  # fmt: skip
    above = Kinds(above=True, below=False, least_yen=1000)
    assert [one.compared.rate for one in differences(newest_declarations(year=YEAR), above)] == ["10"]


def test_what_was_declared_exactly_is_no_difference(shop: Merchant) -> None:
    year_of(shop)
    load(f"{NUMBER},2017-08-01,2017-09-30,999,9090")
    assert differences(newest_declarations(year=YEAR), ALL) == []


def test_what_was_reported_above_declared_raises_an_alarm_once_for_each_version_of_a_return(shop: Merchant) -> None:
    year_of(shop)
    now = timezone.now()
    load_rules(at=now, actor="test")
    above = "reported_above_declared"

    def raised(**thresholds: int) -> int:
        set_rule(
            above, thresholds=thresholds, is_on=True, reason="A play", version=rule_in_force(above).row.version,
            at=now, actor="user:ann",
        )  # fmt: skip
        return find_alarms(YEAR, codes=[above], at=now, actor="test")[0].raised

    load(f"{NUMBER},2017-07-01,2017-09-30,5000,8000")
    assert raised(least_yen=1091) == 0
    assert raised(least_yen=1090, above_percent=14) == 0
    assert raised(above_percent=13) == 1
    assert raised(above_percent=12) == 0  # it is known
    found = AlarmFinding.objects.get()
    assert (found.subject, found.measured["declared_yen"], found.measured["reported_yen"]) == (
        f"merchant:{shop.pk}", 8000, 9090,
    )  # fmt: skip
    load(f"{NUMBER},2017-07-01,2017-09-30,5000,7900")
    assert find_alarms(YEAR, codes=[above], at=now, actor="test")[0].raised == 1
