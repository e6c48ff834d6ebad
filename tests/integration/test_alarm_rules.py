"""What each rule of alarms finds, and what it lets be: planted frauds beside what looks like them."""

import re
from datetime import date, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from apps.accruals.operations.years import start_year
from apps.audit.models import Alarm, Event
from apps.inspections.alarm_rules import AlarmRulesInvalid
from apps.inspections.models import AlarmFinding, AlarmLook, AlarmRecord, AlarmRule
from apps.inspections.operations import alarms as searching
from apps.inspections.operations.alarm_rules import load_rules, set_rule
from apps.inspections.operations.alarms import find_alarms
from apps.inspections.queries.alarm_rules import AlarmRuleUnknown, rule_in_force, rules_in_force, shipped_rules
from apps.inspections.queries.detecting import DETECTORS, detect, whole_year
from apps.schemes.models import TaxYear
from apps.schemes.operations import SHIPPED, load_scheme
from tests.alarms import YEAR, Ledger, at, household, looked, run_of

pytestmark = pytest.mark.django_db(transaction=True)
TOKYO, YOKOHAMA, OSAKA = ("35.68124", "139.76712"), ("35.46606", "139.62262"), ("34.70248", "135.49595")


@pytest.fixture
def ledger(db: None) -> Ledger:
    now = timezone.now()
    version, _ = load_scheme(SHIPPED / "jp-2015.yaml", at=now, actor="test")
    start_year(YEAR, version, deadline=date(now.year + 2, 1, 1), at=now, actor="test")
    return Ledger()


def finding() -> AlarmFinding:
    return AlarmFinding.objects.get()


def change(code: str, **thresholds: int) -> AlarmRule:
    version = rule_in_force(code).row.version
    return set_rule(
        code, thresholds=thresholds, is_on=True, reason="Too many", version=version, at=timezone.now(), actor="user:ann"
    )


def test_each_searched_rule_has_a_detector_and_each_detector_a_rule(ledger: Ledger) -> None:
    load_rules(at=timezone.now(), actor="test")
    searched = {code for code, known in rules_in_force().items() if known.rule.is_searched}
    assert {path.stem for path in DETECTORS.glob("*.sql")} | {"reported_above_declared"} == searched
    assert set(looked()) == searched
    assert not Alarm.objects.exists()


def test_a_card_in_two_towns_within_minutes_is_found_and_a_train_ride_is_not(ledger: Ledger) -> None:
    ann, ben = uuid4(), uuid4()
    tokyo, yokohama, osaka = (
        ledger.till("tokyo", place=TOKYO), ledger.till("yokohama", place=YOKOHAMA), ledger.till("osaka", place=OSAKA)
    )  # fmt: skip
    first, second = at("2017-04-03 09:00"), at("2017-04-03 09:20")
    records = {(tokyo, ledger.sale(ann, tokyo, first)), (osaka, ledger.sale(ann, osaka, second))}
    ledger.sale(ben, tokyo, first)
    ledger.sale(ben, yokohama, at("2017-04-03 09:40"))
    assert looked("card_two_places") == {"card_two_places": 1}
    found = finding()
    assert (found.resident_ref, found.subject, found.records) == (ann, f"resident:{ann}", 2)
    assert 390 < found.measured["km"] < 410
    assert found.measured["minutes"] == 20
    assert {(row.terminal_id, row.seq) for row in AlarmRecord.objects.all()} == records


def test_without_coordinates_another_prefecture_within_an_hour_is_found(ledger: Ledger) -> None:
    ann, ben = uuid4(), uuid4()
    here, there, near = (
        ledger.till("a", region="13101"),
        ledger.till("b", region="27100"),
        ledger.till("c", region="13"),
    )
    ledger.sale(ann, here, at("2017-04-03 09:00"))
    ledger.sale(ann, there, at("2017-04-03 09:50"))
    ledger.sale(ben, here, at("2017-04-03 09:00"))
    ledger.sale(ben, near, at("2017-04-03 09:01"))
    assert looked("card_two_places") == {"card_two_places": 1}
    assert finding().resident_ref == ann


