"""How every page writes money, rates and a scheme's words in the reader's language."""

from decimal import Decimal
from fractions import Fraction

from django import template
from django.utils.html import format_html
from django.utils.translation import get_language

from apps.audit import purposes
from apps.kernel.documents.render import Language
from apps.refunds import words as refund_words
from apps.refunds.words import ROUNDINGS, amount_text
from apps.schemes.document import Scheme, Words

register = template.Library()


@register.filter
def money(amount_minor: int | Fraction, scheme: Scheme) -> str:
    """An amount in a scheme's currency: ¥1,234 or 1,234円, BRL 12.34; exact fractions with … for the rest."""
    return amount_text(scheme, amount_minor, language())


@register.filter
def grouped(count: int) -> str:
    """A count with its thousands set apart."""
    return f"{count:,}"


@register.filter
def unbroken(number: str) -> str:
    """A number that keeps to one line: its hyphens are no places to break it."""
    return format_html('<span class="unbroken">{}</span>', number)


@register.filter
def who(actor: str) -> str:
    """Who acted: a user by name, everything else as the trail has it."""
    return actor.removeprefix("user:")


@register.filter
def purpose_words(purpose: str) -> str:
    """For what somebody looked at a resident's data."""
    return purposes.purpose_words(purpose)


@register.filter
def percent(rate: Decimal) -> str:
    """A rate as a percentage, without needless zeros: 0.10 is 10%."""
    return refund_words.percent(rate)


@register.filter
def in_language(words: Words) -> str:
    """A scheme's text in the active language."""
    return words.ja if language() == "ja" else words.en


@register.filter
def rounding_words(rule: str) -> str:
    """What a rounding rule does and where the law says so."""
    return in_language(ROUNDINGS[rule])


def language() -> Language:
    """The active language, of the two that there are."""
    return "ja" if (get_language() or "").startswith("ja") else "en"
