"""How many of the planted frauds each rule found, and how much else it raised. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from apps.simulator.frauds.acts import Planted

Record = tuple[str, int]  # till and number


class Raised(NamedTuple):
    """An alarm: its rule, its key, whom it names, the records that caused it."""

    rule: str
    key: str
    subject: str
    households: frozenset[int]
    records: frozenset[Record]


class Score(NamedTuple):
    """What a rule came to. `other` alarms are of nothing that was planted for it."""

    rule: str
    frauds: int
    found: int
    honest: int
    honest_found: int
    other: int
    missed: tuple[str, ...]

    @property
    def recall_percent(self) -> int:
        """Of the frauds, how many were found."""
        return self.found * 100 // self.frauds if self.frauds else 0

    @property
    def precision_percent(self) -> int:
        """Of the alarms, how many were of planted frauds."""
        alarms = self.found + self.honest_found + self.other
        return self.found * 100 // alarms if alarms else 0


def scores(
    planted: Sequence[Planted], raised: Sequence[Raised], families: Mapping[int, Collection[int]]
) -> list[Score]:
    """A score for each rule that something was planted for, by the order of planting."""
    return [_score(rule, planted, raised, families) for rule in dict.fromkeys(one.rule for one in planted)]


def _score(
    rule: str, planted: Sequence[Planted], raised: Sequence[Raised], families: Mapping[int, Collection[int]]
) -> Score:
    of_rule = [one for one in planted if one.rule == rule]
    alarms = [alarm for alarm in raised if alarm.rule == rule]
    found = [one for one in of_rule if any(_is_of(alarm, one, families) for alarm in alarms)]
    frauds = [one for one in of_rule if one.is_fraud]
    return Score(
        rule=rule,
        frauds=len(frauds),
        found=sum(one.is_fraud for one in found),
        honest=len(of_rule) - len(frauds),
        honest_found=sum(not one.is_fraud for one in found),
        other=sum(not any(_is_of(alarm, one, families) for one in of_rule) for alarm in alarms),
        missed=tuple(one.what for one in frauds if one not in found),
    )


def _is_of(alarm: Raised, one: Planted, families: Mapping[int, Collection[int]]) -> bool:
    if one.key:
        return alarm.key.startswith(one.key)
    if one.merchant:
        return alarm.subject == one.merchant
    if one.household:
        return not alarm.households.isdisjoint(families[one.household])
    return not alarm.records.isdisjoint((act.till, act.seq) for act in one.acts)
