"""Reading a scheme file: the content, and every rule that a file must keep, each error with its place. Pure."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, Final
from zoneinfo import available_timezones

import msgspec
import yaml

from apps.kernel.errors import KanpuError
from apps.kernel.rounding import ROUNDING_RULES
from apps.schemes.document import Basis, Cap, DatedRate, Limit, RefundRule, Scheme
from apps.schemes.places import SchemeLoader, line_of, place_in, what_may_stand
from apps.schemes.rates import lines_between

ZONES: Final = available_timezones()


class SchemeInvalid(KanpuError):
    """The scheme file breaks a rule. The text names the file, the line, the place (a JSON path) and the rule."""

    code = "scheme_invalid"


class _Broken(Exception):
    """A rule is broken at a place in the file."""

    def __init__(self, place: str, rule: str) -> None:
        super().__init__(f"{place}: {rule}")
        self.place = place


def read_scheme(content: Any) -> Scheme:
    """The scheme in a parsed YAML or JSON document. Raises SchemeInvalid naming the place and the broken rule."""
    try:
        return _checked(content)
    except (_Broken, msgspec.ValidationError) as error:
        raise SchemeInvalid(f"The scheme is not valid: {error}") from error


def read_scheme_text(text: str, *, name: str) -> Scheme:
    """The scheme in a YAML file's text. Raises SchemeInvalid naming file, line, place and rule."""
    try:
        return _checked(yaml.load(text, Loader=SchemeLoader))  # noqa: S506 - it is a SafeLoader  # nosec B506
    except yaml.YAMLError as error:
        raise SchemeInvalid(f"{name}, line {_broken_line(text, error)}") from error
    except _Broken as error:
        raise SchemeInvalid(f"{name}, line {line_of(text, error.place)}: {error}") from error
    except msgspec.ValidationError as error:
        said = str(error)
        line = line_of(text, place_in(said))
        raise SchemeInvalid(f"{name}, line {line}: {said}.{what_may_stand(said)}") from error


