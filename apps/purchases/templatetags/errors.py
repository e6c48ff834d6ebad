"""How the page of error codes writes a message of the catalogue."""

import re
from typing import Final

from django import template
from django.utils.functional import Promise

register = template.Library()

PLACEHOLDER: Final = re.compile(r"\{[^{}]*\}")


@register.filter
def without_values(message: Promise) -> str:
    """The message with … where an answer names what was sent."""
    return PLACEHOLDER.sub("…", str(message))
