"""How every page writes money, rates and a scheme's words in the reader's language."""

from decimal import Decimal
from fractions import Fraction
from typing import Final

from django import template
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from apps.schemes.document import Words

register = template.Library()

DECIMALS_SHOWN: Final = 4
ROUNDING_WORDS: Final[dict[str, Promise]] = {
    "floor": _("Fractions of a yen are dropped."),
    "kokuzei-tsusoku-120": _(
        "Fractions of a yen are dropped; an amount above ¥0 and under ¥1 becomes ¥1"
        " (Act on General Rules for National Taxes, article 120)."
    ),
}


@register.filter
def yen(amount_minor: int) -> str:
    """An amount in whole yen: ¥1,234 in English, 1,234円 in Japanese."""
    return _written(amount_minor < 0, f"{abs(amount_minor):,}")


@register.filter
def exact_yen(amount: Fraction) -> str:
    """An exact amount in yen: up to four decimals, then … for what follows."""
    whole, rest = divmod(abs(amount), 1)
    cut, beyond = divmod(rest * 10**DECIMALS_SHOWN, 1)
    decimals = f"{cut:0{DECIMALS_SHOWN}d}" + "…" if beyond else f"{cut:0{DECIMALS_SHOWN}d}".rstrip("0")
    return _written(amount < 0, f"{whole:,}" + (f".{decimals}" if decimals else ""))


@register.filter
def grouped(count: int) -> str:
    """A count with its thousands set apart."""
    return f"{count:,}"


@register.filter
def percent(rate: Decimal) -> str:
    """A rate as a percentage, without needless zeros: 0.10 is 10%."""
    digits = f"{rate * 100:f}"
    return (digits.rstrip("0").rstrip(".") if "." in digits else digits) + "%"


@register.filter
def in_language(words: Words) -> str:
    """A scheme's text in the active language."""
    return words.ja if _japanese() else words.en


@register.filter
def rounding_words(rule: str) -> str:
    """What a rounding rule does and where the law says so."""
    return str(ROUNDING_WORDS[rule])


def _written(negative: bool, digits: str) -> str:
    sign = "−" if negative else ""
    return f"{sign}{digits}円" if _japanese() else f"{sign}¥{digits}"


def _japanese() -> bool:
    return (get_language() or "").startswith("ja")