def test_purchases_just_below_a_round_amount_are_found_and_ordinary_ones_are_not(ledger: Ledger) -> None:
    ann, ben, till = uuid4(), uuid4(), ledger.till("a")
    for minute, (split, ordinary) in enumerate([(9_800, 9_300), (19_500, 10_100), (9_990, 480)]):
        ledger.sale(ann, till, at(f"2017-04-03 09:{minute:02}"), split)
        ledger.sale(ben, till, at(f"2017-04-03 09:{minute:02}"), ordinary)
        ledger.sale(ben, till, at(f"2017-04-1{minute} 09:00"), 9_900)  # once a day only
    assert looked("split_purchases") == {"split_purchases": 1}
    assert finding().measured == {"found": 3, "amount_minor": 39_290, "limit_minor": 20_000}


def test_a_return_sold_again_to_a_stranger_is_found_and_one_to_the_same_household_is_not(ledger: Ledger) -> None:
    ann, ben = uuid4(), uuid4()
    wife, husband = household(2)
    till, other = ledger.till("a"), ledger.till("b")
    sold, taken_back, again = at("2017-04-02 10:00"), at("2017-04-03 10:00"), at("2017-04-03 10:05")
    for shop, one, another in ((till, ann, ben), (other, wife, husband)):
        seq = ledger.sale(one, shop, sold, 5_400)
        ledger.back(one, shop, seq, taken_back, 5_400, sold_at=sold)
        ledger.sale(another, shop, again, 5_400)
        ledger.sale(uuid4(), shop, again, 5_401)
    assert looked("refund_reissue") == {"refund_reissue": 1}
    assert (finding().subject, finding().measured) == (f"terminal:{till}", {"found": 1, "amount_minor": 5_400})
    assert {row.resident_ref for row in AlarmRecord.objects.all()} == {ann, ben}


def test_a_stack_of_cards_is_found_and_a_busy_till_is_not(ledger: Ledger) -> None:
    stack, busy, one_card = ledger.till("a"), ledger.till("b"), ledger.till("c")
    people, start = [uuid4() for _ in range(10)], at("2017-04-03 18:00")
    run_of(ledger, people, stack, start, 12)
    run_of(ledger, people, busy, start, 50)
    run_of(ledger, people[:1] * 10, one_card, start, 12)
    assert looked("cards_in_a_row") == {"cards_in_a_row": 1}
    assert (finding().subject, finding().measured) == (f"terminal:{stack}", {"found": 10, "mean_gap_s": 12})


def merchants_of_a_trade(ledger: Ledger) -> list[int]:
    """Ten shops, each with 100 sales, and the odd return."""
    tills = [ledger.till(f"shop-{n}", trade="5811") for n in range(10)]
    for n, till in enumerate(tills):
        for k in range(100):
            when = at("2017-04-03 09:00") + timedelta(minutes=k)
            ledger.sale(uuid4(), till, when, 1_000, tier="standard" if k % 20 <= n % 3 else "reduced")
    return tills


def test_a_merchant_with_many_returns_for_its_trade_is_found(ledger: Ledger) -> None:
    tills = merchants_of_a_trade(ledger)
    for n, till in enumerate(tills):
        for seq in range(1, 20 if n == 4 else 2 + n % 3):
            ledger.back(uuid4(), till, seq, at("2017-04-05 09:00"), 1_000, sold_at=at("2017-04-03 09:00"))
    assert looked("merchant_returns") == {"merchant_returns": 1}
    assert finding().measured["share_percent"] == 19
    assert finding().records == 19


def test_a_merchant_with_another_mix_of_tiers_is_found_and_one_of_another_trade_is_not(ledger: Ledger) -> None:
    tills = merchants_of_a_trade(ledger)
    bookshop = ledger.till("books", trade="6061")
    for k in range(100):
        when = at("2017-04-03 12:00") + timedelta(minutes=k)
        ledger.sale(uuid4(), bookshop, when, 1_000, tier="standard")
        ledger.sale(uuid4(), tills[0], when, 2_000, tier="standard")
    assert looked("merchant_tiers") == {"merchant_tiers": 1}
    assert finding().measured["tier"] == "standard"
    assert finding().measured["median_percent"] == 10


