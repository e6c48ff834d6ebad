"""The rules of alarms as their file has them: words in both languages, thresholds, and over what they look. Pure."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import yaml

from apps.kernel.errors import KanpuError
from apps.schemes.document import Words
from apps.schemes.places import SchemeLoader

SHIPPED: Final = Path(__file__).parent / "alarm_rules.yaml"
MOST: Final = 1_000_000_000
Code = Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z_]{0,39}\Z")]
Threshold = Annotated[int, msgspec.Meta(ge=0, le=MOST)]


class AlarmRulesInvalid(KanpuError):
    """The file of rules, or a threshold, is not as it must be."""

    code = "alarm_rules_invalid"


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule of alarms. `words` name thresholds and what is measured.

    `period` is what it looks at: a `day` of purchases, a `year`, `returns` (of consumption tax), or nothing, as it is
    raised `at_once` by what happens. Thresholds are whole numbers; money is in minor units and its name ends in
    `_minor`.
    """

    code: Code
    title: Words
    explanation: Words
    period: Literal["day", "year", "returns", "at_once"]
    thresholds: dict[str, Threshold] = {}
    words: dict[str, Words] = {}

    @property
    def is_searched(self) -> bool:
        """Whether a detector looks for it."""
        return self.period != "at_once"


def read_rules(text: str) -> list[Rule]:
    """The rules in a YAML file's text, by the file's order. Raises AlarmRulesInvalid."""
    try:
        rules = msgspec.convert(yaml.load(text, Loader=SchemeLoader), list[Rule])  # noqa: S506 - it is a SafeLoader  # nosec B506
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise AlarmRulesInvalid(f"The rules of alarms are not valid: {error}") from error
    if len({rule.code for rule in rules}) < len(rules):
        raise AlarmRulesInvalid("A code stands twice among the rules of alarms. Give each rule its own.")
    for rule in rules:
        if missing := rule.thresholds.keys() - rule.words.keys():
            raise AlarmRulesInvalid(f"{rule.code}: words are missing for {', '.join(sorted(missing))}. Add them.")
    return rules


def rule_of(document: Mapping[str, Any]) -> Rule:
    """The rule in a stored document. Raises AlarmRulesInvalid."""
    try:
        return msgspec.convert(document, Rule)
    except msgspec.ValidationError as error:
        raise AlarmRulesInvalid(f"The rule is not valid: {error}") from error


def with_thresholds(rule: Rule, thresholds: Mapping[str, int]) -> Rule:
    """The rule with other thresholds; names that it does not have are left out. Raises AlarmRulesInvalid."""
    changed = {name: thresholds.get(name, value) for name, value in rule.thresholds.items()}
    return rule_of(msgspec.to_builtins(rule) | {"thresholds": changed})


def digest(rule: Rule) -> str:
    """SHA-256 of the rule's content, in hex."""
    return hashlib.sha256(msgspec.json.encode(rule, order="deterministic")).hexdigest()
