"""What answers of Stripe mean, where they take a payment, and which keys go where."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from apps.kernel.errors import KanpuError
from apps.payouts.outcomes import FAILED, PAID, RETURNED, Verdict, judge
from apps.payouts.stripe_connect.answers import meaning
from apps.payouts.stripe_connect.keys import STRIPE, check_key
from apps.payouts.stripe_connect.moves import (
    RANKS,
    USUAL,
    Answer,
    Fate,
    Move,
    Standing,
    Step,
    after,
    move,
    newer,
)

NOW = datetime(2026, 11, 26, tzinfo=UTC)
HOUR = timedelta(hours=1)
ELSEWHERE = "http://127.0.0.1:1"


def error(kind: Any, *said: Any, **more: Any) -> stripe.StripeError:
    """An error of the library's, which does not say of all of them what they take."""
    made: stripe.StripeError = kind(*said, **more)
    return made


@pytest.mark.parametrize(
    ("key", "url", "production", "code"),
    [
        ("", STRIPE, False, "stripe_not_set_up"), ("pk_test_1", STRIPE, False, "stripe_key_unknown"),
        ("sk_live_1", ELSEWHERE, False, "stripe_live_key_elsewhere"),
        ("rk_live_1", ELSEWHERE, True, "stripe_live_key_elsewhere"),
        ("sk_live_1", STRIPE + ".example", True, "stripe_live_key_elsewhere"),
        ("sk_live_1", "http://api.stripe.com", True, "stripe_live_key_elsewhere"),
        ("sk_live_1", STRIPE + "/v2", True, "stripe_live_key_elsewhere"),
        ("sk_test_1", STRIPE, True, "stripe_test_key_in_production"),
        ("rk_test_1", ELSEWHERE, True, "stripe_test_key_in_production"),
    ],
)  # fmt: skip
def test_a_key_in_the_wrong_place_is_refused(key: str, url: str, production: bool, code: str) -> None:
    with pytest.raises(KanpuError) as refused:
        check_key(key, url, production=production)
    assert refused.value.code == code


def test_a_live_key_goes_to_stripe_and_a_test_key_anywhere_else() -> None:
    check_key("sk_live_1", STRIPE, production=True)
    check_key("rk_live_1", STRIPE, production=False)
    check_key("sk_test_1", ELSEWHERE, production=False)
    check_key("sk_test_1", STRIPE, production=False)


@pytest.mark.parametrize(
    ("told", "fate"),
    [
        (error(stripe.APIConnectionError, "gone"), Fate.AGAIN),
        (stripe.RateLimitError("slow", http_status=429), Fate.AGAIN),
        (stripe.APIError("busy", http_status=409), Fate.AGAIN),
        (stripe.AuthenticationError("who", http_status=401), Fate.AGAIN),
        (stripe.APIError("broken", http_status=500), Fate.UNDECIDED),
        (stripe.APIError("no JSON"), Fate.UNDECIDED),
        (stripe.IdempotencyError("other", http_status=400), Fate.UNDECIDED),
        (error(stripe.InvalidRequestError, "no", None, code="account_number_invalid"), Fate.REFUSED),
        (error(stripe.InvalidRequestError, "empty", None, code="balance_insufficient"), Fate.LATER),
    ],
)
def test_an_error_says_whether_something_was_made(told: stripe.StripeError, fate: Fate) -> None:
    assert meaning(told).fate == fate


def test_a_key_is_used_again_for_a_day_and_what_it_made_is_looked_for_after() -> None:
    def at(hours: int, search_at: datetime | None = None) -> Move:
        return move(NOW, search_at, now=NOW + hours * HOUR, patience=USUAL)

    assert [at(0), at(22), at(23), at(24), at(500)] == [Move.CALL, Move.CALL, *[Move.SEARCH] * 3]
    assert at(0, NOW + HOUR) == Move.WAIT
    assert at(1, NOW + HOUR) == Move.SEARCH


statuses = st.sampled_from([one for one in RANKS if one])


@given(seen=st.lists(statuses, max_size=8))
def test_an_older_status_never_overrides_a_newer_one(seen: list[str]) -> None:
    known = ""
    for one in seen:
        before, known = known, newer(known, one)
        assert RANKS[known] >= RANKS[before]
    assert RANKS[known] == max((RANKS[one] for one in seen), default=0)


@given(st.lists(st.tuples(st.sampled_from([*Fate]), statuses), max_size=40))
def test_whatever_stripe_answers_the_words_are_ones_that_may_follow_each_other(given: list[tuple[Fate, str]]) -> None:
    at, said, state, words = Standing(Step.ACCOUNT, NOW, "", ""), "", "submitted", []
    for fate, status in given:
        if at.step == Step.OVER:
            break
        answer = Answer(fate, "x" if fate == Fate.REFUSED else "", status=status)
        at = after(at._replace(word=""), answer, said=said, now=NOW, patience=USUAL)
        assert at.step != Step.REVERSAL or at.refusal
        assert at.next_at >= NOW
        if at.word:
            assert judge(state, said, at.word) == Verdict.APPLIED
            said = state = at.word
            words.append(at.word)
    assert words in ([], [PAID], [FAILED], [PAID, RETURNED])


def test_a_payout_that_is_lost_says_so_only_once_its_money_is_back() -> None:
    asked = after(
        Standing(Step.ASK, NOW, "in_transit", ""), Answer(Fate.MADE, "no_account", status="failed"), said="", now=NOW,
        patience=USUAL,
    )  # fmt: skip
    assert (asked.step, asked.refusal, asked.word) == (Step.REVERSAL, "no_account", "")
    for fate in (Fate.AGAIN, Fate.UNDECIDED, Fate.REFUSED, Fate.LATER, Fate.NOTHING):
        stays = after(asked, Answer(fate, "x"), said="", now=NOW, patience=USUAL)
        assert (stays.step, stays.word) == (Step.REVERSAL, "")
    back = after(asked, Answer(Fate.MADE), said="", now=NOW, patience=USUAL)
    assert (back.step, back.word) == (Step.OVER, FAILED)