def test_a_household_that_spends_far_more_per_head_is_found_and_a_big_family_is_not(ledger: Ledger) -> None:
    for n in range(30):
        for who in household(1 if n < 25 else 2):
            ledger.spend(who, 30_000 + 1_000 * (n % 11))
    for n in range(25):
        ledger.spend(household(5)[0], 150_000 + 5_000 * (n % 11))  # one of five shops for all
    stranger = household(1)[0]
    ledger.spend(stranger, 600_000)
    assert looked("spend_above_household") == {"spend_above_household": 1}
    assert finding().resident_ref == stranger


def test_many_claims_of_one_till_in_a_month_are_found(ledger: Ledger) -> None:
    clerk, shopper, till = uuid4(), uuid4(), ledger.till("a")
    for day in range(1, 10):
        ledger.sale(clerk, till, at(f"2017-04-0{day} 09:00"), by_code=True)
        ledger.sale(shopper, ledger.till(f"other-{day}"), at(f"2017-04-0{day} 09:00"), by_code=True)
        ledger.sale(shopper, till, at(f"2017-0{day}-03 09:00"), by_code=True)
    assert looked("claims_of_one_till") == {"claims_of_one_till": 1}
    assert (finding().resident_ref, finding().measured["found"]) == (clerk, 9)


def test_a_restaurant_on_a_residents_card_is_found_and_who_cooks_for_many_is_not(ledger: Ledger) -> None:
    till = ledger.till("a")
    restaurant, cook = uuid4(), uuid4()
    monday = at("2017-04-03 10:00")
    for n in range(98):
        ledger.sale(uuid4(), till, monday, 2_000 + n)
    for week in range(30):
        for who, hour in ((restaurant, 0), (cook, 9)):
            ledger.sale(who, till, monday + timedelta(weeks=week, hours=hour), 30_000)
    load_rules(at=timezone.now(), actor="test")
    change("like_a_business", permille=980)
    assert looked("like_a_business") == {"like_a_business": 1}
    assert finding().resident_ref == restaurant


def test_what_test_cards_bought_raises_nothing(ledger: Ledger) -> None:
    till = ledger.till("a")
    for n in range(10):
        ledger.sale(uuid4(), till, at("2017-04-03 09:00") + timedelta(seconds=n), run=0)
    assert looked("cards_in_a_row") == {"cards_in_a_row": 0}


def test_looking_twice_raises_nothing_new_and_new_records_are_looked_at(ledger: Ledger) -> None:
    till, people = ledger.till("a"), [uuid4() for _ in range(10)]
    run_of(ledger, people, till, at("2017-04-03 18:00"), 5)
    assert looked("cards_in_a_row") == {"cards_in_a_row": 1}
    assert looked("cards_in_a_row") == {"cards_in_a_row": 0}
    TaxYear.objects.update(open_part=2)
    for place, who in enumerate(people):
        ledger.sale(who, till, at("2017-05-03 18:00") + timedelta(seconds=place), part=2)
    assert looked("cards_in_a_row") == {"cards_in_a_row": 1}
    assert AlarmRecord.objects.count() == 20
    assert AlarmLook.objects.get().part == 2


def test_a_day_that_was_looked_at_is_looked_at_again_when_something_of_it_comes_late(ledger: Ledger) -> None:
    till, people = ledger.till("a"), [uuid4() for _ in range(8)]
    run_of(ledger, people[:7], till, at("2017-04-03 18:00"), 5)
    assert looked("cards_in_a_row") == {"cards_in_a_row": 0}
    TaxYear.objects.update(open_part=5)
    ledger.sale(people[7], till, at("2017-04-03 18:00:32"), part=5)
    assert looked("cards_in_a_row") == {"cards_in_a_row": 1}


