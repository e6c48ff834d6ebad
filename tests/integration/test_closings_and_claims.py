"""Closings that agree or show a lost tail, and sales that are claimed by the code on their receipt."""

import base64
import hashlib
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connections
from django.utils import timezone

from apps.accruals.claims import ALPHABET, ClaimCodeInvalid
from apps.accruals.models import ClaimAttempt, Entry
from apps.accruals.operations.claiming import (
    GUESSES,
    ClaimNotResident,
    ClaimTaken,
    ClaimTooLate,
    ClaimUnknown,
    ClaimVoid,
    TooManyGuesses,
    claim_purchase,
)
from apps.accruals.operations.counting import count_all
from apps.audit.models import Alarm, Event
from apps.purchases.models import Closing, Outcome
from apps.residents.models import Resident
from apps.schemes.models import TaxYear
from tests.at_once import at_once
from tests.till import RawTill, Record, send, totals
from tests.world import TEST_TERMINAL, World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def till(world: World) -> RawTill:
    return RawTill(world)


def closings() -> dict[int, bool | None]:
    return dict(Closing.objects.values_list("seq", "agrees"))


def test_closings_that_agree_day_after_day(world: World, till: RawTill) -> None:
    sale = till.sale(reduced=1000, standard=200)
    till.give_back(sale, reduced=300)
    till.close(reduced=700, standard=200)
    till.correct(sale, reduced=900, standard=100)
    other = till.sale(foood=77)
    till.close(reduced=600, standard=100, foood=77)
    till.void(other)
    till.void(sale)
    till.close()
    send(till)
    count_all()
    assert closings() == {3: True, 6: True, 9: True}
    assert not Alarm.objects.exists()


def test_a_lost_tail_shows_at_the_next_closing(world: World, till: RawTill) -> None:
    till.sale(reduced=1000)
    till.close(reduced=1500)
    send(till)
    count_all()
    alarm = Alarm.objects.get(kind="closing_differs")
    assert (alarm.detail["reported"], alarm.detail["recorded"]) == ({"reduced": 1500}, {"reduced": 1000})
    assert closings() == {2: False}


def test_a_closing_is_compared_when_the_last_lower_number_has_come(world: World, till: RawTill) -> None:
    first = till.sale(reduced=1000)
    second = till.sale(foood=5)
    closing = till.close(reduced=1000, foood=5)
    send(till, first, closing)
    count_all()
    assert closings() == {3: None}
    send(till, second)  # refused, and in the totals all the same
    count_all()
    assert closings() == {3: True}


def test_a_record_that_cannot_be_read_leaves_the_closing_open_until_it_is_corrected(
    world: World, till: RawTill
) -> None:
    garbled: Record = {"seq": 1, "at": "2017-08-03T09:30:00+09:00", "lines": [{"tier": "reduced", "amount": 1.5}]}
    till.records.append(garbled)
    till.close(reduced=100)
    till.correct(garbled, reduced=100)
    till.close(reduced=100)
    send(till)
    count_all()
    assert closings() == {2: None, 4: True}


def test_a_record_that_nobody_can_read_is_an_alarm_when_the_day_is_closed(world: World, till: RawTill) -> None:
    till.records.append({"seq": 1, "at": "x", "lines": [{"tier": "reduced", "amount": 1}]})
    till.close(reduced=99_999)
    send(till)
    count_all()
    assert (closings(), Alarm.objects.get(kind="closing_unreadable").detail["seqs"]) == ({2: None}, "[1]")


def test_a_record_of_the_first_year_keeps_no_closing_waiting(world: World, till: RawTill) -> None:
    till.sale(at="0001-01-01T00:00:00+09:00", reduced=1)
    till.close(reduced=1)
    other = RawTill(world, "rival-1")
    other.sale(reduced=5)
    other.close(reduced=6)
    send(till)
    send(other)
    count_all()
    assert set(Alarm.objects.values_list("kind", flat=True)) == {"closing_unreadable", "closing_differs"}


