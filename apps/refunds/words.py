"""A refund in words, in Japanese and English, made from its numbers when it is read. Pure.

Every line says what was spent, at which rates in which months, and exactly what of it comes back; every step after that
says which rule changed the sum, and to what.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from apps.kernel.documents.render import Language
from apps.refunds.assessment import Cut
from apps.refunds.documents.money import money_text
from apps.refunds.rules import Rules
from apps.schemes.document import Condition, Limit, Scheme, Tier, TierRefund, Words
from apps.schemes.rates import RateLine

DECIMALS: Final = 4
MONTHS_EN: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
ROUNDINGS: Final = {
    "floor": Words("最小単位未満の端数は切り捨てます。", "Fractions of the smallest unit are dropped."),
    "kokuzei-tsusoku-120": Words(
        "1円未満の端数は切り捨てます。ただし0円を超え1円未満の額は1円とします（国税通則法120条）。",
        "Fractions of a yen are dropped; an amount above ¥0 and under ¥1 becomes ¥1"
        " (Act on General Rules for National Taxes, article 120).",
    ),
    "half_up": Words("最も近い単位に丸めます（四捨五入）。", "Rounded to the nearest unit, halves away from 0."),
}


@dataclass(frozen=True, slots=True)
class Numbers:
    """A refund as it is kept: see models.Refund."""

    spend_minor: Sequence[int]
    bases_minor: Sequence[int] | None
    cuts: Sequence[Cut]
    entitled_minor: int


@dataclass(frozen=True, slots=True)
class ExplainedLine:
    """The spend at one rate and exactly what it brings, in minor units. `formula` is how it is computed."""

    rate: RateLine
    tier: Tier
    months: Words
    spend_minor: int
    base_minor: int | None
    exact: Fraction
    formula: Words

    def words(self, scheme: Scheme) -> Words:
        """The whole line as one sentence."""
        spend, exact = _amount(scheme, self.spend_minor), _amount(scheme, self.exact)
        return Words(
            f"{self.tier.name.ja}（{self.months.ja}）：{spend.ja} {self.formula.ja} ＝ {exact.ja}",
            f"{self.tier.name.en}, {self.months.en}: {spend.en} {self.formula.en} = {exact.en}",
        )


@dataclass(frozen=True, slots=True)
class Step:
    """What a rule left of the sum, exactly, in minor units."""

    words: Words
    left: Fraction


@dataclass(frozen=True, slots=True)
class Explanation:
    """A refund explained: the lines, their sum, and the steps from it to the amount."""

    lines: tuple[ExplainedLine, ...]
    brought: Fraction
    steps: tuple[Step, ...]


def explain(scheme: Scheme, rules: Rules, numbers: Numbers) -> Explanation:
    """Every yen of a refund, from the spend to the amount. Lines without spend are left out."""
    lines = tuple(_lines(scheme, rules, numbers))
    brought = sum((line.exact for line in lines), Fraction(0))
    return Explanation(lines, brought, tuple(_steps(scheme, rules, numbers, brought)))


def reasons(scheme: Scheme, rules: Rules, cuts: Sequence[Cut]) -> list[tuple[Words, Words]]:
    """Why less comes back than purchases brought: for each cut the reason, and the legal basis by itself."""
    ordered = sorted(cuts, key=lambda cut: _order(rules, cut))
    return [(_cut_words(scheme, rules, cut), _basis(rules, cut)) for cut in ordered]


def _basis(rules: Rules, cut: Cut) -> Words:
    if cut.rule < 0:
        return rules.refund.eligibility[-1 - cut.rule].reference
    return rules.refund.limits[cut.rule].reference


def _lines(scheme: Scheme, rules: Rules, numbers: Numbers) -> Iterator[ExplainedLine]:
    tiers = {tier.code: tier for tier in scheme.tiers}
    bases: Sequence[int | None] = numbers.bases_minor or [None] * len(rules.lines)
    for line, spend, base in zip(rules.lines, numbers.spend_minor, bases, strict=True):
        if spend or base:
            exact = line.share * spend if base is None else Fraction(base)
            tier = tiers[line.tier]
            yield ExplainedLine(line, tier, months_words(line), spend, base, exact, _formula(scheme, tier, line, base))


def months_words(line: RateLine) -> Words:
    """The months of a line."""
    if line.first_month == line.last_month:
        return Words(f"{line.first_month}月", MONTHS_EN[line.first_month - 1])
    first, last = MONTHS_EN[line.first_month - 1], MONTHS_EN[line.last_month - 1]
    return Words(f"{line.first_month}月～{line.last_month}月", f"{first} to {last}")


def _formula(scheme: Scheme, tier: Tier, line: RateLine, base: int | None) -> Words:
    refund = tier.refund or TierRefund(scheme.refund.basis, scheme.refund.share)
    rate, collected = percent(line.rate), percent(line.collected)
    if refund.basis == "share_of_amount":
        share = percent(refund.share or Decimal(0))
        words = Words(f"× {share}", f"× {share}")
    elif refund.basis == "share_of_tax":
        share = percent(refund.share or Decimal(0))
        words = Words(f"× {rate} ÷ (1 + {collected}) × {share}", f"× {rate} ÷ (1 + {collected}) × {share}")
    elif line.share == 0 and line.rate > line.collected:
        words = Words(
            "× 0（標準より高い税率は還付に影響しません）", "× 0 (a rate above the one collected changes nothing)"
        )
    else:
        words = Words(f"× ({collected} − {rate}) ÷ (1 + {collected})", f"× ({collected} − {rate}) ÷ (1 + {collected})")
    if base is None:
        return words
    return Words(f"{words.ja}、買い物ごとに計算", f"{words.en}, purchase by purchase")


def _steps(scheme: Scheme, rules: Rules, numbers: Numbers, brought: Fraction) -> Iterator[Step]:
    left = brought
    applied = set()
    for cut in sorted(numbers.cuts, key=lambda cut: _order(rules, cut)):
        left -= Fraction(cut.before - cut.after, rules.denominator)
        applied.add(cut.rule)
        yield Step(_cut_words(scheme, rules, cut), left)
    for index, limit in enumerate(rules.refund.limits):
        if index not in applied and limit.cap and limit.cap.amount is not None:
            yield Step(_not_reached(scheme, limit), left)
    if left < 0:
        left = Fraction(0)
        yield Step(Words("還付額は0を下回りません。", "A refund is never below 0."), left)
    yield Step(_rounding(rules), Fraction(numbers.entitled_minor))


def _order(rules: Rules, cut: Cut) -> tuple[int, int, int]:
    """Eligibility first, then months, half-years and the year, as the assessment goes."""
    if cut.rule < 0:
        return 0, -cut.rule, 0
    return ("month", "half_year", "year").index(rules.refund.limits[cut.rule].per) + 1, cut.rule, cut.period


def _cut_words(scheme: Scheme, rules: Rules, cut: Cut) -> Words:
    if cut.rule < 0:
        return condition_words(rules.refund.eligibility[-1 - cut.rule])
    limit = rules.refund.limits[cut.rule]
    period, reference = _period(limit, cut.period), limit.reference
    after = _amount(scheme, Fraction(cut.after, rules.denominator))
    before = _amount(scheme, Fraction(cut.before, rules.denominator))
    if limit.at_least:
        least = _least(scheme, limit)
        return Words(
            f"{period.ja}は{least.ja}に達しないため還付されません（{reference.ja}）",
            f"{period.en}: {least.en} not reached, so nothing comes back ({reference.en})",
        )
    name = cap_words(scheme, limit)
    return Words(
        f"{period.ja}：{name.ja}。{before.ja}のうち{after.ja}（{reference.ja}）",
        f"{period.en}: {name.en}; {after.en} of {before.en} ({reference.en})",
    )


def condition_words(condition: Condition) -> Words:
    """Why somebody who does not meet a condition of eligibility gets nothing."""
    return Words(
        f"還付の対象となる条件を満たしていません（{condition.reference.ja}）",
        f"The condition for a refund is not met ({condition.reference.en})",
    )


def cap_words(scheme: Scheme, limit: Limit) -> Words:
    """What a cap allows, for whom and how long."""
    per = {"month": ("月", "month"), "half_year": ("半年", "half-year"), "year": ("年", "year")}[limit.per]
    unit = {
        "person": ("1人", "a person"),
        "household": ("1世帯", "a household"),
        "members": ("世帯員1人につき（世帯で合算）", "each member of the household, pooled"),
    }[limit.unit]
    if limit.cap is None or limit.cap.amount is None:
        return Words(
            f"{unit[0]}{per[0]}ごとの個別の限度額", f"at most the resident's own limit, {unit[1]} and {per[1]}"
        )
    amount = _amount(scheme, limit.cap.amount)
    return Words(f"{unit[0]}{per[0]}{amount.ja}まで", f"at most {amount.en} {unit[1]} and {per[1]}")


def _not_reached(scheme: Scheme, limit: Limit) -> Words:
    name = cap_words(scheme, limit)
    return Words(f"{name.ja}：限度に達していません", f"{name.en[0].upper()}{name.en[1:]}: not reached")


def _least(scheme: Scheme, limit: Limit) -> Words:
    least, ja, en = limit.at_least, [], []
    if least and least.purchases is not None:
        ja.append(f"{least.purchases:,}回の買い物")
        en.append(f"{least.purchases:,} purchases")
    if least and least.amount is not None:
        amount = _amount(scheme, least.amount)
        ja.append(f"{amount.ja}の買い物")
        en.append(f"purchases of {amount.en}")
    return Words("と".join(ja), " and ".join(en))


def _period(limit: Limit, period: int) -> Words:
    if limit.per == "month":
        return Words(f"{period}月", MONTHS_EN[period - 1])
    if limit.per == "half_year":
        return Words(("上半期", "下半期")[period - 1], ("First half-year", "Second half-year")[period - 1])
    return Words("年間", "Year")


def _rounding(rules: Rules) -> Words:
    words = ROUNDINGS[rules.refund.rounding]
    if not rules.pools:
        return words
    return Words(
        f"世帯の合計について{words.ja}その額を世帯員で分けます（最大剰余法）。",
        f"{words.en} This is done for the household's sum, which is then shared out (largest remainder).",
    )


def percent(rate: Decimal) -> str:
    """A rate as a percentage, without needless zeros: 0.10 is 10%."""
    digits = f"{rate * 100:f}"
    return (digits.rstrip("0").rstrip(".") if "." in digits else digits) + "%"


def _amount(scheme: Scheme, amount: Fraction | int) -> Words:
    return Words(amount_text(scheme, amount, "ja"), amount_text(scheme, amount, "en"))


def amount_text(scheme: Scheme, amount: Fraction | int, language: Language) -> str:
    """An exact amount of minor units: whole ones as money is written, else with decimals, … for the rest."""
    if isinstance(amount, int):
        return money_text(
            amount, currency=scheme.currency, minor_unit_digits=scheme.minor_unit_digits, language=language
        )
    whole, rest = divmod(abs(amount), 1)
    sign = "−" if amount < 0 else ""
    text = money_text(whole, currency=scheme.currency, minor_unit_digits=scheme.minor_unit_digits, language=language)
    if not rest:
        return sign + text
    cut, beyond = divmod(rest * 10**DECIMALS, 1)
    decimals = f"{cut:0{DECIMALS}d}" + "…" if beyond else f"{cut:0{DECIMALS}d}".rstrip("0")
    point = "" if scheme.minor_unit_digits else "."
    return sign + (
        text.removesuffix("円") + point + decimals + "円" if text.endswith("円") else text + point + decimals
    )
