"""How the play with frauds counts what was found."""

from datetime import UTC, datetime

from apps.simulator.frauds.acts import Act, Planted
from apps.simulator.frauds.scoring import Raised, scores

AT = datetime(2017, 4, 3, tzinfo=UTC)
SOLD, OTHER, HONEST = (Act("a", AT, 1, {"reduced": 100}, seq=n) for n in (1, 2, 3))
PLANTED = (
    Planted("stack", is_fraud=True, what="crude", acts=(SOLD,)),
    Planted("stack", is_fraud=True, what="careful", acts=(OTHER,)),
    Planted("stack", is_fraud=False, what="rush hour", acts=(HONEST,)),
)


def raised(*records: tuple[str, int], rule: str = "stack") -> Raised:
    return Raised(rule, "", "", frozenset(), frozenset(records))


def test_recall_is_of_frauds_and_precision_of_alarms() -> None:
    (score,) = scores(PLANTED, [raised(("a", 1)), raised(("a", 3)), raised(("b", 1)), raised(("a", 2), rule="x")], {})
    assert (score.frauds, score.found, score.honest, score.honest_found, score.other) == (2, 1, 1, 1, 1)
    assert (score.recall_percent, score.precision_percent, score.missed) == (50, 33, ("careful",))


def test_two_alarms_of_one_fraud_find_it_once() -> None:
    (score,) = scores(PLANTED, [raised(("a", 1)), raised(("a", 1), ("b", 9))], {})
    assert (score.found, score.other) == (1, 0)


def test_a_merchant_a_household_and_a_key_are_found_by_their_names() -> None:
    planted = (
        Planted("returns", is_fraud=True, what="", merchant="Merchant 01"),
        Planted("spend", is_fraud=True, what="", household=7),
        Planted("gap", is_fraud=True, what="", key="till-1:"),
    )
    alarms = [
        Raised("returns", "", "Merchant 01", frozenset(), frozenset()),
        Raised("spend", "", "", frozenset([8]), frozenset()),
        Raised("gap", "till-11:4", "", frozenset(), frozenset()),
    ]
    assert [score.found for score in scores(planted, alarms, {7: [7, 8]})] == [1, 1, 0]