def _broken_line(text: str, error: yaml.YAMLError) -> str:
    """The line at which the text is no YAML, and why."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"{error.problem_mark.line + 1}: this is no YAML: {error.problem}."
    position = error.position if isinstance(error, yaml.reader.ReaderError) else 0
    return f"{text.count(chr(10), 0, position) + 1}: this is no YAML: a character that no text has."


def _checked(content: Any) -> Scheme:
    scheme = msgspec.convert(content, Scheme)
    for place, rule in _broken_rules(scheme):
        raise _Broken(place, rule)
    return scheme


def _broken_rules(scheme: Scheme) -> Iterator[tuple[str, str]]:
    """Each broken rule with its place; those that others rely on come first."""
    if scheme.time_zone not in ZONES:
        yield "$.time_zone", f"{scheme.time_zone!r} is no time zone of the IANA database, as Asia/Tokyo is."
    if not _is_day_of_every_year(scheme.filing_deadline):
        yield "$.filing_deadline", f"{scheme.filing_deadline!r} is no day of every year."
    yield from _tiers(scheme)
    yield from _roundings(scheme.refund)
    yield from _shares(scheme)
    yield from _conditions(scheme.refund)
    for index, limit in enumerate(scheme.refund.limits):
        yield from _limit(f"$.refund.limits[{index}]", limit)
    yield from _pools(scheme.refund)
    yield from _surcharges(scheme)


def _is_day_of_every_year(text: str) -> bool:
    month, day = map(int, text.split("-"))
    try:
        date(2001, month, day)
    except ValueError:
        return False
    return True


def _tiers(scheme: Scheme) -> Iterator[tuple[str, str]]:
    yield from _dated("$.collected", scheme.collected)
    codes = [tier.code for tier in scheme.tiers]
    for index, tier in enumerate(scheme.tiers):
        place = f"$.tiers[{index}]"
        if tier.code in codes[:index]:
            yield f"{place}.code", f"the tier {tier.code} stands twice."
        yield from _dated(f"{place}.rates", tier.rates)
        if tier.collected:
            yield from _dated(f"{place}.collected", tier.collected)
        if tier.rates[0].from_date < (tier.collected or scheme.collected)[0].from_date:
            yield (
                f"{place}.rates[0]",
                f"no rate is collected before {(tier.collected or scheme.collected)[0].from_date}.",
            )


def _dated(place: str, rates: list[DatedRate]) -> Iterator[tuple[str, str]]:
    starts = [dated.from_date for dated in rates]
    for index, dated in enumerate(rates):
        if index and dated.from_date <= starts[index - 1]:
            yield f"{place}[{index}].from", "the dates must ascend, each once."
        if dated.from_date.day != 1:
            yield f"{place}[{index}].from", f"{dated.from_date}: rates change on the first of a month."
        if not _is_share(dated.rate) or dated.rate == 1:
            yield f"{place}[{index}].rate", f"{dated.rate} is no rate from 0 to below 1 with 6 decimals at most."


def _is_share(value: Decimal) -> bool:
    return value.is_finite() and 0 <= value <= 1 and value == round(value, 6)


def _roundings(refund: RefundRule) -> Iterator[tuple[str, str]]:
    rules = [("$.refund.rounding", refund.rounding)]
    if refund.purchase:
        rules.append(("$.refund.purchase.rounding", refund.purchase.rounding))
    for place, rule in rules:
        if rule not in ROUNDING_RULES:
            yield place, f"{rule!r} is no rounding rule. Known: {', '.join(sorted(ROUNDING_RULES))}."


def _shares(scheme: Scheme) -> Iterator[tuple[str, str]]:
    refund = scheme.refund
    yield from _share("$.refund", refund.basis, refund.share)
    for index, tier in enumerate(scheme.tiers):
        if tier.refund:
            yield from _share(f"$.tiers[{index}].refund", tier.refund.basis, tier.refund.share)


def _share(place: str, basis: Basis, share: Decimal | None) -> Iterator[tuple[str, str]]:
    if (share is None) != (basis == "rate_difference"):
        yield f"{place}.basis", "share_of_tax and share_of_amount need a share beside them, rate_difference has none."
    if share is not None and not _is_share(share):
        yield f"{place}.share", f"{share} is no share from 0 to 1 with 6 decimals at most."


def _conditions(refund: RefundRule) -> Iterator[tuple[str, str]]:
    for index, condition in enumerate(refund.eligibility):
        if [condition.at_most, condition.at_least, condition.equals].count(None) != 2:
            yield f"$.refund.eligibility[{index}]", "a condition has one of at_most, at_least and equals."


def _limit(place: str, limit: Limit) -> Iterator[tuple[str, str]]:
    if (limit.cap is None) == (limit.at_least is None):
        yield place, "a limit has one of cap and at_least."
    if limit.cap:
        yield from _cap(f"{place}.cap", limit.cap)
    if limit.at_least and limit.unit == "members":
        yield f"{place}.for", "what must be reached is for a person or a household."
    if limit.at_least and limit.at_least.purchases is None and limit.at_least.amount is None:
        yield f"{place}.at_least", "say how many purchases or what amount must be reached."


def _pools(refund: RefundRule) -> Iterator[tuple[str, str]]:
    """Sharing out a household's rounded sum must take nobody past an own limit, nor let spend lower the sum."""
    pools = any(limit.unit != "person" for limit in refund.limits)
    own_caps = any(limit.unit == "person" and limit.cap for limit in refund.limits)
    if pools and own_caps and refund.rounding != "floor":
        yield "$.refund.rounding", "with limits for a household and for a person, the rounding is floor."


def _cap(place: str, cap: Cap) -> Iterator[tuple[str, str]]:
    if (cap.amount is None) == (cap.attribute is None):
        yield place, "a cap has one of amount and attribute."


def _surcharges(scheme: Scheme) -> Iterator[tuple[str, str]]:
    refund = scheme.refund
    has_surcharge = False
    for index, tier in enumerate(scheme.tiers):
        for line in lines_between(scheme, tier, tier.rates[0].from_date, None):
            if line.share < 0:
                has_surcharge = True
                if refund.surcharge is None:
                    yield (
                        f"$.tiers[{index}].rates",
                        (
                            f"{line.rate} is above the rate collected, {line.collected}: say in refund.surcharge what"
                            " becomes of it, offset or ignore."
                        ),
                    )
    if has_surcharge and refund.surcharge == "offset":
        if refund.purchase:
            yield "$.refund.surcharge", "a surcharge cannot be offset purchase by purchase."
        if any(limit.unit != "person" for limit in refund.limits):
            yield "$.refund.surcharge", "a surcharge cannot be offset where a limit is for a household or its members."