def test_a_refused_sale_with_a_tier_twice_is_in_the_totals_twice(world: World, till: RawTill) -> None:
    sale = till.sale(reduced=100)
    sale["lines"].append({"tier": "reduced", "amount": 200})
    till.close(reduced=300)
    assert send(till) == [(1, "record_malformed")]
    count_all()
    assert closings() == {2: True}


def test_a_closing_counts_the_records_of_its_own_year(world: World, till: RawTill) -> None:
    this_year = timezone.now().year
    sale = till.sale(at="2017-12-31T23:00:00+09:00", reduced=1000)
    till.give_back(sale, at=f"{this_year}-01-01T01:00:00+09:00", reduced=300)
    till.close(at=f"{this_year}-01-01T02:00:00+09:00", reduced=1000)
    till.close(at=f"{this_year}-01-01T02:00:00+09:00", year=this_year, reduced=-300)
    send(till)
    count_all()
    assert closings() == {3: True, 4: True}


def a_claim() -> tuple[str, str]:
    """A code as a receipt shows it, and what the till reports of it."""
    secret = secrets.token_bytes(16)
    number = int.from_bytes(secret, "big")
    code = "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(26)))
    return code, base64.urlsafe_b64encode(hashlib.sha256(secret).digest()).rstrip(b"=").decode()


def claim(world: World, code: str, *, now: datetime | None = None) -> None:
    claim_purchase(world.residents[0], code, now=now or timezone.now(), actor="resident:test")


def test_a_sale_is_claimed_once_and_its_returns_follow(world: World, till: RawTill) -> None:
    code, reported = a_claim()
    sale = till.sale(claim=reported, reduced=1000)
    till.give_back(sale, reduced=100)
    send(till)
    count_all()
    assert (totals(), Outcome.objects.get(seq=1).status) == ({}, "unclaimed")
    assert Outcome.objects.get(seq=2).status == "unclaimed"
    claim(world, f"{code[:5].lower()}-{code[5:]} ".replace("0", "O"))
    count_all()
    assert totals(world.residents[0]) == {(2017, 1, 8, "reduced"): (900, 1)}
    assert set(Outcome.objects.values_list("status", flat=True)) == {"counted"}
    with pytest.raises(ClaimTaken):
        claim_purchase(world.residents[1], code, now=timezone.now(), actor="resident:test")
    assert Event.objects.get(action="purchase.claim")
    later = till.give_back(sale, reduced=900)
    send(till, later)
    count_all()
    assert totals() == {}


def test_two_residents_cannot_both_claim_at_once(world: World, till: RawTill) -> None:
    code, reported = a_claim()
    till.sale(claim=reported, reduced=1000)
    send(till)
    count_all()

    def attempt(resident: int) -> bool:
        try:
            claim_purchase(world.residents[resident], code, now=timezone.now(), actor="resident:test")
        except ClaimTaken:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, [0, 1])) == [False, True]
    assert Entry.objects.count() == 1


def test_a_claim_on_two_sales_is_on_none(world: World, till: RawTill) -> None:
    code, reported = a_claim()
    till.sale(claim=reported, reduced=1000)
    till.sale(claim=reported, reduced=1)
    send(till)
    count_all()
    with pytest.raises(ClaimUnknown):
        claim(world, code)


def test_guesses_made_at_once_are_counted_one_by_one(world: World) -> None:
    def guess(_: int) -> str:
        claim(world, a_claim()[0])
        return "claimed"

    codes = at_once(guess, range(2 * GUESSES))
    assert (codes.count("claim_unknown"), codes.count("rate_limited")) == (GUESSES, GUESSES)


def test_a_voided_sale_has_nothing_to_claim(world: World, till: RawTill) -> None:
    code, reported = a_claim()
    till.void(till.sale(claim=reported, reduced=1000))
    send(till)
    count_all()
    with pytest.raises(ClaimVoid):
        claim(world, code)