def test_a_look_raises_so_many_and_the_next_goes_on(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def three(rule: object, year: TaxYear, span: object) -> object:
        return detect(rule_in_force("claims_of_one_till").rule, year, whole_year(year), most=3)

    monkeypatch.setattr(searching, "detect", three)
    for n in range(5):
        for day in range(1, 10):
            ledger.sale(uuid4() if n > 4 else PEOPLE[n], ledger.till("a"), at(f"2017-04-0{day} 09:00"), by_code=True)
    first = find_alarms(YEAR, codes=["claims_of_one_till"], at=timezone.now(), actor="test")[0]
    second = find_alarms(YEAR, codes=["claims_of_one_till"], at=timezone.now(), actor="test")[0]
    assert (first.raised, first.more, second.raised, second.more) == (3, 2, 2, 0)


PEOPLE = [uuid4() for _ in range(5)]


def test_a_threshold_changes_what_is_found_and_the_alarm_names_the_version(ledger: Ledger) -> None:
    run_of(ledger, [uuid4() for _ in range(6)], ledger.till("a"), at("2017-04-03 18:00"), 5)
    assert looked("cards_in_a_row") == {"cards_in_a_row": 0}
    changed = change("cards_in_a_row", cards=6)
    assert (changed.version, changed.reason) == (2, "Too many")
    assert looked("cards_in_a_row") == {"cards_in_a_row": 1}
    assert finding().rule == changed
    event = Event.objects.filter(action="alarm_rule.set", actor="user:ann").get()
    assert event.detail["thresholds"]["cards"] == 6


def test_a_rule_that_is_off_is_not_looked_by_and_stays_off_when_rules_are_loaded_again(ledger: Ledger) -> None:
    load_rules(at=timezone.now(), actor="test")
    set_rule(
        "cards_in_a_row", thresholds={}, is_on=False, reason="Too many", version=1, at=timezone.now(), actor="user:ann"
    )
    assert load_rules(at=timezone.now(), actor="test") == []
    assert "cards_in_a_row" not in looked()


def test_a_rule_is_changed_with_a_reason_from_the_version_that_was_shown(ledger: Ledger) -> None:
    load_rules(at=timezone.now(), actor="test")
    now = timezone.now()
    for code, values, reason, version in (
        ("cards_in_a_row", {"cards": 6}, " ", 1),
        ("cards_in_a_row", {"cards": 6}, "why", 3),
        ("cards_in_a_row", {"cards": -1}, "why", 1),
        ("chain_gap", {}, "why", 1),
    ):
        with pytest.raises(AlarmRulesInvalid):
            set_rule(code, thresholds=values, is_on=True, reason=reason, version=version, at=now, actor="user:ann")
    with pytest.raises(AlarmRuleUnknown):
        find_alarms(YEAR, codes=["chain_gap"], at=now, actor="test")


def test_a_dry_run_writes_nothing(ledger: Ledger) -> None:
    run_of(ledger, [uuid4() for _ in range(10)], ledger.till("a"), at("2017-04-03 18:00"), 5)
    would = find_alarms(YEAR, codes=["cards_in_a_row"], dry_run=True, at=timezone.now(), actor="test")[0]
    assert (would.raised, Alarm.objects.count(), AlarmLook.objects.count()) == (1, 0, 0)


def test_records_go_with_the_purchases_that_they_name(ledger: Ledger) -> None:
    people = [uuid4() for _ in range(10)]
    run_of(ledger, people, ledger.till("a"), at("2017-04-03 18:00"), 5)
    looked("cards_in_a_row")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM accruals_entry WHERE resident_ref = %s", [people[0]])
    searching.find_in_kept_years(at=timezone.now(), actor="test")
    assert people[0] not in {row.resident_ref for row in AlarmRecord.objects.all()}
    assert AlarmRecord.objects.count() == 9


def test_whatever_is_raised_at_once_has_its_rule() -> None:
    code = "".join(path.read_text() for path in Path("apps").glob("*/**/*.py"))
    raised = set(re.findall(r'(?:Cause|_alarm)\(\s*"([a-z_]+)"', code))
    at_once = {rule.code for rule in shipped_rules() if not rule.is_searched}
    assert len(raised) > 10
    assert raised <= at_once
    assert {"chain_gap", "chain_fork", "seal_mismatch", "seal_missing"} == at_once - raised
