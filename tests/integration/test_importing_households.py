"""Who lives where from when to when, as a register says it again and again: households, moves, deaths, returns."""

from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID

import pytest

from apps.residents.models import (
    Attribute,
    EarlierResidence,
    JudgingDue,
    Membership,
    Resident,
)
from apps.residents.operations.importing import households
from apps.residents.queries import was_resident
from apps.residents.queries.register import registered_in
from apps.residents.queries.vault import resident_by_number
from apps.residents.register.rows import Defect
from tests.registers import (
    AUGUST,
    NEW_YEAR,
    NOVEMBER,
    OSAKA,
    TOKYO,
    counts,
    enter,
    events,
    home,
    number,
    one,
    person,
    read,
    stays,
    who,
    write,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_who_is_in_a_household_is_so_by_months(keys: Path) -> None:
    head, child = enter(person(1, head="1"), person(2, birth_date="2012-03-03", resident_from="2012-03-03"))
    assert isinstance(head, UUID)
    assert isinstance(child, UUID)
    assert home(head) == home(child)
    assert stays(child) == [(date(2012, 3, 1), None, False)]
    assert Membership.objects.get(resident=child).payee_id == head
    one(
        person(1, household="K", head="1", event="転居", event_date="2017-07-15", address="西町2"),
        as_of=date(2017, 7, 20),
    )
    assert stays(head) == [(date(2010, 4, 1), AUGUST, True), (AUGUST, None, True)]
    assert events(head)[1:] == [("address", date(2017, 7, 15)), ("household", date(2017, 7, 15))]


@pytest.mark.parametrize("together", [500, 1])
def test_two_people_swap_households_and_heads_however_far_apart_they_stand(
    keys: Path, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(households, "TOGETHER", together)
    one_, two = enter(person(1, head="1"), person(2, household="K", head="1"))
    again = [person(1, household="K", head="1"), person(2, household="H", head="1")]
    assert enter(*again, as_of=AUGUST) == [one_, two]
    assert isinstance(one_, UUID)
    assert isinstance(two, UUID)
    assert stays(one_) == stays(two) == [(date(2010, 4, 1), AUGUST, True), (AUGUST, None, True)]
    assert len(set(Membership.objects.values_list("household_ref", flat=True))) == 2


def test_a_second_head_is_refused_and_the_household_stays_as_it_was(keys: Path) -> None:
    head = one(person(1, head="1"))
    found = enter(person(2, head="1"))[0]
    assert isinstance(found, Defect)
    assert (found.column, found.code) == ("head", "second_head")
    second = resident_by_number(number(2))
    assert stays(second) == []
    found = enter(person(2, head="1", address="南町"), as_of=AUGUST)[0]
    assert isinstance(found, Defect)
    assert one(person(2)) == second
    assert stays(second) == [(date(2010, 4, 1), None, False)]
    found = enter(person(2, head="1"), as_of=AUGUST)[0]
    assert isinstance(found, Defect)
    assert stays(second) == [(date(2010, 4, 1), None, False)]
    assert stays(head) == [(date(2010, 4, 1), None, True)]


def test_a_death_ends_the_stay_with_the_month_after_and_leaves_a_household_without_head(
    keys: Path, tmp_path: Path
) -> None:
    head, wife = enter(person(1, head="1"), person(2))
    assert isinstance(head, UUID)
    file = write(tmp_path / "register.csv", [person(1, head="1", event="死亡", event_date="2017-10-15")])
    found = read(file, as_of=date(2017, 10, 20), municipality=TOKYO)
    assert (counts(found), found["warnings"]) == ((0, 1, 0, 0), 1)
    assert "household_without_head" in found["first_defects"][0]
    assert Resident.objects.get(pk=head).resident_to == date(2017, 10, 16)
    assert stays(head) == [(date(2010, 4, 1), NOVEMBER, True)]
    assert events(head)[1:] == [("death", date(2017, 10, 15))]
    assert enter(person(2, head="1"), as_of=date(2017, 10, 20)) == [wife]
    assert isinstance(wife, UUID)
    assert stays(wife) == [(date(2010, 4, 1), NOVEMBER, False), (NOVEMBER, None, True)]


def test_a_head_who_died_and_the_one_who_followed_are_read_from_one_file_in_any_order(keys: Path) -> None:
    dead = person(1, head="1", resident_to="2015-03-15", resident_from="1999-04-01")
    for digits, rows in ((1, [dead, person(2, head="1")]), (11, [person(12, head="1", household="L"), dead])):
        if digits == 11:
            rows[1] = person(11, head="1", household="L", resident_to="2015-03-15", resident_from="1999-04-01")
        assert not [found for found in enter(*rows) if isinstance(found, Defect)]
        assert not [found for found in enter(*rows, as_of=AUGUST) if isinstance(found, Defect)]
        assert stays(resident_by_number(number(digits + 1)))[-1][1:] == (None, True)
    assert Membership.objects.filter(is_head=True, valid__upper_inf=True).count() == 2


def test_born_in_june_moved_in_august_died_in_october(keys: Path) -> None:
    enter(person(1, head="1"), person(2, household="K", head="1"))
    newborn = person(3, birth_date="2017-06-10", resident_from="2017-06-10", event="出生", event_date="2017-06-10")
    ref = one(newborn, as_of=date(2017, 6, 20))
    moved = newborn | {"household": "K", "event": "転居", "event_date": "2017-08-01"}
    one(moved, as_of=date(2017, 8, 5))
    one(moved | {"event": "死亡", "event_date": "2017-10-15"}, as_of=date(2017, 10, 20))
    assert stays(ref) == [(date(2017, 6, 1), AUGUST, False), (AUGUST, NOVEMBER, False)]
    assert events(ref) == [
        ("birth", date(2017, 6, 10)), ("address", AUGUST), ("household", AUGUST), ("death", date(2017, 10, 15))
    ]  # fmt: skip
    payees = Membership.objects.filter(resident=ref).order_by("valid").values_list("payee_id", flat=True)
    assert list(payees) == [resident_by_number(number(1)), resident_by_number(number(2))]


def test_a_childs_share_goes_to_the_next_head_and_to_the_child_once_grown(keys: Path) -> None:
    head, other, child = enter(person(1, head="1"), person(2), person(3, birth_date="1999-12-01"))
    assert isinstance(child, UUID)
    enter(person(1), person(2, head="1"), as_of=AUGUST)
    assert Membership.objects.get(resident=child).payee_id == other
    enter(person(3, birth_date="1999-12-01"), as_of=date(2017, 12, 1))
    assert Membership.objects.get(resident=child).payee_id is None
    assert head != other


def test_attributes_are_dated_from_the_day_of_the_file(keys: Path) -> None:
    ref = one(person(1, attr_income_minor="1200", attr_class="A"))
    one(person(1, attr_income_minor="900", attr_class=""), as_of=AUGUST)
    rows = Attribute.objects.filter(resident=ref).order_by("name", "valid").values_list("name", "value", "valid")
    assert [(name, value, span.lower, span.upper) for name, value, span in rows] == [
        ("attr_class", "A", NEW_YEAR, AUGUST), ("attr_income_minor", 1200, NEW_YEAR, AUGUST),
        ("attr_income_minor", 900, AUGUST, None),
    ]  # fmt: skip
    assert events(ref)[1:] == [("attribute", AUGUST)]


def test_who_comes_back_was_not_resident_in_between(keys: Path) -> None:
    ref = one(person(1, head="1"))
    one(person(1, head="1", resident_to="2017-04-15", event="転出"), as_of=date(2017, 4, 20))
    back = person(1, head="1", resident_from="2017-09-10", event="転入", event_date="2017-09-10")
    assert one(back, as_of=date(2017, 9, 12)) == ref
    assert [was_resident(ref, date(2017, month, 10)) for month in (3, 4, 5, 9)] == [True, True, False, True]
    assert events(ref)[1:] == [("move_out", date(2017, 4, 15)), ("move_in", date(2017, 9, 10))]
    assert stays(ref) == [(date(2010, 4, 1), date(2017, 5, 1), True), (date(2017, 9, 1), None, True)]
    [registered] = registered_in(2017)
    assert [stretch[1:] for stretch in registered.stretches] == [(1, 4), (9, 12)]
    assert one(back, as_of=NOVEMBER) == ref
    assert EarlierResidence.objects.count() == 1


def test_who_moves_to_another_municipality_stays_resident_whichever_file_comes_first(keys: Path) -> None:
    ref = one(person(1))
    left = person(1, resident_to="2017-08-01")
    came = person(1, resident_from="2017-08-01", household="88", address="大阪府架空市")
    one(came, as_of=AUGUST, municipality=OSAKA)
    one(left, as_of=AUGUST)
    one(left, as_of=NOVEMBER)
    resident = Resident.objects.get(pk=ref)
    assert (resident.municipality, resident.resident_from, resident.resident_to) == (OSAKA, AUGUST, None)
    assert all(was_resident(ref, date(2017, month, 1)) for month in range(1, 13))
    assert stays(ref) == [(date(2010, 4, 1), AUGUST, False), (AUGUST, None, False)]
    assert sorted(events(ref)[1:]) == [("address", AUGUST), ("household", AUGUST), ("move_in", AUGUST)]
    address = who(ref).address
    assert address
    assert address.address == "大阪府架空市"


def test_days_that_lose_residence_have_purchases_judged_again(keys: Path) -> None:
    ref = one(person(1))
    one(person(1, resident_to="2017-08-01"))
    assert [(due.resident_id, due.since) for due in JudgingDue.objects.all()] == [
        (ref, datetime(2017, 7, 31, 15, tzinfo=UTC))
    ]
    one(person(1, resident_to="2199-01-01"))
    one(person(1, resident_to="2199-02-01"))
    assert JudgingDue.objects.count() == 2