def test_a_refused_sale_is_claimed_as_it_was_mended(world: World, till: RawTill) -> None:
    code, reported = a_claim()
    sale = till.sale(claim=reported, foood=1000)
    till.correct(sale, reduced=800)
    till.give_back(sale, reduced=100)
    send(till)
    count_all()
    claim(world, code)
    count_all()
    assert totals(world.residents[0]) == {(2017, 1, 8, "reduced"): (700, 1)}


def test_a_claim_after_the_deadline_is_too_late(world: World, till: RawTill) -> None:
    code, reported = a_claim()
    till.sale(claim=reported, reduced=1000)
    send(till)
    count_all()
    with pytest.raises(ClaimTooLate):
        claim(world, code, now=TaxYear.objects.get(year=2017).deadline_at)


def test_test_sales_are_not_for_live_residents(world: World) -> None:
    code, reported = a_claim()
    till = RawTill(world, TEST_TERMINAL)
    till.sale(claim=reported, reduced=1000)
    send(till)
    count_all()
    with pytest.raises(ClaimUnknown):
        claim(world, code)


def test_guesses_are_counted_and_limited_and_misread_codes_are_no_guesses(world: World, till: RawTill) -> None:
    code, reported = a_claim()
    till.sale(claim=reported, reduced=1000)
    send(till)
    count_all()
    now = timezone.now()
    for wrong in ("", "U" * 26, "Z" * 26, code[:-1]):
        with pytest.raises(ClaimCodeInvalid):
            claim(world, wrong)
    for _ in range(GUESSES):
        with pytest.raises(ClaimUnknown):
            claim(world, a_claim()[0], now=now)
    with pytest.raises(TooManyGuesses) as refused:
        claim(world, code, now=now)
    assert refused.value.retry_at == now + timedelta(hours=24)
    assert Alarm.objects.get(kind="claim_guessing")
    assert ClaimAttempt.objects.filter(succeeded=False).count() == GUESSES
    claim(world, code, now=now + timedelta(hours=24, seconds=1))
    assert Entry.objects.count() == 1


def test_who_was_not_resident_on_the_day_cannot_claim_and_it_is_no_guess(world: World, till: RawTill) -> None:
    code, reported = a_claim()
    till.sale(claim=reported, at="2017-08-02T23:59:59+09:00", reduced=1000)
    send(till)
    count_all()
    Resident.objects.filter(ref=world.residents[0]).update(resident_from="2017-08-03")
    with pytest.raises(ClaimNotResident, match="2017-08-02"):
        claim(world, code)
    assert (totals(), ClaimAttempt.objects.count()) == ({}, 0)
    assert Outcome.objects.get(seq=1).status == "unclaimed"
    claim_purchase(world.residents[1], code, now=timezone.now(), actor="resident:test")
    assert totals(world.residents[1]) == {(2017, 1, 8, "reduced"): (1000, 1)}


def test_a_claimed_sale_that_is_moved_out_of_the_time_of_residence_leaves_the_account_and_comes_back(
    world: World, till: RawTill
) -> None:
    code, reported = a_claim()
    sale = till.sale(claim=reported, reduced=1000)
    send(till)
    count_all()
    claim(world, code)
    Resident.objects.filter(ref=world.residents[0]).update(resident_to="2017-09-01")
    send(till, till.correct(sale, sold_at="2017-09-01T00:00:00+09:00", reduced=1000))
    count_all()
    assert (totals(), Outcome.objects.get(seq=1).code) == ({}, "card_not_valid")
    send(till, till.correct(sale, sold_at="2017-08-31T23:59:59+09:00", reduced=1000))
    count_all()
    assert totals() == {(2017, 1, 8, "reduced"): (1000, 1)}
    assert Outcome.objects.get(seq=1).status == "counted"
